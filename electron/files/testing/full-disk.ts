import { execFileSync } from 'node:child_process';
import { onTestFinished } from 'vitest';
import { temporaryFolder } from './temporary-folder.ts';

/** A file system that can be filled takes the right to mount one. */
export const canMakeSmallDisk = process.platform === 'linux' && process.getuid?.() === 0;

/** @returns a folder on a disk of its own of `bytes` bytes, unmounted when the test is over */
export async function smallDisk(bytes: number): Promise<string> {
  const folder = await temporaryFolder();
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder]);
  onTestFinished(() => {
    execFileSync('umount', ['--lazy', folder]);
  });
  return folder;
}
