import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, createReadStream, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Docker from 'dockerode';
import { ENGINE_SOCKET } from './engine.ts';

const run = promisify(execFile);

/**
 * Images are made here, not pulled: tests need no registry. Trees come from Debian packages, are kept as archives in a
 * cache folder, and are imported into the engine once.
 */
export const IMAGES = {
  busybox: 'lanyard-test/busybox:2',
  ffmpeg: 'lanyard-test/ffmpeg:1',
  gcc: 'lanyard-test/gcc:2',
  povray: 'lanyard-test/povray:1',
  python: 'lanyard-test/python:1',
} as const;
export type TestImage = keyof typeof IMAGES;
/** Time that making all of them may take at first, from packages that come over a network, on a machine that is busy (ms). */
export const IMAGES_MS = 1_200_000;

const PACKAGES = {
  ffmpeg: 'ffmpeg',
  gcc: 'gcc,libc6-dev,make,cmake',
  povray: 'povray,povray-includes',
  python: 'python3-minimal',
} as const;
const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'lanyard-tests');

/** @returns the image's name, once the engine has it */
export async function ensureImage(name: TestImage, socket: string = ENGINE_SOCKET): Promise<string> {
  const docker = new Docker({ socketPath: socket });
  const tag = IMAGES[name];
  const present = await docker
    .getImage(tag)
    .inspect()
    .then(() => true)
    .catch((error: { statusCode?: number }) => {
      if (error.statusCode === 404) return false;
      throw error;
    });
  if (!present) await importArchive(docker, await ensureArchive(name), tag);
  return tag;
}

/** @returns the path of the tree's archive, made at the first call */
async function ensureArchive(name: TestImage): Promise<string> {
  const tag = IMAGES[name];
  const archive = join(CACHE, `${tag.replaceAll(/[/:]/g, '-')}.tar`);
  if (existsSync(archive)) return archive;
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), 'lanyard-image-'));
  try {
    const tree = join(folder, 'tree');
    if (name === 'busybox') plantBusybox(tree);
    else await plantDebian(tree, PACKAGES[name]);
    const made = join(folder, 'tree.tar');
    await run('tar', ['-C', tree, '--numeric-owner', '--owner=0', '--group=0', '-cf', made, '.']);
    const beside = `${archive}.${process.pid}`;
    await run('cp', [made, beside]);
    renameSync(beside, archive);
    return archive;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A tree of nothing but a statically linked busybox. */
function plantBusybox(tree: string): void {
  for (const folder of ['bin', 'etc', 'tmp', 'work', 'usr/bin', 'sbin', 'usr/sbin', 'root', 'dev', 'proc', 'sys']) {
    mkdirSync(join(tree, folder), { recursive: true });
  }
  // As every real image has it: the engine gives a tmpfs the mode of the folder that it covers.
  chmodSync(join(tree, 'tmp'), 0o1777);
  execFileSync('cp', ['/bin/busybox', join(tree, 'bin/busybox')]);
  const programs = execFileSync(join(tree, 'bin/busybox'), ['--list'], { encoding: 'utf8' }).split('\n');
  for (const program of programs) {
    if (program !== '' && program !== 'busybox') execFileSync('ln', ['-s', 'busybox', join(tree, 'bin', program)]);
  }
  writeFileSync(join(tree, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n');
  writeFileSync(join(tree, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n');
}

async function plantDebian(tree: string, packages: string): Promise<void> {
  const release = execFileSync('sh', ['-c', '. /etc/os-release && echo "$VERSION_CODENAME"'], { encoding: 'utf8' }).trim();
  const options = ['--variant=minbase', `--include=${packages}`, release, tree];
  await run('debootstrap', options, { maxBuffer: 64 * 1024 * 1024 });
  for (const folder of ['var/cache/apt', 'var/lib/apt/lists', 'usr/share/doc', 'usr/share/man', 'usr/share/locale']) {
    rmSync(join(tree, folder), { recursive: true, force: true });
  }
}

async function importArchive(docker: Docker, archive: string, tag: string): Promise<void> {
  // The tag as a part of the name: given apart, Podman leaves it out.
  const answer = await docker.importImage(createReadStream(archive), { repo: tag });
  let text = '';
  for await (const part of answer) text += part;
  if (text.includes('"error"')) throw new Error(`The image ${tag} could not be imported: ${text}`);
}
