import { readdir, readFile, writeFile } from 'node:fs/promises';
import { cpus, freemem, release, totalmem, version } from 'node:os';
import { join } from 'node:path';
import { app, dialog, shell } from 'electron';
import { VERSION } from '../version.ts';
import { LOG_FILE } from './logs.ts';
import { settingsText } from './settings.ts';

/** Of each log file (bytes). */
const LOG_BYTES = 1024 * 1024;
const MIB = 1024 * 1024;

/**
 * Writes one readable text file, where the person says, for a report of a fault: what machine and program this is, its
 * settings, and the newest of its logs. No token and no key is in it.
 * @returns its path; null when the person chose none
 */
export async function collectDiagnostics(dataFolder: string, facts: Readonly<Record<string, unknown>>): Promise<string | null> {
  const name = `lanyard-diagnostics-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}.txt`;
  const { filePath, canceled } = await dialog.showSaveDialog({
    title: 'Collect Diagnostics',
    defaultPath: join(app.getPath('documents'), name),
  });
  if (canceled) return null;
  await writeFile(filePath, await report(dataFolder, facts));
  shell.showItemInFolder(filePath);
  return filePath;
}

async function report(dataFolder: string, facts: Readonly<Record<string, unknown>>): Promise<string> {
  const { electron, chrome, node } = process.versions;
  const machine = {
    lanyard: VERSION,
    electron,
    chrome,
    node,
    packaged: app.isPackaged,
    system: `${process.platform} ${process.arch} ${release()} (${version()})`,
    processors: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`,
    memoryMb: `${Math.round(freemem() / MIB)} free of ${Math.round(totalmem() / MIB)}`,
    locale: app.getLocale(),
    dataFolder,
    ...facts,
  };
  const crashes = await readdir(join(app.getPath('crashDumps'), 'completed')).catch(() => []);
  const parts: [string, string][] = [
    ['this machine', JSON.stringify(machine, null, 2)],
    ['settings.json', (await settingsText(dataFolder)) ?? '(none: all settings are the defaults)'],
    ['crash reports', crashes.length === 0 ? '(none)' : crashes.join('\n')],
    [`${LOG_FILE}, older`, await tailOf(join(app.getPath('logs'), `${LOG_FILE}.1`))],
    [LOG_FILE, await tailOf(join(app.getPath('logs'), LOG_FILE))],
  ];
  return parts.map(([title, text]) => `===== ${title}\n${text}\n`).join('\n');
}

async function tailOf(path: string): Promise<string> {
  const bytes = await readFile(path).catch(() => Buffer.from('(none)'));
  return bytes.subarray(Math.max(0, bytes.length - LOG_BYTES)).toString('utf8');
}
