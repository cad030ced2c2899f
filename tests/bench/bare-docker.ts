import { createWriteStream } from 'node:fs';
import { PassThrough } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import Docker from 'dockerode';
import { containerUser, taskContainer } from '../../electron/executor/container-config.ts';
import type { EngineFacts } from '../../electron/executor/engine.ts';
import type { AttemptId } from '../../shared/ids.ts';
import { ENGINE_SOCKET } from '../integration/support/engine.ts';

/** What Lanyard's containers are compared with: the same containers, run by the client library alone. */
export interface BareDocker {
  /** Creates, starts and waits. @returns ms until its exit is known; what is left of it is removed before this resolves. */
  run(command: readonly string[]): Promise<number>;
  /** As `run`, with its output written to a file. */
  runLogged(command: readonly string[], file: string): Promise<number>;
  /** Resolves when no container of Lanyard is left but warm holders, and what was there before. */
  untilIdle(): Promise<void>;
}

/** Often enough to see, and seldom enough not to take the CPU from the removal that is waited for. */
const IDLE_POLL_MS = 10;

export const CPU = 0.25;
export const RAM_MB = 64;

/** @param folder is mounted into every container */
export function createBareDocker(image: string, folder: string): BareDocker {
  const docker = new Docker({ socketPath: ENGINE_SOCKET });
  const facts: EngineFacts = { title: '', apiVersion: '', cpus: 64, rootless: false, isPodman: false };
  const create = (command: readonly string[]) =>
    docker.createContainer(
      taskContainer({
        run: {
          attempt: 'bare' as AttemptId,
          folder,
          workdir: '.',
          command,
          image,
          env: {},
          cpu: CPU,
          ramMb: RAM_MB,
          gpus: [],
          network: false,
        },
        image,
        limits: { allowNetwork: false },
        facts,
        user: containerUser(facts, process.getuid?.(), process.getgid?.()),
        network: 'none',
        owner: { farm: 'bare', node: 'bare' },
      }),
    );
  const attempts = () => docker.listContainers({ all: true, filters: { label: ['lanyard.attempt'] } });
  // What a run left behind that was killed, nobody removes.
  const earlier = attempts().then((left) => new Set(left.map(({ Id }) => Id)));
  return {
    async run(command) {
      const begin = performance.now();
      const container = await create(command);
      await container.start();
      await container.wait();
      const tookMs = performance.now() - begin;
      await container.remove();
      return tookMs;
    },
    async runLogged(command, file) {
      const begin = performance.now();
      const container = await create(command);
      const stream = await container.attach({ stream: true, stdout: true, stderr: true });
      const output = new PassThrough();
      const written = pipeline(output, createWriteStream(file));
      docker.modem.demuxStream(stream, output, output);
      await container.start();
      await container.wait();
      await finished(stream, { writable: false });
      output.end();
      await written;
      const tookMs = performance.now() - begin;
      await container.remove();
      return tookMs;
    },
    async untilIdle() {
      const ignored = await earlier;
      for (;;) {
        const left = await attempts();
        if (left.every(({ Id }) => ignored.has(Id))) return;
        await pause(IDLE_POLL_MS);
      }
    },
  };
}
