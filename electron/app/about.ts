import { join } from 'node:path';
import { app, shell } from 'electron';
import { LanyardError } from '../../shared/errors.ts';
import { VERSION } from '../version.ts';

/** What ships inside of the app is listed in this file, made by the build. */
const NOTICE = 'THIRD-PARTY-NOTICES.txt';

/** What "About Lanyard" says. */
export function describeApp(): void {
  const { electron, chrome, node } = process.versions;
  const engines = `Electron ${electron}, Chromium ${chrome}, Node ${node}`;
  app.setAboutPanelOptions({
    applicationName: 'Lanyard',
    applicationVersion: VERSION,
    copyright: `The Lanyard authors, MIT License. ${engines}.`,
    credits: 'The work of others in it: Help, Third-Party Licences.',
  });
}

/** Opens the notice in the program that shows texts. @throws LanyardError NOT_FOUND where it cannot be opened */
export async function showLicences(): Promise<void> {
  const path = join(app.isPackaged ? process.resourcesPath : join(import.meta.dirname, '..'), NOTICE);
  const problem = await shell.openPath(path);
  if (problem !== '') throw new LanyardError({ code: 'NOT_FOUND', message: `${path} cannot be shown: ${problem}` });
}
