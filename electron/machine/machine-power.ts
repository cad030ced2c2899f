import { spawn } from 'node:child_process';
import type { CoordinatorSettings } from '../../shared/settings.ts';
import type { MachinePower } from '../ports/machine.ts';
import { wakeOnLan } from './wake-on-lan.ts';

/** A cloud may take minutes to answer. */
const COMMAND_MS = 600_000;

/** Wakes machines by magic packets, and makes and removes others by the command of the settings: `COMMAND start MACHINE`, `COMMAND stop MACHINE`. */
export function createMachinePower(settings: Pick<CoordinatorSettings, 'wakeAddresses' | 'provisionCommand'>): MachinePower {
  const run = (verb: 'start' | 'stop', machine: string): Promise<void> =>
    runLine(`${settings.provisionCommand} ${verb} ${machine}`, { LANYARD_MACHINE: machine });
  return {
    wake: (macs) => wakeOnLan(macs, settings.wakeAddresses),
    make: (machine) => run('start', machine),
    remove: (machine) => run('stop', machine),
  };
}

/** @param by `suspend`, `shutdown`, or a line for the shell */
export function sleepNow(by: string): Promise<void> {
  return runLine(SLEEP_LINES[by]?.[process.platform] ?? by, {});
}

/** How each system suspends and shuts down. */
const SLEEP_LINES: Readonly<Record<string, Partial<Record<NodeJS.Platform, string>>>> = {
  suspend: { linux: 'systemctl suspend', darwin: 'pmset sleepnow', win32: 'rundll32.exe powrprof.dll,SetSuspendState 0,1,0' },
  shutdown: { linux: 'systemctl poweroff', darwin: 'osascript -e \'tell app "System Events" to shut down\'', win32: 'shutdown /s /t 0' },
};

/** Resolves at the end of the shell, whatever it leaves running. Its error holds the last of what it printed. */
function runLine(line: string, env: Readonly<Record<string, string>>): Promise<void> {
  const [shell, ...rest] =
    process.platform === 'win32' ? [process.env.ComSpec ?? 'cmd.exe', '/d', '/s', '/c', line] : ['/bin/sh', '-c', line];
  const child = spawn(shell as string, rest, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: COMMAND_MS,
    windowsHide: true,
  });
  let printed = '';
  child.stderr.on('data', (part: Buffer) => {
    printed = (printed + part.toString()).slice(-500);
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      child.stderr.destroy();
      if (code === 0) resolve();
      else reject(new Error(`\`${line}\` ended with ${code ?? signal}: ${printed.trim()}`));
    });
  });
}
