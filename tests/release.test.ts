import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

/** What makes the packages of a version and runs on the machines of a release alone: as much of it as can be known before. */

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly shell?: string;
}
interface Job {
  readonly needs?: string;
  readonly 'runs-on': string;
  readonly strategy?: { readonly matrix: { readonly os: readonly string[] } };
  readonly steps: readonly Step[];
}
interface Target {
  readonly target: string;
  readonly arch: string | readonly string[];
}
interface Packages {
  readonly mac: { readonly target: readonly Target[] };
  readonly win: { readonly target: readonly Target[] };
  readonly linux: { readonly target: readonly Target[] };
  readonly nsis: Readonly<Record<string, unknown>>;
}
/** Of electron-builder itself: what it does with its configuration before anything else. */
interface Validator {
  getConfig(folder: string, path: string, overrides: object): Promise<object>;
  validateConfiguration(config: object, log: { readonly isEnabled: boolean }): Promise<void>;
}

const REPOSITORY = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(REPOSITORY, path), 'utf8');
const { scripts } = JSON.parse(read('package.json')) as { scripts: Readonly<Record<string, string>> };
const { jobs } = parse(read('.github/workflows/release.yml')) as { jobs: Readonly<Record<string, Job>> };
const packages = parse(read('electron-builder.yml')) as Packages;
const commandsOf = (name: string) => (jobs[name]?.steps ?? []).flatMap(({ run }) => run ?? []).join('\n');
const steps = Object.entries(jobs).flatMap(([job, { steps: all }]) =>
  all.map((step, index) => ({ job, step, name: `${job}, step ${index + 1}` })),
);

describe('the workflow of a release', () => {
  test('has jobs that wait for jobs, on systems that are named', () => {
    for (const { needs, 'runs-on': system, strategy } of Object.values(jobs)) {
      if (needs !== undefined) expect(Object.keys(jobs)).toContain(needs);
      for (const one of strategy?.matrix.os ?? [system]) expect(one).toMatch(/^(ubuntu|macos|windows)-[\d.]+$/);
    }
    // Nothing is built of what does not pass its tests.
    expect(commandsOf('test')).toContain('.ci/run');
    expect([jobs.build?.needs, jobs.headless?.needs]).toEqual(['test', 'test']);
  });

  test.for(steps)('$name: does one thing, with what is there', ({ step: { uses, run } }) => {
    expect([uses, run].filter((one) => one !== undefined)).toHaveLength(1);
    if (uses !== undefined) expect(uses).toMatch(/^actions\/[\w-]+@v\d+$/);
    for (const [, script = ''] of (run ?? '').matchAll(/\bnpm run ([\w:]+)/g)) expect(scripts, script).toHaveProperty([script]);
    for (const [, file = ''] of (run ?? '').matchAll(/\bnode ([\w./-]+\.m?js)/g))
      expect(existsSync(join(REPOSITORY, file)), file).toBe(true);
  });

  test.for(steps.filter(({ step }) => step.run !== undefined))('$name: is a sound script', ({ step: { run = '' } }) => {
    // Each expression is put in before the shell sees it.
    execFileSync('bash', ['-n'], { input: run.replace(/\$\{\{.*?\}\}/g, 'x'), stdio: ['pipe', 'ignore', 'pipe'] });
  });

  test('packs what each system is promised, and uploads it', () => {
    const kinds = (targets: readonly Target[]) => targets.map(({ target, arch }) => `${target} ${[arch].flat().join(' ')}`);
    expect(kinds(packages.mac.target)).toEqual(['dmg universal', 'zip universal']);
    expect(kinds(packages.win.target)).toEqual(['nsis x64 arm64']);
    expect(kinds(packages.linux.target)).toEqual(['AppImage x64 arm64', 'deb x64 arm64', 'rpm x64 arm64']);
    // For one user and without questions, as labs want it.
    expect(packages.nsis).toMatchObject({ oneClick: true, perMachine: false });
    // Without a flag for one it packs for the system that it runs on.
    expect(scripts.dist).toMatch(/electron-builder --publish never$/);
    expect(commandsOf('build')).toContain('npm run dist -- ');
    expect(jobs.build?.strategy?.matrix.os.map((one) => one.split('-')[0])).toEqual(['ubuntu', 'macos', 'windows']);
    const [, uploaded = ''] = /dist\/\*\.\{([\w,]+)\}/.exec(commandsOf('build')) ?? [];
    expect(uploaded.split(',').toSorted()).toEqual(['AppImage', 'blockmap', 'deb', 'dmg', 'exe', 'rpm', 'sig', 'yml', 'zip']);
    expect(commandsOf('headless')).toContain('npm run pack:cli');
    expect(commandsOf('headless')).toContain('dist/lanyard-*.tgz');
  });
});

describe('the configuration of the packages', () => {
  const validator = createRequire(createRequire(import.meta.url).resolve('electron-builder'))(
    'app-builder-lib/out/util/config/config.js',
  ) as Validator;
  const validate = async (overrides: object) => {
    const config = await validator.getConfig(REPOSITORY, 'electron-builder.yml', overrides);
    await validator.validateConfiguration(config, { isEnabled: false });
  };

  test('is one that electron-builder takes', async () => {
    await validate({});
  });

  test.for(['dmg', 'mac', 'nsis', 'win', 'linux', 'appImage', 'deb', 'rpm', 'electronFuses'])(
    'would not be taken with something unknown under %s',
    async (section) => {
      await expect(validate({ [section]: { planted: true } })).rejects.toThrow(`configuration.${section} should be`);
    },
  );

  test('names files that are there', () => {
    const found = [...read('electron-builder.yml').matchAll(/\b(?:icon|entitlements|entitlementsInherit): (\S+)/g)].map(
      ([, path = '']) => path,
    );
    expect(found.length).toBeGreaterThanOrEqual(5);
    for (const path of found) expect(existsSync(join(REPOSITORY, path)), path).toBe(true);
  });
});
