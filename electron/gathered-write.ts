/** Writes that gather between two of them: each costs a sync or an open, and takes the disk from whoever else writes. */
export interface GatheredWrite {
  /** @returns when a write that began after this call has ended; rejects as that write does */
  soon(): Promise<void>;
  /** Ends the rest before what is planned, and waits until that is written, or has failed. No timer is left behind. */
  flush(): Promise<void>;
}

/** @param write takes all that has come until it is called; never called while it runs. @param restMs between two writes */
export function createGatheredWrite(write: () => Promise<void>, restMs: number): GatheredWrite {
  let planned: Promise<void> | undefined;
  let last: Promise<void> = Promise.resolve();
  let rested: Promise<void> = Promise.resolve();
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
    const written = rested.then(() => {
      planned = undefined;
      return write();
    });
    last = written.catch(() => undefined);
    rested = last.then(rest);
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
