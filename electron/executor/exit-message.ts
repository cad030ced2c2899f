import { constants } from 'node:os';

/** A sentence for an exit code other than 0; shells and engines report a signal as 128 and its number. */
export function exitMessage(exitCode: number): string {
  if (exitCode === 127) return 'The command was not found (exit code 127).';
  if (exitCode === 126) return 'The command could not be executed (exit code 126).';
  const signal = Object.entries(constants.signals).find(([, number]) => number === exitCode - 128);
  if (exitCode > 128 && signal !== undefined) return `The command was ended by ${signal[0]} (exit code ${exitCode}).`;
  return `The command ended with exit code ${exitCode}.`;
}
