#!/usr/bin/env node
// Stands in for fpm, which electron-builder downloads to make a .deb of the parts that it has laid out: the same
// arguments, put together by dpkg-deb. Only what electron-builder asks of it.
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const SHORT = { '-s': 'source', '-t': 'type', '-d': 'depends' };
const FLAGS = ['force', 'debug'];
const options = new Map();
const parts = [];
for (let words = process.argv.slice(2); words.length > 0; ) {
  const word = words.shift();
  const name = SHORT[word] ?? (word.startsWith('--') ? word.slice(2) : undefined);
  if (name === undefined) parts.push(word.split('='));
  else if (!FLAGS.includes(name)) options.set(name, [...(options.get(name) ?? []), words.shift()]);
}
const one = (name) => options.get(name)?.at(-1) ?? '';
const many = (name) => (options.get(name) ?? []).join(', ');

const work = mkdtempSync(join(tmpdir(), 'lanyard-fpm-'));
const root = join(work, 'root');
for (const [from, to] of parts) {
  mkdirSync(dirname(join(root, to)), { recursive: true });
  // A folder's content goes into the other; hard links, for it is hundreds of megabytes.
  if (from.endsWith('/')) execFileSync('cp', ['-al', from, join(root, to)]);
  else cpSync(from, join(root, to));
}
if (one('type') !== 'deb') throw new Error(`no package of the type ${one('type')}`);
makeDeb();
rmSync(work, { recursive: true });

function makeDeb() {
  const control = join(root, 'DEBIAN');
  mkdirSync(control);
  const [synopsis, ...lines] = one('description').split('\n');
  const fields = {
    Package: one('name'),
    Version: one('version'),
    Architecture: one('architecture'),
    Maintainer: one('maintainer'),
    Depends: many('depends'),
    Recommends: many('deb-recommends'),
    Section: 'default',
    Priority: one('deb-priority'),
    Homepage: one('url'),
    Description: [synopsis.trim(), ...lines.map((line) => ` ${line.trim() || '.'}`)].join('\n'),
  };
  const text = Object.entries(fields).filter(([, value]) => value !== '');
  writeFileSync(join(control, 'control'), `${text.map(([name, value]) => `${name}: ${value}`).join('\n')}\n`);
  for (const [name, option] of [
    ['postinst', 'after-install'],
    ['postrm', 'after-remove'],
  ]) {
    cpSync(one(option), join(control, name));
    chmodSync(join(control, name), 0o755);
  }
  execFileSync('dpkg-deb', ['--build', '--root-owner-group', '-Znone', root, one('package')], { stdio: ['ignore', 'inherit', 'inherit'] });
}
