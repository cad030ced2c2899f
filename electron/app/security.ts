import { readFile } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import { app, protocol, session, type WebContents } from 'electron';

/** The app's own pages have an origin of their own, which files do not. */
export const APP_ORIGIN = 'app://lanyard';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};
const HEADERS = {
  'content-security-policy':
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
};

/** Must come before the app is ready. */
export function trustAppScheme(): void {
  protocol.registerSchemesAsPrivileged([{ scheme: 'app', privileges: { standard: true, secure: true } }]);
  app.on('web-contents-created', (_, contents) => confine(contents));
}

/** Serves the built window from `folder`, and nothing beside it. */
export function serveAppFiles(folder: string): void {
  protocol.handle('app', async (request) => {
    const url = new URL(request.url);
    const path = join(folder, decoded(url.pathname === '/' ? '/index.html' : url.pathname));
    const type = TYPES[extname(path)];
    // Node's URL gives no origin to a scheme that it does not know.
    if (`${url.protocol}//${url.host}` !== APP_ORIGIN || !path.startsWith(folder + sep) || type === undefined)
      return new Response(null, { status: 404 });
    const bytes = await readFile(path).catch(() => undefined);
    return bytes === undefined
      ? new Response(null, { status: 404 })
      : new Response(new Uint8Array(bytes), { headers: { ...HEADERS, 'content-type': type } });
  });
  // A window may write what a person copies to the clipboard; it gets nothing else of the machine.
  const isAllowed = (permission: string) => permission === 'clipboard-sanitized-write';
  session.defaultSession.setPermissionRequestHandler((_, permission, answer) => answer(isAllowed(permission)));
  session.defaultSession.setPermissionCheckHandler((_, permission) => isAllowed(permission));
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    // Percent signs that mean nothing name no file.
    return '';
  }
}

/** No page leaves the app's own, opens another, or embeds one. */
function confine(contents: WebContents): void {
  contents.on('will-navigate', (event) => event.preventDefault());
  contents.on('will-redirect', (event) => event.preventDefault());
  contents.on('will-attach-webview', (event) => event.preventDefault());
  contents.setWindowOpenHandler(() => ({ action: 'deny' }));
}
