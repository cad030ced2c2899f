import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asksForUs, readResponse } from './responses.ts';

const txt = { v: '1', f: 'farm-1', fn: 'Studio', n: 'node-1', nn: 'render-1', r: 'w', s: '0.1.0', p: '7421' };
const strings = Object.entries(txt).map(([key, value]) => Buffer.from(`${key}=${value}`));
const service = (label: string, ttl = 28_800) => {
  const name = `${label}._lanyard._tcp.local`;
  return [
    { type: 'PTR', name: '_lanyard._tcp.local', ttl, data: name },
    { type: 'SRV', name, ttl: 120, data: { port: 9, target: 'x.local' } },
    { type: 'TXT', name, ttl: 4_500, data: strings },
  ];
};

describe('a response', () => {
  test('announces with the shortest life of its records, wherever these stand', () => {
    const [pointer, ...rest] = service('one');
    const heard = readResponse({ answers: [pointer], additionals: rest });
    expect(heard.goodbyes).toEqual([]);
    expect(heard.announced).toMatchObject([
      { label: 'one', ttlMs: 120_000, announcement: { nodeId: 'node-1', ports: { api: null, peer: 7421 } } },
    ]);
    expect(readResponse({ answers: [...service('one', 10)], additionals: [] }).announced).toMatchObject([{ ttlMs: 10_000 }]);
  });

  test('names are compared without regard to case', () => {
    const answers = service('One').map((record) => (record.type === 'TXT' ? { ...record, name: record.name.toUpperCase() } : record));
    expect(readResponse({ answers, additionals: [] }).announced).toHaveLength(1);
  });

  test('takes back with a life of zero', () => {
    expect(readResponse({ answers: service('one', 0), additionals: [] })).toEqual({ announced: [], goodbyes: ['one'] });
  });

  test('of other services, or without all its records, says nothing', () => {
    const nothing = { announced: [], goodbyes: [] };
    const other = service('one').map((record) => ({ ...record, name: record.name.replace('lanyard', 'printer') }));
    expect(readResponse({ answers: other, additionals: [] })).toEqual(nothing);
    for (let missing = 0; missing < 3; missing += 1) {
      expect(readResponse({ answers: service('one').toSpliced(missing, 1), additionals: [] })).toEqual(nothing);
    }
    expect(
      readResponse({ answers: [{ type: 'PTR', name: '_lanyard._tcp.local', ttl: 0, data: 'elsewhere.local' }], additionals: [] }),
    ).toEqual(nothing);
  });

  test('with very many services is read in part', () => {
    const answers = Array.from({ length: 50 }, (_, index) => service(`label ${index}`)).flat();
    expect(readResponse({ answers, additionals: [] }).announced).toHaveLength(8);
  });

  test('of any shape is survived', () => {
    const record = fc.record({
      type: fc.constantFrom('PTR', 'TXT', 'SRV', 'A', 1, null),
      name: fc.oneof(fc.constant('_lanyard._tcp.local'), fc.anything()),
      ttl: fc.anything(),
      data: fc.anything(),
    });
    const packet = fc.oneof(
      fc.anything(),
      fc.record({ answers: fc.array(fc.oneof(record, fc.anything())), additionals: fc.anything(), questions: fc.anything() }),
    );
    fc.assert(
      fc.property(packet, (one) => {
        expect(readResponse(one).announced).toEqual([]);
        asksForUs(one);
      }),
    );
  });
});

test('our own question is known when others ask it', () => {
  expect(
    asksForUs({
      questions: [
        { type: 'A', name: 'x.local' },
        { type: 'PTR', name: '_Lanyard._tcp.local' },
      ],
    }),
  ).toBe(true);
  expect(asksForUs({ questions: [{ type: 'A', name: '_lanyard._tcp.local' }] })).toBe(false);
});
