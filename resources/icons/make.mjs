/**
 * Makes every picture of the app from `icon.svg` and a few strokes: PNG in the sizes that Linux wants, .ico, .icns, and the
 * tray's states. Run it after a change: `node resources/icons/make.mjs`. It draws with Chromium (CHROMIUM names another).
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from '@playwright/test';

const FOLDER = import.meta.dirname;
const TRAY = join(FOLDER, '../tray');
const ICON = readFileSync(join(FOLDER, 'icon.svg'), 'utf8');

const GLYPH = (line, top, bottom) => `
  <path d="M9 6v13.5A3.5 3.5 0 0 0 12.5 23H23" fill="none" stroke="${line}" stroke-width="3.4" stroke-linecap="round"/>
  <circle cx="9" cy="7" r="3.4" fill="${top}"/><circle cx="23" cy="23" r="3.4" fill="${bottom}"/>`;
/** What stands in the upper right corner says the state by its form as well as by its colour. */
const MARKS = {
  idle: () => '',
  busy: (colour) => `<path d="M19 4.5v9l7.5-4.500z" fill="${colour ?? '#5ad1a5'}"/>`,
  resting: (colour) => `<path d="M20 5v8M25 5v8" stroke="${colour ?? '#ffc45c'}" stroke-width="3" stroke-linecap="round"/>`,
  offline: (colour) =>
    `<path d="M19.500 5.500l6.500 7M26 5.500l-6.500 7" stroke="${colour ?? '#ff8f8f'}" stroke-width="2.600" stroke-linecap="round"/>`,
};

const coloured = (state) => `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
  <rect width="32" height="32" rx="7" fill="#14304a"/>${GLYPH('#7cc4ff', '#ffc45c', '#5ad1a5')}${MARKS[state]()}</svg>`;
const template = (state) => `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
  <g opacity="${state === 'offline' ? 0.5 : 1}">${GLYPH('#000', '#000', '#000')}</g>${MARKS[state]('#000')}</svg>`;

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
const page = await browser.newPage();

async function draw(svg, size) {
  await page.setViewportSize({ width: size, height: size });
  await page.setContent(`<style>*{margin:0}svg{display:block;width:${size}px;height:${size}px}</style>${svg}`);
  return await page.screenshot({ omitBackground: true });
}

const pictures = new Map();
for (const size of [16, 24, 32, 48, 64, 128, 256, 512, 1024]) pictures.set(size, await draw(ICON, size));
mkdirSync(join(FOLDER, 'png'), { recursive: true });
for (const [size, png] of pictures) writeFileSync(join(FOLDER, 'png', `${size}x${size}.png`), png);
writeFileSync(join(FOLDER, 'icon.ico'), ico([16, 24, 32, 48, 64, 128, 256]));
writeFileSync(join(FOLDER, 'icon.icns'), icns());
for (const state of Object.keys(MARKS)) {
  writeFileSync(join(TRAY, `tray-${state}.png`), await draw(coloured(state), 32));
  writeFileSync(join(TRAY, `tray-${state}@2x.png`), await draw(coloured(state), 64));
  writeFileSync(join(TRAY, `tray-${state}Template.png`), await draw(template(state), 16));
  writeFileSync(join(TRAY, `tray-${state}Template@2x.png`), await draw(template(state), 32));
}
await browser.close();

/** A directory of PNG files; 256 is written as 0. https://learn.microsoft.com/windows/win32/uxguide/vis-icons */
function ico(sizes) {
  const head = Buffer.alloc(6 + 16 * sizes.length);
  head.writeUInt16LE(1, 2);
  head.writeUInt16LE(sizes.length, 4);
  let offset = head.length;
  sizes.forEach((size, index) => {
    const at = 6 + 16 * index;
    head.writeUInt8(size % 256, at);
    head.writeUInt8(size % 256, at + 1);
    head.writeUInt16LE(1, at + 4);
    head.writeUInt16LE(32, at + 6);
    head.writeUInt32LE(pictures.get(size).length, at + 8);
    head.writeUInt32LE(offset, at + 12);
    offset += pictures.get(size).length;
  });
  return Buffer.concat([head, ...sizes.map((size) => pictures.get(size))]);
}

/** Apple's container: a four-letter type, a length, a PNG, again and again. */
function icns() {
  const types = { icp4: 16, icp5: 32, icp6: 64, ic07: 128, ic08: 256, ic09: 512, ic10: 1024, ic11: 32, ic12: 64, ic13: 256, ic14: 512 };
  const chunk = (type, bytes) => {
    const head = Buffer.alloc(8);
    head.write(type, 'latin1');
    head.writeUInt32BE(bytes.length + 8, 4);
    return Buffer.concat([head, bytes]);
  };
  return chunk('icns', Buffer.concat(Object.entries(types).map(([type, size]) => chunk(type, pictures.get(size)))));
}
