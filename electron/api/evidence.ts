import type { AttemptId } from '../../shared/ids.ts';
import type { Explanation } from '../../shared/view.ts';
import type { LogStore } from '../ports/files.ts';
import { asText, logRecords } from './log-text.ts';

/** What is shown of a log that says why something failed: its last lines, as far as they fit. */
const LINES = 12;
const BYTES = 4_096;

/** Adds the end of the failed attempt's log. A log that is gone or damaged says nothing. */
export async function withLog(logs: LogStore, explanation: Explanation, signal: AbortSignal): Promise<Explanation> {
  const { evidence } = explanation;
  if (evidence === null) return explanation;
  const log = await lastLines(logs, evidence.attempt as AttemptId, signal).catch(() => '');
  return { ...explanation, evidence: { ...evidence, log } };
}

async function lastLines(logs: LogStore, attempt: AttemptId, signal: AbortSignal): Promise<string> {
  let tail = Buffer.alloc(0);
  for await (const bytes of asText(logRecords(logs.read(attempt, 0, false, signal), { offset: 0 })))
    tail = Buffer.concat([tail, bytes]).subarray(-BYTES);
  const lines = tail.toString().trimEnd().split('\n');
  return lines.slice(-LINES).join('\n');
}
