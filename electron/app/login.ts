import { mkdir, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { app } from 'electron';
import { autostartEntry } from './desktop-entry.ts';

/** Whether the app starts, hidden, when this user logs in. */
export async function setStartAtLogin(isWanted: boolean): Promise<void> {
  if (process.platform !== 'linux') {
    app.setLoginItemSettings({ openAtLogin: isWanted, args: ['--hidden'] });
    return;
  }
  const path = join(process.env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'autostart', 'lanyard.desktop');
  if (!isWanted) {
    await rm(path, { force: true });
    return;
  }
  // An AppImage runs from a place that is gone after it; the file itself is named in the environment.
  const program = process.env.APPIMAGE ?? process.execPath;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, autostartEntry([program, ...(app.isPackaged ? [] : [app.getAppPath()]), '--hidden']));
}

/** Whether this start is the one at login. */
export function wasStartedAtLogin(): boolean {
  return process.platform === 'darwin' && app.getLoginItemSettings().wasOpenedAtLogin;
}
