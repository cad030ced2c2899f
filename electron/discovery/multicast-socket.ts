import { createSocket, type Socket } from 'node:dgram';
import { EventEmitter } from 'node:events';

/**
 * The UDP socket of multicast DNS on one interface, in the shape that multicast-dns takes as its `socket` option. Given
 * none, that library opens one itself, and then: an error of binding ends the process unless one listens on a private
 * member; on Linux it binds to the interface's own address, where no multicast arrives; and it passes on what arrived
 * on other interfaces. So the socket is made, bound and joined here, before the library hears of it.
 */

/** The group and port of multicast DNS (RFC 6762, section 3). */
const GROUP = '224.0.0.251';
export const MULTICAST_DNS_PORT = 5353;
/** Nobody may send longer ones (RFC 6762, section 17). */
const MAX_PACKET_BYTES = 9_000;
/** Packets a second, received and sent, on an interface; more are dropped. Busy office networks have some dozens. */
const MAX_PACKETS_PER_SECOND = 400;
/** Questions in one packet; the library answers each with a packet. */
const MAX_QUESTIONS = 64;
/** A DNS header's length, and where it counts the questions (RFC 1035, section 4.1.1). */
const HEADER_BYTES = 12;
const QUESTIONS_AT = 4;

export interface MulticastSocketOptions {
  /** The interface's IPv4 address. */
  readonly address: string;
  /** Whether a sender's address belongs to the interface's network; others are not on this link (RFC 6762, section 11). */
  readonly isLocal: (address: string) => boolean;
  readonly port: number;
  readonly elapsedMs: () => number;
  /** The socket broke after it was opened. */
  readonly broken: (error: Error) => void;
  /** A packet could not be handled. */
  readonly refused: (error: Error) => void;
  /** `heardItself` or `heardOthers` became true. */
  readonly heard: () => void;
}

/** What multicast-dns needs of a socket. Emits `message`; never `error` and never `listening`. */
export interface MulticastSocket extends EventEmitter {
  send(message: Uint8Array, offset: number, length: number, port: number, address: string, callback: (error: Error | null) => void): void;
  close(callback?: () => void): void;
  dropMembership(): void;
  /** The last packet sent from here came back. */
  heardItself(): boolean;
  /** A packet of another machine arrived. */
  heardOthers(): boolean;
}

/** @throws the system's error when the socket cannot be bound, or the interface has gone or knows no multicast */
export async function openMulticastSocket(options: MulticastSocketOptions): Promise<MulticastSocket> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  try {
    await bind(socket, options.port);
    socket.addMembership(GROUP, options.address);
    socket.setMulticastInterface(options.address);
    socket.setMulticastTTL(255);
    socket.setMulticastLoopback(true);
  } catch (error) {
    socket.close();
    throw error;
  }
  return facade(socket, options);
}

function bind(socket: Socket, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ port, address: '0.0.0.0' }, () => {
      socket.removeListener('error', reject);
      resolve();
    });
  });
}

function facade(socket: Socket, options: MulticastSocketOptions): MulticastSocket {
  const events = new EventEmitter();
  const mayRead = rateLimit(options.elapsedMs);
  const maySend = rateLimit(options.elapsedMs);
  const heard = { itself: false, others: false };
  let closed = false;
  let lastSent: Uint8Array | undefined;

  const note = (message: Buffer, address: string): void => {
    const who = address !== options.address ? 'others' : lastSent !== undefined && message.equals(lastSent) ? 'itself' : undefined;
    if (who === undefined || heard[who]) return;
    heard[who] = true;
    options.heard();
  };

  socket.on('error', options.broken);
  socket.on('message', (message, sender) => {
    // On Linux a socket receives what any socket of the machine joined, on every interface: hence the look at the sender.
    if (closed || !options.isLocal(sender.address)) return;
    note(message, sender.address);
    if (message.length < HEADER_BYTES || message.length > MAX_PACKET_BYTES) return;
    if (message.readUInt16BE(QUESTIONS_AT) > MAX_QUESTIONS || !mayRead()) return;
    try {
      events.emit('message', message, sender);
    } catch (error) {
      // Thrown by the library, which answers queries inside this call: a packet must not end the program.
      options.refused(error as Error);
    }
  });

  return Object.assign(events, {
    send(message: Uint8Array, offset: number, length: number, port: number, address: string, callback: (error: Error | null) => void) {
      if (closed || !maySend()) return callback(null);
      lastSent = Uint8Array.from(message.subarray(offset, offset + length));
      socket.send(message, offset, length, port, address, callback);
    },
    close(callback?: () => void) {
      if (closed) return callback?.();
      closed = true;
      // Leaving the group is left to the system: asking for it fails when the interface has gone.
      socket.close(callback);
    },
    dropMembership() {},
    heardItself: () => heard.itself,
    heardOthers: () => heard.others,
  });
}

function rateLimit(elapsedMs: () => number): () => boolean {
  let windowMs = elapsedMs();
  let count = 0;
  return () => {
    const nowMs = elapsedMs();
    if (nowMs - windowMs >= 1_000) {
      windowMs = nowMs;
      count = 0;
    }
    count += 1;
    return count <= MAX_PACKETS_PER_SECOND;
  };
}
