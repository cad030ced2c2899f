import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Executor, LogSink, Run, RunRefused, RunSpec } from '../../electron/ports/executor.ts';
import type { AttemptId } from '../../shared/ids.ts';
import type { LogStream } from '../../shared/protocol.ts';

/** What every executor that really runs commands promises, whatever runs them. Commands are of the POSIX shell. */

export interface ExecutorUnderTest {
  readonly executor: Executor;
  readonly image: string | null;
}

/** Output gathered by stream, and a way to wait for a part of it. */
export class Output {
  readonly text: Record<LogStream, string> = { stdout: '', stderr: '', system: '' };
  private waiters: { part: string; resolve: () => void }[] = [];

  readonly sink: LogSink = (stream, bytes) => {
    this.text[stream] += Buffer.from(bytes).toString('latin1');
    this.waiters = this.waiters.filter(({ part, resolve }) => {
      if (!this.text.stdout.includes(part)) return true;
      resolve();
      return false;
    });
    return undefined;
  };

  seen(part: string): Promise<void> {
    if (this.text.stdout.includes(part)) return Promise.resolve();
    return new Promise((resolve) => this.waiters.push({ part, resolve }));
  }
}

let attempts = 0;
const folders: string[] = [];

/** A run of `command` in a fresh folder, with small requirements. */
export async function runSpec(command: RunSpec['command'], image: string | null, changes: Partial<RunSpec> = {}): Promise<RunSpec> {
  attempts += 1;
  const folder = await mkdtemp(join(tmpdir(), 'lanyard-attempt-'));
  folders.push(folder);
  const standard = { workdir: '.', env: {}, cpu: 1, ramMb: 64, gpus: [], network: false };
  return { attempt: `${attempts}.0.1` as AttemptId, folder, command, image, ...standard, ...changes };
}

/** Removes the folders of all runs so far. */
export async function removeFolders(): Promise<void> {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
}

export function started(run: Run | RunRefused): Run {
  if (!('ended' in run)) throw new Error(`refused: ${run.reason}: ${run.message}`);
  return run;
}

function isBlankOrSome(figure: unknown): boolean {
  return figure === null || (Number.isInteger(figure) && (figure as number) >= 0);
}

