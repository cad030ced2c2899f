import type { Client } from '../../electron/api/client.ts';
import type { JobView } from '../../shared/view.ts';

/** Hears of the ends of jobs from one event stream, as a screen does that stays open. */
export interface JobEnds {
  /** @throws when it did not complete, and when the stream breaks */
  completed(job: number): Promise<JobView>;
  close(): Promise<void>;
}

export function hearOfEnds(client: Client): JobEnds {
  const stop = new AbortController();
  const ended = new Map<number, JobView>();
  let told = Promise.withResolvers<void>();
  let isOpen = false;
  const note = (view: JobView) => {
    if (view.finishedAt !== null) ended.set(view.id, view);
  };
  const listen = async () => {
    for await (const { jobs } of client.watch(stop.signal)) {
      isOpen = true;
      for (const view of jobs) note(view);
      told.resolve();
      told = Promise.withResolvers();
    }
    throw new Error('the event stream ended');
  };
  const broken = listen();
  broken.catch(() => undefined);
  return {
    async completed(job) {
      const news = () => Promise.race([told.promise, broken]);
      if (!isOpen) {
        await news();
        // What ended before the stream was open is not told.
        note(await client.call('getJob', { params: { job } }));
      }
      while (!ended.has(job)) await news();
      const view = ended.get(job) as JobView;
      if (view.state !== 'COMPLETED') throw new Error(`job ${job}: ${view.state}, ${view.reason}`);
      return view;
    },
    async close() {
      stop.abort();
      await broken.catch(() => undefined);
    },
  };
}
