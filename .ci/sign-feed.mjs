#!/usr/bin/env node
/**
 * Signs the update feeds (`latest*.yml`) in a folder with Ed25519: `latest.yml.sig` beside each holds the signature, in base64.
 * The feed names every installer with its SHA-512, so that its signature covers them all. The app holds the public key.
 *
 * The key is a PKCS #8 PEM in LANYARD_UPDATE_KEY. To make a pair, once:
 *   openssl genpkey -algorithm ed25519 -out update-key.pem && openssl pkey -in update-key.pem -pubout -out resources/update-key.pub.pem
 */
import { sign } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [folder] = process.argv.slice(2);
const key = process.env.LANYARD_UPDATE_KEY;
if (folder === undefined || !key) {
  console.error('usage: LANYARD_UPDATE_KEY="$(cat update-key.pem)" node .ci/sign-feed.mjs FOLDER');
  process.exit(2);
}
const feeds = readdirSync(folder).filter((name) => /^latest.*\.yml$/.test(name));
if (feeds.length === 0) {
  console.error(`there is no feed in ${folder}`);
  process.exit(1);
}
for (const name of feeds) {
  const signature = sign(null, readFileSync(join(folder, name)), key).toString('base64');
  writeFileSync(join(folder, `${name}.sig`), `${signature}\n`);
  console.log(`signed ${name}`);
}
