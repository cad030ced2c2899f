import { BrowserWindow } from 'electron';
import { APP_ORIGIN } from './security.ts';

let window: BrowserWindow | undefined;

/** Brings the window to the front, or opens it. */
export function showWindow(preload: string): void {
  if (window !== undefined) {
    if (window.isMinimized()) window.restore();
    window.show();
    window.focus();
    return;
  }
  const opened = new BrowserWindow({
    width: 1280,
    height: 800,
    minWidth: 900,
    minHeight: 560,
    show: false,
    backgroundColor: '#0d1117',
    title: 'Lanyard',
    autoHideMenuBar: true,
    webPreferences: { preload, contextIsolation: true, sandbox: true, nodeIntegration: false, webviewTag: false, spellcheck: false },
  });
  window = opened;
  opened.once('ready-to-show', () => opened.show());
  opened.on('closed', () => {
    window = undefined;
  });
  void opened.loadURL(`${APP_ORIGIN}/index.html`);
}
