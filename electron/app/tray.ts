import { Menu, nativeImage, Tray } from 'electron';
import type { OwnFarm } from './own-farm.ts';

const HOUR_MS = 3_600_000;

interface TrayOptions {
  /** A picture file. */
  readonly icon: string;
  readonly farm: OwnFarm;
  readonly open: () => void;
  readonly quit: () => void;
}

/** Kept, so that it is not collected while it shows. */
let tray: Tray | undefined;

/** Stands while the app runs, window or not. */
export function createTray({ icon, farm, open, quit }: TrayOptions): void {
  const shown = new Tray(nativeImage.createFromPath(icon));
  tray = shown;
  const showMenu = async () => {
    const running = await farm.runningTasks().catch(() => 0);
    const pause = (ms: number | null) => () => void farm.pauseFor(ms).then(showMenu, () => {});
    shown.setContextMenu(
      Menu.buildFromTemplate([
        { label: running === 0 ? 'No task runs here' : `${running} running here`, enabled: false },
        { label: 'Open Lanyard', click: open },
        { type: 'separator' },
        farm.isPaused()
          ? { label: 'Take work again', click: pause(null) }
          : { label: 'Pause this machine for 1 hour', click: pause(HOUR_MS) },
        { type: 'separator' },
        { label: 'Quit', click: quit },
      ]),
    );
  };
  tray.setToolTip('Lanyard');
  tray.on('click', open);
  tray.on('mouse-enter', () => void showMenu());
  void showMenu();
}
