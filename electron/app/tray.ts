import { join } from 'node:path';
import { Menu, nativeImage, Tray } from 'electron';
import { tomorrowMorning } from './pause-times.ts';
import type { TrayStatus } from './texts.ts';

const HOUR_MS = 3_600_000;

/** What can be done from the tray. */
export interface TrayActions {
  open(page?: string): void;
  /** @param until wall clock, ms since 1970; null: until further notice; undefined: takes work again */
  pause(until: number | null | undefined): void;
  quit(): void;
}

interface TrayOptions {
  /** Where the pictures are. */
  readonly pictures: string;
  readonly actions: TrayActions;
}

/** Stands while the app runs, window or not. */
export interface AppTray {
  show(status: TrayStatus, isPaused: boolean): void;
}

export function createTray({ pictures, actions }: TrayOptions): AppTray {
  const images = new Map<string, Electron.NativeImage>();
  const image = (state: string) => {
    // On macOS a picture of this name is drawn in the colours of the menu bar.
    const name = process.platform === 'darwin' ? `tray-${state}Template.png` : `tray-${state}.png`;
    const known = images.get(name) ?? nativeImage.createFromPath(join(pictures, name));
    images.set(name, known);
    return known;
  };
  const tray = new Tray(image('offline'));
  tray.on('click', () => actions.open());
  let shown = '';
  return {
    show({ state, text }, isPaused) {
      // A menu that is replaced while it is open closes under the hand.
      const next = `${state} ${text} ${isPaused}`;
      if (next === shown) return;
      shown = next;
      tray.setImage(image(state));
      tray.setToolTip(`Lanyard: ${text}`);
      tray.setContextMenu(menu(text, isPaused, actions));
    },
  };
}

function menu(text: string, isPaused: boolean, { open, pause, quit }: TrayActions): Menu {
  const item = (label: string, until: () => number | null | undefined) => ({ label, click: () => pause(until()) });
  return Menu.buildFromTemplate([
    { label: text, enabled: false },
    { type: 'separator' },
    { label: 'Open Lanyard', click: () => open() },
    { label: 'Submit a Job…', click: () => open('#/submit') },
    { type: 'separator' },
    isPaused
      ? item('Take Work Again', () => undefined)
      : {
          label: 'Pause This Machine',
          submenu: [
            item('For 1 Hour', () => Date.now() + HOUR_MS),
            item('Until Tomorrow Morning', () => tomorrowMorning(Date.now())),
            item('Until I Resume', () => null),
          ],
        },
    { type: 'separator' },
    { label: 'Quit Lanyard', click: quit },
  ]);
}
