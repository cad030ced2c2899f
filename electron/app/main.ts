import { join } from 'node:path';
import { app, dialog } from 'electron';
import { defaultDataFolder } from '../cli/data-folder.ts';
import { createLogger } from '../machine/logger.ts';
import { type OwnFarm, openFarm } from './own-farm.ts';
import { answerWindows } from './requests.ts';
import { serveAppFiles, trustAppScheme } from './security.ts';
import { createTray } from './tray.ts';
import { showWindow } from './window.ts';

const dataFolder = defaultDataFolder(process.env);
// Electron's own files stand in a folder of the data folder, and so does its lock: one app runs for each data folder.
app.setPath('userData', join(dataFolder, 'desktop'));

/** The desktop app: a coordinator and a worker of this machine, a window on them, and a tray that keeps them running. */
trustAppScheme();
if (app.requestSingleInstanceLock()) void start();
else app.quit();

async function start(): Promise<void> {
  const logger = createLogger({ level: 'info' });
  await app.whenReady();
  serveAppFiles(join(import.meta.dirname, '../renderer'));
  let farm: OwnFarm;
  try {
    farm = await openFarm({ dataFolder, logger });
  } catch (error) {
    dialog.showErrorBox('Lanyard cannot start', error instanceof Error ? error.message : String(error));
    app.exit(1);
    return;
  }
  const open = () => showWindow(join(import.meta.dirname, '../preload/preload.cjs'));
  answerWindows(farm.client, logger);
  app.on('second-instance', open);
  app.on('activate', open);
  // Closing the window leaves the farm running; it ends by the tray.
  app.on('window-all-closed', () => {});
  createTray({ icon: join(import.meta.dirname, '../../resources/tray.png'), farm, open, quit: () => void quit(farm) });
  open();
}

/** Ends in good order: what runs goes back to the queue. Asks first when something does. */
async function quit(farm: OwnFarm): Promise<void> {
  const running = await farm.runningTasks().catch(() => 0);
  if (running > 0) {
    const { response } = await dialog.showMessageBox({
      type: 'question',
      message: running === 1 ? 'One task is running on this machine.' : `${running} tasks are running on this machine.`,
      detail: 'If Lanyard quits now, they are stopped and start over when it runs again.',
      buttons: ['Keep running', 'Quit'],
      defaultId: 0,
      cancelId: 0,
    });
    if (response === 0) return;
  }
  await farm.close();
  app.exit(0);
}
