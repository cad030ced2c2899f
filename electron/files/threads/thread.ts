import { Readable } from 'node:stream';
import { parentPort } from 'node:worker_threads';
import { toWebStream } from '../../web-stream.ts';
import { type Answer, failureOf, type Order } from './messages.ts';
import { WORK } from './work.ts';

/** The entrance of a thread that works on files. It takes what it is given at once: pieces of work share it, as they share its disk. */

const PROGRESS_MS = 100;

const port = parentPort;
if (port === null) throw new Error('this is a worker thread');
const stops = new Map<number, AbortController>();

port.on('message', (order: Order) => {
  if ('stop' in order) stops.get(order.id)?.abort();
  else void obey(order);
});

async function obey({ id, name, question }: Extract<Order, { readonly name: string }>): Promise<void> {
  const stop = new AbortController();
  stops.set(id, stop);
  let toldAt = Number.NEGATIVE_INFINITY;
  const progress = (done: number, total: number): void => {
    const now = performance.now();
    if (now - toldAt < PROGRESS_MS && done < total) return;
    toldAt = now;
    say({ id, done, total });
  };
  try {
    const result = await WORK[name](question as never, { signal: stop.signal, progress });
    if (result instanceof Readable) {
      const stream = toWebStream(result);
      port?.postMessage({ id, stream } satisfies Answer, [stream as never]);
    } else say({ id, result });
  } catch (error) {
    say({ id, failure: failureOf(error) });
  } finally {
    stops.delete(id);
  }
}

function say(answer: Answer): void {
  port?.postMessage(answer);
}
