import type { Announcement } from '../ports/discovery.ts';
import type { Clock, Logger } from '../ports/system.ts';
import { type InterfaceChoice, networkTest } from './interfaces.ts';
import { openResponder, type Responder } from './responder.ts';
import type { Heard } from './responses.ts';

/** One interface that is used: opened, and opened again when it failed; asked on, in good measure. */
export interface Link {
  readonly choice: InterfaceChoice;
  /** Opens it unless it stands. */
  open(): void;
  /** Closes it, to be opened again. */
  release(): void;
  /** Announces what `announcement` gives now. */
  announce(): void;
  /** Asks, if it is time. */
  turn(): void;
  /** When it is time to ask, of the steady clock; undefined while it is not open. */
  nextQueryMs(): number | undefined;
  state(): { readonly failure: string | null; readonly heardItself: boolean; readonly heardOthers: boolean };
  /** Says goodbye and closes for good. */
  close(): Promise<void>;
}

export interface LinkOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** 0 to 1. */
  readonly random: () => number;
  readonly port: number;
  /** How often everyone is asked who they are. */
  readonly queryMs: number;
  readonly announcement: () => Announcement | null;
  readonly hears: (heard: Heard, address: string, interfaceName: string) => void;
  /** `state` or `nextQueryMs` changed. */
  readonly changed: () => void;
}

/** After the first query of an interface the next ones follow soon: packets are lost, and switches learn slowly. */
const FIRST_QUERIES_MS = [1_000, 3_000];
/** So often in a row a query is left out because another machine has just asked the same. */
const MAX_LEFT_OUT = 2;

export function createLink(choice: InterfaceChoice, options: LinkOptions): Link {
  const { clock, logger } = options;
  let responder: Responder | undefined;
  let opening: Promise<void> | undefined;
  let closing: Promise<void> = Promise.resolve();
  let closed = false;
  let failure: string | null = null;
  let queries = 0;
  let leftOut = 0;
  let nextQueryMs = 0;

  const plan = (pauseMs: number): void => {
    // Jitter: machines that were switched on together must not ask together for ever.
    nextQueryMs = clock.elapsedMs() + Math.min(pauseMs, options.queryMs) * (0.75 + options.random() / 2);
  };
  const ask = (): void => {
    responder?.query();
    plan(FIRST_QUERIES_MS[queries] ?? options.queryMs);
    queries += 1;
    leftOut = 0;
  };
  const othersAsked = (): void => {
    if (queries <= FIRST_QUERIES_MS.length || leftOut >= MAX_LEFT_OUT) return;
    leftOut += 1;
    plan(options.queryMs);
  };
  const release = (): void => {
    const old = responder;
    responder = undefined;
    if (old !== undefined) closing = Promise.all([closing, old.close()]).then(() => {});
  };
  const fail = (error: Error): void => {
    if (closed) return;
    if (failure !== error.message) logger.warn('multicast cannot be used', { interface: choice.name, error: error.message });
    failure = error.message;
    release();
    options.changed();
  };
  const start = async (): Promise<void> => {
    try {
      const opened = await openResponder(responderOptions(choice, options, { fail, othersAsked }));
      if (closed) return await opened.close();
      responder = opened;
      failure = null;
      queries = 0;
      opened.announce(options.announcement());
      ask();
      options.changed();
    } catch (error) {
      fail(error as Error);
    }
  };

  return {
    choice,
    open() {
      if (closed || responder !== undefined || opening !== undefined) return;
      opening = start().finally(() => {
        opening = undefined;
      });
    },
    release,
    announce: () => responder?.announce(options.announcement()),
    turn() {
      if (responder !== undefined && clock.elapsedMs() >= nextQueryMs) ask();
    },
    nextQueryMs: () => (responder === undefined ? undefined : nextQueryMs),
    state: () => ({ failure, heardItself: responder?.heardItself() ?? false, heardOthers: responder?.heardOthers() ?? false }),
    async close() {
      closed = true;
      release();
      await opening;
      await closing;
    },
  };
}

function responderOptions(choice: InterfaceChoice, options: LinkOptions, calls: { fail: (error: Error) => void; othersAsked: () => void }) {
  const { name, address, cidr } = choice;
  if (address === null || cidr === null) throw new Error(`${name} is used without an address`);
  return {
    address,
    port: options.port,
    isLocal: networkTest(cidr) ?? (() => false),
    elapsedMs: () => options.clock.elapsedMs(),
    broken: calls.fail,
    refused: (error: Error) => options.logger.debug('a multicast packet could not be handled', { interface: name, error: error.message }),
    heard: options.changed,
    hears: (heard: Heard, from: string) => options.hears(heard, from, name),
    othersAsked: calls.othersAsked,
  };
}