export function describeExecutor(name: string, create: () => Promise<ExecutorUnderTest>, { isSkipped = false } = {}): void {
  describe.skipIf(isSkipped)(`${name}: the executor contract`, () => {
    let executor: Executor;
    let image: string | null;

    beforeAll(async () => {
      ({ executor, image } = await create());
      await executor.removeStrays();
    });
    afterAll(async () => {
      await executor.close();
      await removeFolders();
    });

    async function begin(command: RunSpec['command'], sink: LogSink, changes: Partial<RunSpec> = {}): Promise<Run> {
      const spec = await runSpec(command, image, changes);
      return started(await executor.start(spec, sink));
    }

    it('is available and prepared at once', async () => {
      expect(await executor.status()).toMatchObject({ available: true, message: expect.stringMatching(/./) });
      expect(await executor.prepare(image, () => {}, new AbortController().signal)).toBeUndefined();
    });

    it('completes a command that ends with 0', async () => {
      const run = await begin('exit 0', () => undefined);
      expect(await run.ended).toEqual({
        reason: 'completed',
        exitCode: 0,
        message: null,
        ranForMs: expect.any(Number),
        // Of a command that is over at once nobody can always tell.
        cpuMs: expect.toSatisfy(isBlankOrSome),
        peakRamMb: expect.toSatisfy(isBlankOrSome),
      });
    });

    it('reports another exit code in a sentence', async () => {
      const run = await begin('exit 7', () => undefined);
      expect(await run.ended).toMatchObject({ reason: 'exit', exitCode: 7, message: 'The command ended with exit code 7.' });
    });

    it('reports a signal as the shell does', async () => {
      const run = await begin('kill -SEGV $$', () => undefined);
      expect(await run.ended).toMatchObject({ reason: 'exit', exitCode: 139, message: expect.stringContaining('SIGSEGV') });
    });

    it("calls a program that is not there the job's fault", async () => {
      const spec = await runSpec(['no-such-program', '--help'], image);
      const run = await executor.start(spec, () => undefined);
      expect('ended' in run ? (await run.ended).reason : run.reason).toBe('exit');
    });

    it('passes an array on untouched by any shell', async () => {
      const output = new Output();
      const run = await begin(['printf', '%s|', 'a b', '$HOME', "it's"], output.sink);
      await run.ended;
      expect(output.text.stdout).toBe("a b|$HOME|it's|");
    });

    it('keeps the order of each stream, whole', async () => {
      const output = new Output();
      const run = await begin('i=0; while [ $i -lt 500 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done', output.sink);
      await run.ended;
      const lines = (word: string) => Array.from({ length: 500 }, (_, index) => `${word} ${index}\n`).join('');
      expect(output.text.stdout).toBe(lines('out'));
      expect(output.text.stderr).toBe(lines('err'));
    });

    it("gives the environment that was asked for, and nothing of this process' own", async () => {
      process.env.LANYARD_TEST_SECRET = 'do not tell';
      const output = new Output();
      const run = await begin('env', output.sink, { env: { LANYARD_FRAME: '7', GREETING: 'two words' } });
      await run.ended;
      delete process.env.LANYARD_TEST_SECRET;
      expect(output.text.stdout).toContain('LANYARD_FRAME=7\n');
      expect(output.text.stdout).toContain('GREETING=two words\n');
      expect(output.text.stdout).not.toContain('do not tell');
    });

    it('starts in the working folder, sees its files and leaves its own there', async () => {
      const spec = await runSpec('cat scene.txt && echo done > out.txt', image, { workdir: 'shots/one' });
      await mkdir(join(spec.folder, 'shots/one'), { recursive: true });
      await writeFile(join(spec.folder, 'shots/one/scene.txt'), 'a scene');
      const output = new Output();
      const run = started(await executor.start(spec, output.sink));
      expect(await run.ended).toMatchObject({ reason: 'completed' });
      expect(output.text.stdout).toBe('a scene');
      expect(await readFile(join(spec.folder, 'shots/one/out.txt'), 'utf8')).toBe('done\n');
    });

    it('lets a command that is asked to stop put things in order', async () => {
      const output = new Output();
      const run = await begin("trap 'echo sorted; exit 5' TERM; echo ready; while :; do sleep 0.05; done", output.sink);
      await output.seen('ready');
      await run.stop(20_000);
      expect(await run.ended).toMatchObject({ reason: 'exit', exitCode: 5 });
      expect(output.text.stdout).toBe('ready\nsorted\n');
    });

    it('kills a whole tree that does not listen', async () => {
      const output = new Output();
      const spec = await runSpec(
        "trap '' TERM; (trap '' TERM; while :; do date > alive; sleep 0.05; done) & echo ready; wait; while :; do sleep 1; done",
        image,
      );
      const run = started(await executor.start(spec, output.sink));
      await output.seen('ready');
      await run.stop(100);
      expect(await run.ended).toMatchObject({ reason: 'exit', exitCode: 137 });
      await rm(join(spec.folder, 'alive'), { force: true });
      const next = await begin('sleep 0.3', () => undefined);
      await next.ended;
      await expect(readFile(join(spec.folder, 'alive'))).rejects.toThrow('ENOENT');
    });

    it('ends what a command leaves behind when it ends by itself', async () => {
      const spec = await runSpec('(while :; do date > alive; sleep 0.05; done) & sleep 0.2', image);
      const run = started(await executor.start(spec, () => undefined));
      expect(await run.ended).toMatchObject({ reason: 'completed' });
      await rm(join(spec.folder, 'alive'), { force: true });
      const next = await begin('sleep 0.3', () => undefined);
      await next.ended;
      await expect(readFile(join(spec.folder, 'alive'))).rejects.toThrow('ENOENT');
    });

    it('stops again and again, and after the end, without harm', async () => {
      const run = await begin('sleep 60', () => undefined);
      await Promise.all([run.stop(0), run.stop(0)]);
      await run.stop(1_000);
      await run.pause();
      await run.resume();
      expect(await run.ended).toMatchObject({ reason: 'exit' });
    });

    it('holds the command back while the sink is slow, and loses nothing', async () => {
      const bytes = 8 * 1024 * 1024;
      let taken = 0;
      let waiting = 0;
      let most = 0;
      const gate = Promise.withResolvers<void>();
      const first = Promise.withResolvers<void>();
      const spec = await runSpec(`head -c ${bytes} /dev/zero && touch written`, image);
      const run = started(
        await executor.start(spec, async (_stream, piece) => {
          waiting += piece.length;
          most = Math.max(most, waiting);
          taken += piece.length;
          first.resolve();
          await gate.promise;
          waiting -= piece.length;
        }),
      );
      await first.promise;
      const next = await begin('sleep 0.3', () => undefined);
      await next.ended;
      expect(taken).toBeLessThan(1024 * 1024);
      await expect(readFile(join(spec.folder, 'written'))).rejects.toThrow('ENOENT');
      gate.resolve();
      expect(await run.ended).toMatchObject({ reason: 'completed' });
      expect(taken).toBe(bytes);
      expect(most).toBeLessThan(1024 * 1024);
    });

    it('ends a command whose output cannot be kept', async () => {
      const run = await begin('while :; do echo more; done', () => Promise.reject(new Error('disk full')));
      expect(await run.ended).toMatchObject({ reason: 'infrastructure', message: expect.stringContaining('disk full') });
    });

    it('runs two commands at once', async () => {
      const [left, right] = [new Output(), new Output()];
      const runs = await Promise.all([begin('echo left; sleep 60', left.sink), begin('echo right; sleep 60', right.sink)]);
      await Promise.all([left.seen('left'), right.seen('right')]);
      expect([left.text.stdout, right.text.stdout]).toEqual(['left\n', 'right\n']);
      await Promise.all(runs.map((run) => run.stop(0)));
    });

    it('freezes a command and lets it go on', async () => {
      const output = new Output();
      const run = await begin('i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.05; done', output.sink);
      await output.seen('tick 2\n');
      await run.pause();
      const other = await begin('sleep 0.2', () => undefined);
      await other.ended;
      const before = output.text.stdout;
      const another = await begin('sleep 0.3', () => undefined);
      await another.ended;
      expect(output.text.stdout).toBe(before);
      const ticks = before.trim().split('\n').length;
      await run.resume();
      await output.seen(`tick ${ticks + 2}\n`);
      await run.stop(0);
    });

    it('gives a command less CPU and all of it again, and tells how much it has used', async () => {
      const output = new Output();
      const run = await begin('echo ready; while [ ! -e go ]; do :; done', output.sink);
      await output.seen('ready');
      await run.limitCpu(0.25);
      await expect.poll(() => run.cpuMs(), { timeout: 10_000 }).toBeGreaterThan(20);
      await run.pause();
      await run.resume();
      await run.limitCpu(1);
      const before = (await run.cpuMs()) ?? 0;
      await expect.poll(() => run.cpuMs(), { timeout: 10_000 }).toBeGreaterThan(before + 20);
      await run.stop(0);
      await run.limitCpu(0.5);
      expect(await run.cpuMs()).toBeUndefined();
    });

    it('tells the CPU time that a command has used, and the most memory that it held', async () => {
      const output = new Output();
      // `dd` holds a block of that size while it writes it; the loop is what takes time.
      const script =
        'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; dd if=/dev/zero bs=24M count=1 2>/dev/null | { head -c 1 >/dev/null; echo holding; while [ ! -e go ]; do sleep 0.05; done; }';
      const spec = await runSpec(script, image);
      const run = started(await executor.start(spec, output.sink));
      await output.seen('holding');
      expect(await run.cpuMs()).toBeGreaterThan(20);
      await writeFile(join(spec.folder, 'go'), '');
      const end = await run.ended;
      expect(end.reason).toBe('completed');
      expect(end.cpuMs).toBeGreaterThan(20);
      expect(end.cpuMs).toBeLessThan(end.ranForMs * 4);
      expect(end.peakRamMb).toBeGreaterThanOrEqual(24);
      expect(end.peakRamMb).toBeLessThanOrEqual(64);
    });

    it('stops a slowed command in order', async () => {
      const output = new Output();
      const run = await begin('trap "echo asked; exit 3" TERM; echo ready; while :; do sleep 0.05; done', output.sink);
      await output.seen('ready');
      await run.limitCpu(0.1);
      await run.stop(10_000);
      expect(await run.ended).toMatchObject({ exitCode: 3 });
      expect(output.text.stdout).toContain('asked');
    });

    it('stops a frozen command', async () => {
      const output = new Output();
      const run = await begin('echo ready; sleep 60', output.sink);
      await output.seen('ready');
      await run.pause();
      await run.stop(100);
      expect(await run.ended).toMatchObject({ reason: 'exit' });
    });
  });
}
