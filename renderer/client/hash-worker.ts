import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';

/**
 * Hashes what it is sent, apart from the screen's thread. A page of the local network is no secure context, so the browser's own
 * SHA-256 is not there; it could not take a file piece by piece either.
 */
const hash = sha256.create();
self.addEventListener('message', ({ data }: MessageEvent<Uint8Array | null>) => {
  if (data === null) {
    self.postMessage(bytesToHex(hash.digest()));
    self.close();
    return;
  }
  hash.update(data);
  self.postMessage(null);
});
