import { useStore } from 'zustand';
import { createStore } from 'zustand/vanilla';

export type Theme = 'system' | 'dark' | 'light';
export type Density = 'comfortable' | 'compact';

interface Preferences {
  readonly theme: Theme;
  readonly density: Density;
  /** Whether this browser tells of jobs that end. */
  readonly notify: boolean;
}

const KEY = 'lanyard-preferences';

/** How this person likes the screen; kept by this browser. */
export const preferences = createStore<Preferences>(() => load());

export function usePreference<T>(select: (preferences: Preferences) => T): T {
  return useStore(preferences, select);
}

/** Marks the document, now and whenever a preference or the system's theme changes. */
export function startPreferences(): void {
  const system = matchMedia('(prefers-color-scheme: light)');
  const mark = () => {
    const { theme, density } = preferences.getState();
    document.documentElement.dataset.theme = theme === 'system' ? (system.matches ? 'light' : 'dark') : theme;
    document.documentElement.dataset.density = density;
  };
  mark();
  system.addEventListener('change', mark);
  preferences.subscribe((now) => {
    mark();
    try {
      localStorage.setItem(KEY, JSON.stringify(now));
    } catch {
      // A browser that keeps nothing still shows what was chosen.
    }
  });
}

function load(): Preferences {
  const known = stored();
  return {
    theme: known.theme === 'dark' || known.theme === 'light' ? known.theme : 'system',
    density: known.density === 'compact' ? 'compact' : 'comfortable',
    notify: known.notify === true,
  };
}

function stored(): { theme?: unknown; density?: unknown; notify?: unknown } {
  try {
    return (JSON.parse(localStorage.getItem(KEY) ?? '{}') ?? {}) as object;
  } catch {
    return {};
  }
}
