import { join } from 'node:path';
import { app } from 'electron';
import type { Logger } from '../ports/system.ts';
import { describeApp, showLicences } from './about.ts';
import { collectDiagnostics } from './diagnostics.ts';
import { followFarm, watchAdmissions } from './farm-follow.ts';
import type { Glance } from './farm-watch.ts';
import { findKeyProtection } from './key-protection.ts';
import { createLeaving } from './leaving.ts';
import { setStartAtLogin, wasStartedAtLogin } from './login.ts';
import { setMenu } from './menu.ts';
import { createNotices } from './notices.ts';
import type { OpenedFiles } from './opened-files.ts';
import type { OpeningQueue } from './opening-queue.ts';
import { openingsOf } from './openings.ts';
import { createOwnEngine } from './own-engine.ts';
import { type OwnFarm, openFarm } from './own-farm.ts';
import { openPower } from './power.ts';
import { answerWindows } from './requests.ts';
import { submitSample } from './sample.ts';
import { type AppSettings, openSettings } from './settings.ts';
import { openStateFile } from './state-file.ts';
import { pairingNotice, trayStatus, updateNotice } from './texts.ts';
import { type AppTray, createTray } from './tray.ts';
import { watchUpdates } from './updates.ts';
import { type AppWindow, createAppWindow } from './window.ts';

interface AppOptions {
  readonly dataFolder: string;
  /** The app's own folder in it. */
  readonly desktopFolder: string;
  readonly files: OpenedFiles;
  readonly openings: OpeningQueue;
  readonly logger: Logger;
}

/** How often it is looked whether a pause is over, or a task of a farm that this device may not watch has ended (ms). */
const STATUS_MS = 2_000;
const LEAVING_CHECK_MS = 500;
const RESOURCES = join(import.meta.dirname, '../../resources');

/** Starts everything, once Electron is ready. @throws LanyardError when the farm cannot be opened */
export async function startApp({ dataFolder, desktopFolder, files, openings, logger }: AppOptions): Promise<void> {
  const settings = await openSettings(dataFolder);
  const state = openStateFile(join(desktopFolder, 'state.json'));
  const power = openPower();
  const farm = await openFarm({ dataFolder, settings: settings.node, logger, senses: power.senses, protection: findKeyProtection() });
  const leaving = createLeaving({
    logger,
    runningTasks: () => farm.runningTasks(),
    drain: (isDraining) => farm.drain(isDraining),
    async close() {
      state.flush();
      await farm.close();
    },
  });
  const notices = createNotices((page) => window.show(page));
  const window: AppWindow = createAppWindow({
    preload: join(import.meta.dirname, '../preload/preload.cjs'),
    state,
    closed() {
      if (!settings.desktop.closeToTray) void leaving.quit();
      else if (!state.current.toldOfTray) {
        state.change({ toldOfTray: true });
        notices.show({ title: 'Lanyard goes on working', body: 'It stays in the tray; it ends by its menu there.', page: '' });
      }
    },
  });
  const tray = createTray({
    pictures: join(RESOURCES, 'tray'),
    actions: {
      open: (page) => window.show(page),
      pause(until) {
        farm.pause(until).then(status.refresh, (error: Error) => logger.error('the pause did not hold', { error: error.message }));
      },
      quit: () => void leaving.quit(),
    },
  });
  const status = createStatus(farm, tray);
  const diagnose = () => collectDiagnostics(dataFolder, { node: farm.node });

  answerWindows(
    {
      farm,
      settings,
      files,
      engine: createOwnEngine(settings.node.worker, () => farm.membership().roles.includes('worker')),
      listen: openings.listen,
      collectDiagnostics: diagnose,
      runSample: () => submitSample(farm.client(), join(RESOURCES, 'examples/path-tracer'), settings.node.worker.host),
    },
    logger,
  );
  describeApp();
  setMenu({
    open: (page) => window.show(page),
    openFile: (path) => void openings.add({ files: [path], links: [] }),
    collectDiagnostics: () => void diagnose(),
    showLicences: () => void showLicences().catch((error: Error) => logger.warn('the licences cannot be shown', { error: error.message })),
    quit: () => void leaving.quit(),
  });
  power.watch({ changed: () => farm.look(), shutdown: () => void leaving.end() });
  applySettings(settings, logger);
  watchUpdates({
    logger,
    settings: () => settings.desktop,
    resources: RESOURCES,
    found: (version, isReady) => notices.show(updateNotice(version, isReady)),
  });
  farm.onFarm(() => {
    status.refresh();
    void followFarm({
      farm,
      logger,
      changed(glance) {
        status.take(glance);
        window.setProgress(glance.progress);
      },
      ended(jobs) {
        if (settings.desktop.notifyJobs && !window.isFocused) for (const job of jobs) notices.jobEnded(job);
      },
    });
    // Who looks at the window is told there.
    watchAdmissions(farm, (admission) => window.isFocused || notices.show(pairingNotice(admission)));
  });
  setInterval(() => leaving.running(farm.runningTasks()), LEAVING_CHECK_MS);

  app.on('second-instance', (_, argv, workingFolder) => {
    void openings.add(openingsOf(argv, workingFolder, app.isPackaged));
    window.show();
  });
  app.on('activate', () => window.show());
  // Closing the window leaves the farm running.
  app.on('window-all-closed', () => {});
  const start = openingsOf(process.argv, process.cwd(), app.isPackaged);
  void openings.add(start);
  openings.onAdd(() => window.show());
  if (!start.hidden && !wasStartedAtLogin()) window.show();
  logger.info('the app is up');
}

/** Keeps the tray's words in line with the farm and with the owner's own pause, which ends by itself. */
function createStatus(farm: OwnFarm, tray: AppTray) {
  let glance: Glance | undefined;
  const show = async () => {
    const until = await farm.pausedUntil();
    const now = Date.now();
    const pausedUntil = typeof until === 'number' && until <= now ? undefined : until;
    const { farm: member } = farm.membership();
    const machine = { hasFarm: member !== null, isConnected: farm.isConnected(), running: farm.runningTasks(), node: glance?.node };
    tray.show(trayStatus({ ...machine, pausedUntil }, now), pausedUntil !== undefined);
  };
  const refresh = () => void show().catch(() => {});
  setInterval(refresh, STATUS_MS);
  refresh();
  return {
    refresh,
    take(next: Glance) {
      glance = next;
      refresh();
    },
  };
}

function applySettings(settings: AppSettings, logger: Logger): void {
  let startAtLogin: boolean | undefined;
  const apply = () => {
    if (settings.desktop.startAtLogin === startAtLogin) return;
    startAtLogin = settings.desktop.startAtLogin;
    setStartAtLogin(startAtLogin).catch((error: Error) => logger.warn('the start at login could not be set', { error: error.message }));
  };
  settings.onChange(apply);
  apply();
}
