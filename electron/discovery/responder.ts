import type { RemoteInfo } from 'node:dgram';
import type { EventEmitter } from 'node:events';
import Bonjour from 'bonjour-service';
import type { Announcement } from '../ports/discovery.ts';
import { hostLabel, instanceLabel, toTxt } from './announcement.ts';
import { type MulticastSocketOptions, openMulticastSocket } from './multicast-socket.ts';
import { asksForUs, type Heard, readResponse, SERVICE_NAME, SERVICE_TYPE } from './responses.ts';

/** Multicast DNS on one interface: answers for this node, asks for others, hears. */
export interface Responder {
  /** null takes the announcement back. */
  announce(announcement: Announcement | null): void;
  /** Asks everyone who they are. */
  query(): void;
  heardItself(): boolean;
  heardOthers(): boolean;
  /** Resolves when the goodbye has left, and the socket is closed. */
  close(): Promise<void>;
}

export interface ResponderOptions extends MulticastSocketOptions {
  readonly hears: (heard: Heard, address: string) => void;
  /** Another machine asked the question that we ask; everybody answers to everybody, so we need not. */
  readonly othersAsked: () => void;
}

/** The part of multicast-dns that is used beside bonjour-service, which keeps it as a private member. */
interface MulticastDns extends EventEmitter {
  query(name: string, type: 'PTR'): void;
}

/** DNS service discovery wants a port; a node that listens nowhere gives that of discard. Readers take the ports from TXT. */
const NO_PORT = 9;

/**
 * Opens multicast DNS on an interface. bonjour-service publishes, answers and says goodbye. Its browser is not used: it does
 * not tell when a service was heard again, keeps everything that anybody sends for ever, and believes the addresses that
 * packets name. Its probing is not used: told that a name is taken, it prints to stdout and says goodbye in the other's name
 * (`instanceLabel` is unique instead).
 *
 * @throws the system's error when the socket cannot be opened
 */
export async function openResponder(options: ResponderOptions): Promise<Responder> {
  const socket = await openMulticastSocket(options);
  const settings = { socket, bind: false, port: options.port, interface: options.address };
  const bonjour = new Bonjour(settings as ConstructorParameters<typeof Bonjour>[0], options.refused);
  // biome-ignore lint/complexity/useLiteralKeys: only this form reaches a private member
  const dns = bonjour['server'].mdns as MulticastDns;
  dns.on('response', (packet: unknown, sender: RemoteInfo) => {
    const heard = readResponse(packet);
    if (heard.announced.length > 0 || heard.goodbyes.length > 0) options.hears(heard, sender.address);
  });
  dns.on('query', (packet: unknown, sender: RemoteInfo) => {
    if (sender.address !== options.address && asksForUs(packet)) options.othersAsked();
  });

  let turn: Promise<void> = Promise.resolve();
  let withdraw: (() => Promise<void>) | undefined;
  /** One after the other: what is announced next must leave after the goodbye of what was before. */
  const replace = (announcement: Announcement | null): Promise<void> => {
    turn = turn
      .then(async () => {
        await withdraw?.();
        withdraw = announcement === null ? undefined : publish(bonjour, announcement);
      })
      .catch(options.refused);
    return turn;
  };

  return {
    announce: (announcement) => void replace(announcement),
    query: () => dns.query(SERVICE_NAME, 'PTR'),
    heardItself: socket.heardItself,
    heardOthers: socket.heardOthers,
    async close() {
      // Closed before the goodbye was handed to the system, the library would drop it.
      await replace(null);
      await new Promise<void>((resolve) => bonjour.destroy(resolve));
    },
  };
}

/** @returns what takes it back, resolving when the goodbye has left */
function publish(bonjour: Bonjour, announcement: Announcement): () => Promise<void> {
  const service = bonjour.publish({
    name: instanceLabel(announcement),
    type: SERVICE_TYPE,
    host: hostLabel(announcement.nodeId),
    port: announcement.ports.api ?? announcement.ports.peer ?? NO_PORT,
    txt: toTxt(announcement),
    probe: false,
    disableIPv6: true,
  });
  return () => new Promise((resolve) => service.stop(() => resolve()));
}
