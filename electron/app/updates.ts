import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { app, net } from 'electron';
import updater, { type ResolvedUpdateFileInfo, type UpdateInfo } from 'electron-updater';
import { type ProviderRuntimeOptions, parseUpdateInfo, resolveFiles } from 'electron-updater/out/providers/Provider.js';
import type { DesktopSettings } from '../../shared/settings.ts';
import type { Logger } from '../ports/system.ts';
import { VERSION } from '../version.ts';
import { type Feed, feedName, isNewer, parseUpdateKey, verifyFeed } from './update-feed.ts';

interface UpdatesOptions {
  readonly settings: () => DesktopSettings;
  readonly logger: Logger;
  /** Where this build carries its key and its feed's address. */
  readonly resources: string;
  /** A newer version is there; `isReady`: it is here, and comes with the next start. */
  readonly found: (version: string, isReady: boolean) => void;
}

/** After the start: the app has other things to do first, but a person who looks for updates is there. */
const FIRST_MS = 10_000;
const EVERY_MS = 6 * 3_600_000;
/** A feed and its signature are a few lines (bytes). */
const FEED_BYTES = 256 * 1024;

/**
 * Looks for updates soon after the start and every six hours, unless a setting says never. Only what the key signed is
 * believed. Where the system's package manager installed the app, it is only told.
 */
export function watchUpdates(options: UpdatesOptions): void {
  let told = '';
  const check = async () => {
    const { settings, logger, found } = options;
    if (settings().updates === 'off') return;
    try {
      const place = await feedPlace(options);
      if (place === undefined) return;
      const feed = verifyFeed(await get(place.url), Buffer.from(await get(`${place.url}.sig`)).toString('latin1'), place.key);
      if (!isNewer(feed.version, VERSION)) {
        logger.info('this version is the newest', { feed: feed.version });
        return;
      }
      logger.info('a newer version is there', { version: feed.version });
      const isReady = settings().updates === 'automatic' && (await fetchUpdate(place.base, feed, logger));
      const news = `${feed.version} ${isReady}`;
      if (news !== told) found(feed.version, isReady);
      told = news;
    } catch (error) {
      logger.warn('the look for updates failed', { error: error instanceof Error ? error.message : String(error) });
    }
  };
  setTimeout(() => {
    void check();
    setInterval(() => void check(), EVERY_MS);
  }, FIRST_MS);
}

/** The address and the key of the settings, or those of this build; undefined without both. */
async function feedPlace({ settings, resources }: UpdatesOptions) {
  const { updateUrl, updateKey } = settings();
  const base = updateUrl ?? (await readText(join(resources, 'update-url.txt')))?.trim();
  const key = updateKey ?? (await readText(join(resources, 'update-key.pub.pem')));
  if (base === undefined || base === '' || key === undefined) return undefined;
  return { base, url: `${base.replace(/\/$/, '')}/${feedName(process.platform, process.arch)}`, key: parseUpdateKey(key) };
}

async function readText(path: string): Promise<string | undefined> {
  return await readFile(path, 'utf8').catch(() => undefined);
}

async function get(url: string): Promise<Uint8Array> {
  const response = await net.fetch(url, { cache: 'no-store', signal: AbortSignal.timeout(30_000) });
  if (!response.ok || response.body === null) throw new Error(`${url} answered ${response.status}`);
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += part.byteLength;
    if (bytes > FEED_BYTES) throw new Error(`${url} is too long`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** @returns whether the installer is here and starts with the end of the app */
async function fetchUpdate(base: string, feed: Feed, logger: Logger): Promise<boolean> {
  const canInstall = app.isPackaged && (process.platform !== 'linux' || process.env.APPIMAGE !== undefined);
  if (!canInstall) return false;
  const { autoUpdater } = updater;
  autoUpdater.logger = logger;
  autoUpdater.autoDownload = false;
  autoUpdater.autoInstallOnAppQuit = true;
  autoUpdater.setFeedURL({ provider: 'custom', updateProvider: signedFeed(base, feed) });
  const found = await autoUpdater.checkForUpdates();
  if (found?.isUpdateAvailable !== true) return false;
  await autoUpdater.downloadUpdate();
  return true;
}

/** The feed whose signature was seen. Left to itself the library would read it once more, and believe what it finds then. */
function signedFeed(base: string, { text }: Feed) {
  const url = new URL(base.endsWith('/') ? base : `${base}/`);
  return class extends updater.Provider<UpdateInfo> {
    constructor(_options: unknown, _updater: unknown, runtime: ProviderRuntimeOptions) {
      super(runtime);
    }

    async getLatestVersion(): Promise<UpdateInfo> {
      return parseUpdateInfo(text, 'the signed feed', url);
    }

    /** Every download is held to the hash that the feed names. */
    resolveFiles(info: UpdateInfo): ResolvedUpdateFileInfo[] {
      return resolveFiles(info, url);
    }
  };
}
