import { describe, expect, it } from 'vitest';
import { deliveryHeaders, dispositionHeader } from './delivery.ts';

describe('how output files are delivered', () => {
  it.each(['page.html', 'page.HTM', 'picture.svg', 'paper.pdf', 'data.xml', 'script.js', 'noext', 'image.png.html'])(
    '%s is a download of unknown bytes',
    (path) => {
      const headers = deliveryHeaders(path);
      expect(headers['content-type']).toBe('application/octet-stream');
      expect(headers['content-disposition']).toMatch(/^attachment;/);
    },
  );

  it.each([
    ['out/frame_0001.PNG', 'image/png'],
    ['log.txt', 'text/plain; charset=utf-8'],
  ])('%s may be shown as %s', (path, type) => {
    const headers = deliveryHeaders(path);
    expect(headers['content-type']).toBe(type);
    expect(headers['content-disposition']).toMatch(/^inline;/);
    expect(headers['content-security-policy']).toContain('sandbox');
  });

  it('writes names that cannot end the header or the quotes', () => {
    expect(dispositionHeader('attachment', 'a"b\r\nX: 1;é.png')).toBe(
      `attachment; filename="a_b__X_ 1__.png"; filename*=UTF-8''a%22b%0D%0AX%3A%201%3B%C3%A9.png`,
    );
    expect(dispositionHeader('inline', 'lone \ud800')).toContain('%EF%BF%BD');
  });
});
