import { readFileSync, writeFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { z } from 'zod';

const boundsSchema = z.object({ x: z.number().int(), y: z.number().int(), width: z.number().int(), height: z.number().int() });
export type Bounds = z.infer<typeof boundsSchema>;

const stateSchema = z.object({
  window: boundsSchema.extend({ maximized: z.boolean() }).optional(),
  /** A window that was closed into the tray for the first time says so once. */
  toldOfTray: z.boolean().default(false),
});
type State = z.infer<typeof stateSchema>;

/** What the app remembers between its lives, and can lose without harm. */
export interface StateFile {
  readonly current: State;
  change(part: Partial<State>): void;
  /** Writes what is not written yet, before the end. */
  flush(): void;
}

const WRITE_DELAY_MS = 500;

/** A file that is damaged counts as empty. */
export function openStateFile(path: string): StateFile {
  let current = read(path);
  let timer: NodeJS.Timeout | undefined;
  const text = () => `${JSON.stringify(current, null, 2)}\n`;
  return {
    get current() {
      return current;
    },
    change(part) {
      current = { ...current, ...part };
      timer ??= setTimeout(() => {
        timer = undefined;
        const beside = `${path}.new`;
        // A place that cannot be written costs the memory of where the window stood.
        writeFile(beside, text()).then(
          () => rename(beside, path).catch(() => {}),
          () => {},
        );
      }, WRITE_DELAY_MS);
    },
    flush() {
      if (timer === undefined) return;
      clearTimeout(timer);
      timer = undefined;
      try {
        writeFileSync(path, text());
      } catch {
        // As above.
      }
    },
  };
}

function read(path: string): State {
  try {
    return stateSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return stateSchema.parse({});
  }
}

/** Where a window of these bounds goes: where it was, if that is still on a screen; else in the middle of one that is there. */
export function placeOn(screens: readonly Bounds[], bounds: Bounds): Pick<Bounds, 'width' | 'height'> & Partial<Bounds> {
  // Its title bar must be within reach.
  const isReachable = screens.some(
    (screen) =>
      bounds.x + bounds.width > screen.x + 64 &&
      bounds.x < screen.x + screen.width - 64 &&
      bounds.y >= screen.y &&
      bounds.y < screen.y + screen.height - 32,
  );
  return isReachable ? bounds : { width: bounds.width, height: bounds.height };
}
