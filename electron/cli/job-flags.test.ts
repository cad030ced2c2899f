import { describe, expect, test } from 'vitest';
import { LanyardError } from '../../shared/errors.ts';
import { type JobFlags, jobFromFlags } from './job-flags.ts';

const from = (flags: JobFlags, trailing: readonly string[] = ['true'], description = {}) => jobFromFlags(description, flags, trailing);

describe('jobFromFlags', () => {
  test('a command after -- is a program and its arguments, and --command a shell line', () => {
    expect(from({}, ['echo', 'a b']).spec.command).toEqual(['echo', 'a b']);
    expect(from({ command: 'echo $HOME' }, []).spec.command).toBe('echo $HOME');
  });

  test('all flags find their place', () => {
    const { spec } = from({
      name: 'n',
      image: 'debian:12',
      workdir: 'scene',
      output: ['out/*.png'],
      env: ['A=1', 'B=x=y'],
      cpu: '0.5',
      ram: '2g',
      gpus: '1',
      gpuRam: '8g',
      disk: '100',
      label: ['gpu=rtx'],
      zone: 'cellar',
      limit: ['maya=2', 'nuke'],
      priority: '70',
      after: ['3,4', '5'],
      inputsFrom: ['3'],
      timeout: '30m',
      retries: '0',
      network: true,
      preemptible: true,
    });
    expect(spec).toMatchObject({
      name: 'n',
      image: 'debian:12',
      workdir: 'scene',
      outputs: ['out/*.png'],
      env: { A: '1', B: 'x=y' },
      requirements: {
        cpu: 0.5,
        ramMb: 2048,
        gpus: 1,
        gpuRamMb: 8192,
        diskMb: 100,
        labels: ['gpu=rtx'],
        zone: 'cellar',
        limits: { maya: 2, nuke: 1 },
      },
      priority: 70,
      after: [3, 4, 5],
      inputsFrom: [3],
      timeoutMs: 1_800_000,
      maxRetries: 0,
      network: true,
      preemptible: true,
    });
  });

  test('frames, counts and matrices say how many tasks there are', () => {
    expect(from({ frames: '1-240', chunk: '10' })).toMatchObject({ taskCount: 24, spec: { tasks: { kind: 'frames', chunk: 10 } } });
    expect(from({ count: '7' }).taskCount).toBe(7);
    const { spec, taskCount } = from({ matrix: ['size=1,2,08', 'fast=true,false'], exclude: ['size=1,fast=true'] });
    expect(spec.tasks).toEqual({
      kind: 'matrix',
      parameters: { size: [1, 2, '08'], fast: [true, false] },
      exclude: [{ size: 1, fast: true }],
    });
    expect(taskCount).toBe(5);
  });

  test('flags lie over lanyard.json field by field, and what neither names keeps its default', () => {
    const description = {
      name: 'old',
      command: 'make',
      image: 'gcc:14',
      env: { A: '1' },
      requirements: { cpu: 4, ramMb: 100 },
      priority: 10,
    };
    const { spec } = from({ name: 'new', env: ['B=2'], ram: '1g', host: true }, [], description);
    expect(spec).toMatchObject({
      name: 'new',
      command: 'make',
      image: null,
      env: { A: '1', B: '2' },
      requirements: { cpu: 4, ramMb: 1024 },
      priority: 10,
      maxRetries: 3,
    });
  });

  test("without --image and --host the image stays open, so that the farm's own is used", () => {
    expect('image' in from({}).spec).toBe(false);
  });

  test.each<[JobFlags, readonly string[], RegExp]>([
    [{}, [], /no command/],
    [{ command: 'a' }, ['b'], /given twice/],
    [{ frames: '1-2', count: '3' }, ['x'], /--frames and --count/],
    [{ chunk: '3' }, ['x'], /--chunk needs --frames/],
    [{ exclude: ['a=1'] }, ['x'], /--exclude needs --matrix/],
    [{ frames: '9-1' }, ['x'], /backwards/],
    [{ frames: 'all' }, ['x'], /"all" is not a frame range/],
    [{ matrix: ['size'] }, ['x'], /--matrix is "size"; expected NAME=VALUE/],
    [{ ram: 'much' }, ['x'], /--ram is "much"; expected a size/],
    [{ timeout: 'soon' }, ['x'], /--timeout is "soon"; expected a duration/],
    [{ cpu: '' }, ['x'], /--cpu is ""; expected a number/],
    [{ after: ['x'] }, ['x'], /--after is "x"; expected the number of a job/],
    [{ priority: '101' }, ['x'], /priority: .*100/],
    [{ env: ['1A=2'] }, ['x'], /env\.1A/],
  ])('%j with %j is refused', (flags, trailing, message) => {
    expect(() => from(flags, trailing)).toThrow(LanyardError);
    expect(() => from(flags, trailing)).toThrow(message);
  });

  test('an unknown field of lanyard.json is refused by name', () => {
    expect(() => from({}, ['x'], { comand: 'make' })).toThrow(/comand/);
  });
});
