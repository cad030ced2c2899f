#!/usr/bin/env node
/**
 * Completes package-lock.json with the optional packages of other platforms that npm could not look up.
 *
 * npm leaves an optional package out of the lock file when the registry it asks does not carry it (a mirror that holds
 * the binaries of one platform only, say), and then `npm ci` refuses its own lock file. Such packages are named with an
 * exact version by the package that wants them, and never installed on a machine they are not for, so their entries can
 * be written down: version, and the platform from the name. Run it after `npm install`: `node .ci/complete-lock.mjs`.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const FILE = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(FILE, 'utf8'));

const SYSTEMS = ['android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'aix', 'win32'];
const PROCESSORS = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64', 'wasm32'];

/** The platform that a package of binaries names, for example `@scope/tool-linux-arm64-musl`. */
function platformOf(name) {
  const words = name.split(/[-/.]/);
  const os = SYSTEMS.filter((system) => words.includes(system));
  const cpu = PROCESSORS.filter((processor) => words.includes(processor));
  const libc = words.includes('musl') ? ['musl'] : words.includes('gnu') ? ['glibc'] : [];
  return { ...(os.length > 0 ? { os } : {}), ...(cpu.length > 0 ? { cpu } : {}), ...(libc.length > 0 ? { libc } : {}) };
}

/** Whether npm finds `name` from the package at `path`: beside it, or in any folder above. */
function isLocked(path, name) {
  for (let at = path; ; at = at.includes('/node_modules/') ? at.slice(0, at.lastIndexOf('/node_modules/')) : '') {
    if (`${at === '' ? '' : `${at}/`}node_modules/${name}` in lock.packages) return true;
    if (at === '') return false;
  }
}

let added = 0;
for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
    if (path === '' || isLocked(path, name)) continue;
    const version = /\d+\.\d+\.\d+\S*/.exec(range)?.[0];
    if (version === undefined) throw new Error(`${path} wants ${name}@${range}: no version can be read from that`);
    lock.packages[`node_modules/${name}`] = { version, ...platformOf(name), ...(entry.dev ? { dev: true } : {}), optional: true };
    added += 1;
  }
}
const sorted = Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1));
lock.packages = Object.fromEntries(sorted);
writeFileSync(FILE, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${added} packages of other platforms added`);
