import { safeStorage } from 'electron';

/** How this device's key is kept on the disk. */
export interface KeyProtection {
  /** As `openIdentity` takes it; absent where there is no keyring to seal with. */
  readonly wrap?: { wrap(text: string): Buffer; unwrap(bytes: Buffer): string };
  /** `keyring`: sealed by the system's keyring. `file`: in a file that only this user may read, and nothing more. */
  readonly state: 'keyring' | 'file';
}

/**
 * A real keyring, or none: where Linux has none, Electron would seal with a password that stands in its source code, which
 * only looks like protection. Known once the app is ready.
 */
export function findKeyProtection(): KeyProtection {
  const isReal =
    safeStorage.isEncryptionAvailable() && (process.platform !== 'linux' || safeStorage.getSelectedStorageBackend() !== 'basic_text');
  if (!isReal) return { state: 'file' };
  return {
    state: 'keyring',
    wrap: { wrap: (text) => safeStorage.encryptString(text), unwrap: (bytes) => safeStorage.decryptString(bytes) },
  };
}
