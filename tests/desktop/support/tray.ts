import type { ElectronApplication } from '@playwright/test';

/** What `spies.cjs` keeps. */
interface Seen {
  readonly trayMenu: Electron.Menu | null;
  readonly trayTitle: string;
  readonly notifications: readonly (Electron.Notification & { readonly title: string })[];
}
declare global {
  var lanyardSeen: Seen;
}

/** The labels of the tray's menu, those of submenus behind their own item. */
export function trayLabels(app: ElectronApplication): Promise<string[]> {
  return app.evaluate(() => {
    const labels = (menu: Electron.Menu | null): string[] =>
      (menu?.items ?? []).filter(({ type }) => type !== 'separator').flatMap(({ label, submenu }) => [label, ...labels(submenu ?? null)]);
    return labels(globalThis.lanyardSeen.trayMenu);
  });
}

/** Chooses an item of the tray's menu as a click does. */
export async function chooseInTray(app: ElectronApplication, label: string): Promise<void> {
  await app.evaluate((_, wanted) => {
    const find = (menu: Electron.Menu | null | undefined): Electron.MenuItem | undefined => {
      for (const item of menu?.items ?? []) {
        const found = item.label === wanted ? item : find(item.submenu);
        if (found !== undefined) return found;
      }
      return undefined;
    };
    const item = find(globalThis.lanyardSeen.trayMenu);
    if (item === undefined) throw new Error(`the tray has no "${wanted}"`);
    item.click();
  }, label);
}

export function notices(app: ElectronApplication): Promise<string[]> {
  return app.evaluate(() => globalThis.lanyardSeen.notifications.map(({ title, body }) => `${title}: ${body}`));
}

export async function clickNotice(app: ElectronApplication, index: number): Promise<void> {
  await app.evaluate((_, at) => void globalThis.lanyardSeen.notifications[at]?.emit('click'), index);
}

/** Answers the next question of the app by a button's label; what it asked comes back. */
export async function answerNextQuestion(app: ElectronApplication, button: string): Promise<() => Promise<string>> {
  await app.evaluate(({ dialog }, wanted) => {
    const asked: { message?: string } = {};
    (globalThis as { lanyardAsked?: typeof asked }).lanyardAsked = asked;
    dialog.showMessageBox = (async (options: Electron.MessageBoxOptions) => {
      asked.message = options.message;
      return { response: options.buttons?.indexOf(wanted) ?? -1, checkboxChecked: false };
    }) as typeof dialog.showMessageBox;
  }, button);
  return async () => await app.evaluate(() => (globalThis as { lanyardAsked?: { message?: string } }).lanyardAsked?.message ?? '');
}

export function windowCount(app: ElectronApplication): Promise<number> {
  return app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows().length);
}
