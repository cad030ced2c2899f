import type { Finding } from '../../shared/finding.ts';
import type { CoordinatorSettings } from '../../shared/settings.ts';
import type { Farm } from '../daemon/farm.ts';
import type { Blobs, LogStore, Templates, Thumbnails } from '../ports/files.ts';
import type { Logger } from '../ports/system.ts';
import type { Authenticator, Handover, Identity, Membership } from '../ports/trust.ts';
import type { Gate } from './gate.ts';
import type { HostGuard } from './guard.ts';
import type { SpecParser } from './parse-specs.ts';

export interface ApiOptions {
  readonly farm: Farm;
  readonly blobs: Blobs;
  readonly logs: LogStore;
  readonly templates: Templates;
  readonly thumbnails: Thumbnails;
  readonly authenticator: Authenticator;
  /** The device at the other end of a connection that TLS has checked; undefined for every other connection, which shows a token. */
  readonly deviceOf: (socket: object) => Identity | undefined;
  readonly membership: Membership;
  readonly handover: Handover;
  /** Closed while coordination is being handed over. */
  readonly gate: Gate;
  /** Looks what stands between this machine and the farm; takes some seconds. */
  readonly examine: () => Promise<readonly Finding[]>;
  readonly settings: CoordinatorSettings;
  readonly version: string;
  /** The built dashboard; served to everybody when it is there. */
  readonly dashboardFolder?: string;
  readonly logger: Logger;
}

/** What every group of handlers is made from. */
export interface ApiContext extends ApiOptions {
  readonly guard: HostGuard;
  /** One for all routes that take jobs. */
  readonly parseSpec: SpecParser;
  /** Aborted when the server closes. */
  readonly closing: AbortSignal;
}
