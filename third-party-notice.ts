import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The notice of other people's work that ships inside of ours, made from what a build really takes in. */

/** Where a build writes which packages it took, for one that includes it: folders, one a line. */
const LIST = 'third-party.txt';
const NOTICE = 'THIRD-PARTY-NOTICES.txt';
/** Files of a package that say under what terms it may be passed on. */
const TERMS = /^(licen[cs]e|copying|notice|third-party-notices)([.-].*)?$/i;
const RULE = '='.repeat(100);

interface NoticeOptions {
  /** Where the notice goes. */
  readonly folder: string;
  /** Packages that are copied and not bundled. */
  readonly copied: readonly string[];
  /** The folder of another build whose result is part of this one. */
  readonly includes?: string;
}

/** One for all builds that end in one folder: the notice is complete after the last of them. */
export function thirdPartyNotice({ folder, copied, includes }: NoticeOptions) {
  const packages = new Set(copied.map((name) => join(import.meta.dirname, 'node_modules', name)));
  return {
    name: 'third-party-notice',
    generateBundle(_: unknown, bundle: Readonly<Record<string, { readonly type: string; readonly moduleIds?: readonly string[] }>>) {
      for (const { moduleIds = [] } of Object.values(bundle)) for (const id of moduleIds) addPackageOf(id, packages);
    },
    closeBundle() {
      if (includes !== undefined)
        for (const line of readFileSync(join(includes, LIST), 'utf8').split('\n')) packages.add(join(import.meta.dirname, line));
      const sorted = [...packages].sort();
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, LIST), sorted.map((path) => path.slice(import.meta.dirname.length + 1)).join('\n'));
      writeFileSync(join(folder, NOTICE), noticeText(sorted));
    },
  };
}

/** The package that a bundled module comes from; the innermost, where packages have packages of their own. */
function addPackageOf(id: string, packages: Set<string>): void {
  const found = /^\0?(.*\/node_modules\/(?:@[^/]+\/)?[^/?]+)\//.exec(id)?.[1];
  if (found !== undefined && existsSync(join(found, 'package.json'))) packages.add(found);
}

interface Description {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly homepage?: string;
}

/** @throws for a package that says neither by a file nor in its description under what terms it may be passed on */
function noticeText(packages: readonly string[]): string {
  const parts = packages.map((path) => {
    const { name, version, license, homepage } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as Description;
    const terms = readdirSync(path)
      .filter((file) => TERMS.test(file))
      .map((file) => readFileSync(join(path, file), 'utf8').trim());
    if (terms.length === 0 && license === undefined) throw new Error(`${name} ${version} says nothing of its licence`);
    const head = [`${name} ${version}`, license, homepage].filter((line) => line !== undefined).join('\n');
    return [RULE, head, '', terms.length === 0 ? `Its package carries no licence text; it is under ${license}.` : terms.join('\n\n')].join(
      '\n',
    );
  });
  return [
    'Lanyard contains the work of other people. Each package is listed with the terms under which it is passed on.',
    'The desktop app runs in Electron, whose own notices stand beside this file (LICENSE.electron.txt, LICENSES.chromium.html).',
    '',
    ...parts,
    '',
  ].join('\n');
}
