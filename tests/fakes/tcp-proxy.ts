import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as timeout } from 'node:timers/promises';

/** A bad network between two programs on this machine: it forwards TCP connections, and fails as it is told. */
export interface TcpProxy {
  readonly port: number;
  /** Forwards nothing in either direction until `resume`; connections stay open and new ones are taken. */
  pause(): void;
  resume(): void;
  /** Resets every connection; new ones are taken. */
  cut(): void;
  /** Resets every connection once so many more bytes, of both directions, were forwarded. Counts once. */
  cutAfter(bytes: number): void;
  /** New connections are reset at once while true. */
  refuse(on: boolean): void;
  /** Every byte arrives so much later, in ms. */
  delay(ms: number): void;
  /** Where new connections go from now on. */
  retarget(port: number): void;
  /** Connections taken so far. */
  readonly taken: number;
  close(): Promise<void>;
}

/** Bytes under way in one direction beyond which the proxy reads no more from the sender. */
const HELD_BYTES = 1024 * 1024;

/** Forwards a free port of 127.0.0.1, or what `listen` says, to `targetPort` on 127.0.0.1 or `target`. */
export async function startTcpProxy(
  targetPort: number,
  {
    listen = { host: '127.0.0.1', port: 0 },
    target: targetHost = '127.0.0.1',
  }: { readonly listen?: { readonly host: string; readonly port: number }; readonly target?: string } = {},
): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let target = targetPort;
  let running = Promise.withResolvers<void>();
  running.resolve();
  let refusing = false;
  let delayMs = 0;
  let cutIn = Number.POSITIVE_INFINITY;
  let taken = 0;

  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };

  const deliver = (chunk: Buffer, to: Socket): boolean => {
    if (to.destroyed || cutIn === 0) return true;
    const room = to.write(chunk.subarray(0, cutIn));
    cutIn -= chunk.length;
    if (cutIn > 0) return room;
    // Nothing more passes, for a line that breaks has no holes; what was let through must still reach the other side.
    cutIn = 0;
    setImmediate(() => {
      cutIn = Number.POSITIVE_INFINITY;
      cut();
    });
    return true;
  };

  const forward = (from: Socket, to: Socket) => {
    let heldBytes = 0;
    let tail = Promise.resolve();
    const inTurn = (bytes: number, act: () => Promise<void> | undefined) => {
      const due = delayMs === 0 ? undefined : timeout(delayMs);
      heldBytes += bytes;
      if (heldBytes > HELD_BYTES) from.pause();
      tail = tail.then(async () => {
        await due;
        await running.promise;
        await act();
        heldBytes -= bytes;
        if (heldBytes <= HELD_BYTES) from.resume();
      });
    };
    from.on('data', (chunk: Buffer) => inTurn(chunk.length, () => (deliver(chunk, to) ? undefined : roomIn(to))));
    from.on('end', () => inTurn(0, () => void to.end()));
    from.on('error', () => to.resetAndDestroy());
    from.on('close', () => sockets.delete(from));
    sockets.add(from);
  };

  const server = createServer({ allowHalfOpen: true }, (near) => {
    taken += 1;
    if (refusing) {
      near.resetAndDestroy();
      return;
    }
    const far = connect({ port: target, host: targetHost, allowHalfOpen: true });
    forward(near, far);
    forward(far, near);
  });
  server.listen(listen);
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    pause() {
      running = Promise.withResolvers<void>();
    },
    resume() {
      running.resolve();
    },
    cut,
    cutAfter(bytes) {
      cutIn = bytes;
    },
    refuse(on) {
      refusing = on;
    },
    delay(ms) {
      delayMs = ms;
    },
    retarget(port) {
      target = port;
    },
    get taken() {
      return taken;
    },
    async close() {
      server.close();
      running.resolve();
      cut();
      await once(server, 'close');
    },
  };
}

/** Resolves when more can be written, or nothing any more. */
function roomIn(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('drain', done);
      socket.off('close', done);
      resolve();
    };
    socket.on('drain', done);
    socket.on('close', done);
  });
}
