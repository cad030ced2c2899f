import { basename, extname } from 'node:path/posix';

/** What a browser may show in its window. All else, and above all what could carry a script (html, svg, pdf), is a download of unknown bytes. */
const SHOWN: Readonly<Record<string, string>> = {
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.gif': 'image/gif',
  '.webp': 'image/webp',
  '.txt': 'text/plain; charset=utf-8',
  '.log': 'text/plain; charset=utf-8',
};

/** The headers under which a file that a task made is handed to a browser. */
export function deliveryHeaders(path: string): Record<string, string> {
  const shown = SHOWN[extname(path).toLowerCase()];
  return {
    'content-type': shown ?? 'application/octet-stream',
    'content-disposition': dispositionHeader(shown === undefined ? 'attachment' : 'inline', basename(path)),
    'content-security-policy': "default-src 'none'; sandbox; frame-ancestors 'none'",
  };
}

/** Content-Disposition with the name twice: plain ASCII for old readers, and in full (RFC 6266, RFC 8187). */
export function dispositionHeader(kind: 'attachment' | 'inline', name: string): string {
  const plain = name.replace(/[^A-Za-z0-9 ._()-]/g, '_');
  const full = encodeURIComponent(name.toWellFormed()).replace(
    /['()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${kind}; filename="${plain}"; filename*=UTF-8''${full}`;
}
