/**
 * Writes that gather for a while: each costs a sync or an open, and takes the disk from whoever else writes, such as the container engine
 * that starts what the first line is about.
 */
export interface GatheredWrite {
  /** @returns when a write that began after this call has ended; rejects as that write does */
  soon(): Promise<void>;
  /** Ends the rest before what is planned, and waits until that is written, or has failed. No timer is left behind. */
  flush(): Promise<void>;
}

/** @param write takes all that has come until it is called; never called while it runs. @param restMs before each write, in which more comes */
export function createGatheredWrite(write: () => Promise<void>, restMs: number): GatheredWrite {
  let planned: Promise<void> | undefined;
  let last: Promise<void> = Promise.resolve();
  let waiting = 0;
  let wake = () => {};

  const rest = () =>
    new Promise<void>((resolve) => {
      if (waiting > 0) {
        resolve();
        return;
      }
      const timer = setTimeout(resolve, restMs);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  const plan = () => {
    const written = last.then(rest).then(() => {
      planned = undefined;
      return write();
    });
    last = written.catch(() => undefined);
    return written;
  };

  return {
    soon() {
      planned ??= plan();
      return planned;
    },
    async flush() {
      waiting += 1;
      wake();
      await last;
      waiting -= 1;
    },
  };
}
