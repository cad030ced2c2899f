import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { app, crashReporter, dialog } from 'electron';
import { defaultDataFolder } from '../cli/data-folder.ts';
import { createLogger } from '../machine/logger.ts';
import { startApp } from './app.ts';
import { openLogFile } from './logs.ts';
import { createOpenedFiles } from './opened-files.ts';
import { createOpeningQueue } from './opening-queue.ts';
import { LINK_SCHEME } from './openings.ts';
import { serveAppFiles, trustAppScheme } from './security.ts';

/** The desktop app: a coordinator and a worker of this machine, a window on them, and a tray that keeps them running. */

const dataFolder = defaultDataFolder(process.env);
const desktopFolder = join(dataFolder, 'desktop');
// Electron's own files stand in a folder of the data folder, and so does its lock: one app runs for each data folder.
mkdirSync(desktopFolder, { recursive: true, mode: 0o700 });
app.setPath('userData', desktopFolder);
app.setAppLogsPath();
// Kept on this machine; `collect diagnostics` names them.
crashReporter.start({ uploadToServer: false });

const logFile = openLogFile(app.getPath('logs'));
const logger = createLogger({
  level: 'info',
  format: 'json',
  write(line) {
    logFile(line);
    if (!app.isPackaged) process.stderr.write(line);
  },
});

trustAppScheme();
const files = createOpenedFiles();
const openings = createOpeningQueue(files, logger);
if (app.requestSingleInstanceLock()) void start();
// Its command line reaches the instance that runs.
else app.quit();

async function start(): Promise<void> {
  process.on('uncaughtException', (error) => {
    logger.error('the app ends: something unexpected happened', { error });
    // Its farm recovers as after any crash; but not for ever, if it crashes at its start.
    if (process.uptime() > 60) app.relaunch({ args: [...process.argv.slice(1).filter((word) => word !== '--hidden'), '--hidden'] });
    app.exit(1);
  });
  // In a build that is not packaged it would name Electron itself as the program for such links.
  if (app.isPackaged) app.setAsDefaultProtocolClient(LINK_SCHEME);
  if (process.platform === 'win32') app.setAppUserModelId('io.github.lanyard');
  await app.whenReady();
  serveAppFiles(join(import.meta.dirname, '../renderer'));
  try {
    await startApp({ dataFolder, desktopFolder, files, openings, logger });
  } catch (error) {
    logger.error('the app cannot start', { error });
    dialog.showErrorBox('Lanyard cannot start', error instanceof Error ? error.message : String(error));
    app.exit(1);
  }
}
