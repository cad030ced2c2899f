import { BrowserWindow, screen } from 'electron';
import { APP_ORIGIN } from './security.ts';
import { placeOn, type StateFile } from './state-file.ts';

/** The one window of the app: there, or closed while the app works on in the tray. */
export interface AppWindow {
  /** Brings it to the front, or opens it; with a page, such as `#/jobs/3`, shows that. */
  show(page?: string): void;
  readonly isFocused: boolean;
  /** On the dock or task bar; null: none. */
  setProgress(progress: number | null): void;
  close(): void;
}

interface WindowOptions {
  readonly preload: string;
  readonly state: StateFile;
  /** Called when the person has closed it. */
  readonly closed: () => void;
}

const FIRST_SIZE = { width: 1280, height: 800 } as const;
const START = `${APP_ORIGIN}/index.html`;

export function createAppWindow({ preload, state, closed }: WindowOptions): AppWindow {
  let window: BrowserWindow | undefined;
  let progress: number | null = null;

  const open = (page: string) => {
    const { maximized = false, ...bounds } = state.current.window ?? {};
    const place =
      'x' in bounds
        ? placeOn(
            screen.getAllDisplays().map(({ workArea }) => workArea),
            bounds as Parameters<typeof placeOn>[1],
          )
        : FIRST_SIZE;
    const opened = new BrowserWindow({
      ...place,
      minWidth: 900,
      minHeight: 560,
      show: false,
      backgroundColor: '#0d1117',
      title: 'Lanyard',
      autoHideMenuBar: true,
      webPreferences: { preload, contextIsolation: true, sandbox: true, nodeIntegration: false, webviewTag: false, spellcheck: false },
    });
    window = opened;
    if (maximized) opened.maximize();
    opened.once('ready-to-show', () => opened.show());
    const remember = () => {
      if (!opened.isDestroyed() && !opened.isMinimized())
        state.change({ window: { ...opened.getNormalBounds(), maximized: opened.isMaximized() } });
    };
    for (const event of ['resize', 'move', 'maximize', 'unmaximize'] as const) opened.on(event as 'resize', remember);
    opened.on('closed', () => {
      window = undefined;
      closed();
    });
    applyProgress();
    void opened.loadURL(START + page);
  };
  const applyProgress = () => {
    if (window !== undefined && !window.isDestroyed()) window.setProgressBar(progress ?? -1);
  };

  return {
    show(page = '') {
      if (window === undefined) {
        open(page);
        return;
      }
      if (window.isMinimized()) window.restore();
      window.show();
      window.focus();
      // Another fragment of the page that is there: it stays as it is.
      if (page !== '') void window.loadURL(START + page);
    },
    get isFocused() {
      return window?.isFocused() ?? false;
    },
    setProgress(next) {
      // Every change is a message to the system: whole percents are enough.
      const rounded = next === null ? null : Math.floor(next * 100) / 100;
      if (rounded === progress) return;
      progress = rounded;
      applyProgress();
    },
    close() {
      window?.close();
    },
  };
}
