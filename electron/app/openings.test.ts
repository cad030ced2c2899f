import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { openingsOf } from './openings.ts';

it('finds zips and links between switches, whose values are not taken for them', () => {
  const argv = ['/opt/lanyard', '--no-sandbox', 'shot.ZIP', resolve('/a/b.zip'), 'lanyard://join/x#y.zip', '--x=c.zip', 'notes.txt'];
  expect(openingsOf(argv, '/work', true)).toEqual({
    files: [resolve('/work', 'shot.ZIP'), resolve('/a/b.zip')],
    links: ['lanyard://join/x#y.zip'],
    hidden: false,
  });
});

it('leaves the folder of the app out while it is not packaged', () => {
  expect(openingsOf(['electron', '/src/app.zip', '--hidden'], '/', false)).toEqual({ files: [], links: [], hidden: true });
});

it('takes no link of another scheme, nor one of any length', () => {
  const argv = ['lanyard', 'https://join/', `lanyard://join/${'a'.repeat(5_000)}`];
  expect(openingsOf(argv, '/', true).links).toEqual([]);
});
