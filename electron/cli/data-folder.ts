import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Where this user's farm lives unless told otherwise: `LANYARD_DATA`, else the platform's own place for data that stays
 * on this machine (XDG Base Directory Specification; Apple's Library; Windows' local application data).
 */
export function defaultDataFolder(env: Environment, platform: NodeJS.Platform = process.platform, home: string = homedir()): string {
  if (env.LANYARD_DATA !== undefined && env.LANYARD_DATA !== '') return resolve(env.LANYARD_DATA);
  if (platform === 'darwin') return join(home, 'Library', 'Application Support', 'Lanyard');
  if (platform === 'win32') return join(env.LOCALAPPDATA ?? join(home, 'AppData', 'Local'), 'Lanyard');
  const data = env.XDG_DATA_HOME;
  // The specification has relative paths ignored.
  return join(data !== undefined && isAbsolute(data) ? data : join(home, '.local', 'share'), 'lanyard');
}
