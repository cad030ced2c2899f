import { LIMITS } from '../../shared/limits.ts';
import { attemptCount, type Encoded, encodeMessage, type LinkMessage } from './codec.ts';

/**
 * Gathers the messages of one turn. Neighbours of one kind become one message (reports with reports, assignments with
 * assignments), so that a farm with thousands of short tasks pays for few frames and few system calls. Order is kept.
 */
export interface Outbox {
  push(message: LinkMessage): void;
  /** @returns the text frames of everything pushed since the last call */
  take(): Encoded;
  readonly empty: boolean;
}

export function createOutbox(): Outbox {
  let messages: LinkMessage[] = [];
  let last: LinkMessage | undefined;

  return {
    push(message) {
      if (last !== undefined && append(last, message)) return;
      last = ownCopy(message);
      messages.push(last);
    },
    take() {
      const all: Encoded = { frames: [], errors: [] };
      for (const message of messages) {
        const { frames, errors } = encodeMessage(message);
        all.frames.push(...frames);
        all.errors.push(...errors);
      }
      messages = [];
      last = undefined;
      return all;
    },
    get empty() {
      return messages.length === 0;
    },
  };
}

/** A copy whose lists may grow: the sender's own message stays as it is. */
function ownCopy(message: LinkMessage): LinkMessage {
  switch (message.type) {
    case 'reports':
      return { ...message, reports: [...message.reports] };
    case 'assign':
      return { ...message, groups: [...message.groups] };
    case 'stop':
      return { ...message, attempts: [...message.attempts] };
    case 'acknowledge':
      return { ...message, attempts: [...message.attempts] };
    default:
      return message;
  }
}

/** Adds `next` to the end of `target` where both are lists of one kind and the result is no longer than a message may be. */
function append(target: LinkMessage, next: LinkMessage): boolean {
  if (target.type !== next.type || attemptCount(target) + attemptCount(next) > LIMITS.attemptsPerMessage) return false;
  if (target.type === 'reports' && next.type === 'reports') {
    target.reports.push(...next.reports);
    return true;
  }
  if (target.type === 'acknowledge' && next.type === 'acknowledge') {
    target.attempts.push(...next.attempts);
    return true;
  }
  if (target.type === 'stop' && next.type === 'stop') {
    target.attempts.push(...next.attempts);
    return true;
  }
  if (target.type === 'assign' && next.type === 'assign') {
    target.groups.push(...next.groups);
    return true;
  }
  return false;
}
