import { DBusError, defineInterface, type Message, type MessageBus } from 'dbus-native';
import { startSessionBus } from './session-bus.ts';

/** The desktop around the app, played from outside: it has a tray and shows notices, as those of Linux do over D-Bus. */
export interface Session {
  /** What a program of this session finds in its environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** The labels of the menu in the tray, those of submenus behind their own item; none where nothing is in the tray. */
  trayLabels(): Promise<readonly string[]>;
  /** Chooses an item of that menu. */
  chooseInTray(label: string): Promise<void>;
  /** Clicks on the picture itself. */
  clickTray(): Promise<void>;
  /** Shown until now, in order: `title: body`. */
  readonly notices: readonly string[];
  clickNotice(index: number): void;
  close(): Promise<void>;
}

/** A program's picture in the tray. */
interface TrayItem {
  readonly destination: string;
  readonly path: string;
}

/** As `com.canonical.dbusmenu` gives it. */
type MenuItem = readonly [id: number, properties: { readonly label?: string }, children: readonly MenuItem[]];

const ITEM = 'org.kde.StatusNotifierItem';
const WATCHER = 'org.kde.StatusNotifierWatcher';
const MENU = 'com.canonical.dbusmenu';
const NOTIFICATIONS = 'org.freedesktop.Notifications';

/** @param folder where the socket of its bus lies */
export async function startSession(folder: string): Promise<Session> {
  const bus = await startSessionBus(folder);
  const tray = createTray(bus.client, await takeTrayItems(bus.client));
  const notices = await takeNotices(bus.client);
  return { environment: { DBUS_SESSION_BUS_ADDRESS: bus.address }, ...tray, ...notices, close: bus.close };
}

/** A program looks for this service once, at its start. @returns what came into the tray last */
async function takeTrayItems(bus: MessageBus): Promise<() => TrayItem | undefined> {
  let item: TrayItem | undefined;
  const watcher = defineInterface({
    name: WATCHER,
    methods: {
      RegisterStatusNotifierItem: {
        in: { service: 's' },
        handler({ service }: { service: string }, { sender = '' }) {
          // A name on the bus, or the path of an object of whoever calls.
          item = service.startsWith('/') ? { destination: sender, path: service } : { destination: service, path: '/StatusNotifierItem' };
        },
      },
      RegisterStatusNotifierHost: { in: { service: 's' }, handler: () => {} },
    },
    properties: {
      RegisteredStatusNotifierItems: { type: 'as', get: () => [] },
      IsStatusNotifierHostRegistered: { type: 'b', get: () => true },
      ProtocolVersion: { type: 'i', get: () => 0 },
    },
    signals: { StatusNotifierHostRegistered: {} },
  });
  await bus.export('/StatusNotifierWatcher', watcher);
  await bus.ownName(WATCHER);
  return () => item;
}

function createTray(bus: MessageBus, newest: () => TrayItem | undefined): Pick<Session, 'trayLabels' | 'chooseInTray' | 'clickTray'> {
  const call = async <T>(message: Message): Promise<T> => await bus.invoke<T>(message);
  const item = (): TrayItem => {
    const there = newest();
    if (there === undefined) throw new DBusError('nothing is in the tray');
    return there;
  };
  const open = async () => {
    const { destination, path: of } = item();
    const get = { destination, path: of, interface: 'org.freedesktop.DBus.Properties', member: 'Get' };
    const path = await call<string>({ ...get, signature: 'ss', body: [ITEM, 'Menu'] });
    const menu = { destination, path, interface: MENU };
    // All of it, with all properties.
    const layout = { ...menu, member: 'GetLayout', signature: 'iias', body: [0, -1, []] };
    const [, root] = await call<[revision: number, root: MenuItem]>(layout);
    return { menu, items: flat(root) };
  };
  return {
    async trayLabels() {
      try {
        return (await open()).items.map(([, label]) => label);
      } catch (error) {
        // The program has gone, or has only just come.
        if (error instanceof DBusError) return [];
        throw error;
      }
    },
    async chooseInTray(wanted) {
      const { menu, items } = await open();
      const [id] = items.find(([, label]) => label === wanted) ?? [];
      if (id === undefined) throw new Error(`the tray has no "${wanted}"`);
      await call({ ...menu, member: 'Event', signature: 'isvu', body: [id, 'clicked', ['s', ''], 0] });
    },
    async clickTray() {
      await call({ ...item(), interface: ITEM, member: 'Activate', signature: 'ii', body: [0, 0] });
    },
  };
}

function flat([id, { label = '' }, children]: MenuItem): readonly (readonly [id: number, label: string])[] {
  const below = children.flatMap(flat);
  return label === '' ? below : [[id, label], ...below];
}

async function takeNotices(bus: MessageBus): Promise<Pick<Session, 'notices' | 'clickNotice'>> {
  const notices: string[] = [];
  const service = defineInterface({
    name: NOTIFICATIONS,
    methods: {
      GetCapabilities: { out: { names: 'as' }, handler: () => ['body', 'actions'] },
      GetServerInformation: {
        out: { name: 's', vendor: 's', version: 's', specification: 's' },
        handler: () => ({ name: 'a desktop of tests', vendor: 'Lanyard', version: '1.0', specification: '1.2' }),
      },
      Notify: {
        in: { program: 's', replaces: 'u', icon: 's', title: 's', body: 's', actions: 'as', hints: 'a{sv}', timeoutMs: 'i' },
        out: { id: 'u' },
        handler: ({ title, body }: { title: string; body: string }) => notices.push(`${title}: ${body}`),
      },
      CloseNotification: { in: { id: 'u' }, handler: () => {} },
    },
    signals: { ActionInvoked: { args: { id: 'u', action: 's' } } },
  });
  await bus.export('/org/freedesktop/Notifications', service);
  await bus.ownName(NOTIFICATIONS);
  // Their ids are counted from 1.
  return { notices, clickNotice: (index) => service.emit.ActionInvoked?.(index + 1, 'default') };
}
