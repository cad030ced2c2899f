import { expect, test } from 'vitest';
import { localAddresses, watchLocalAddress } from './local-address.ts';

const reads = (...answers: readonly (readonly string[] | undefined)[]) => {
  const left = answers.map((answer) => (answer === undefined ? undefined : new Set(answer)));
  return () => left.shift();
};

test('a machine has the address of its loopback', () => {
  expect(localAddresses()).toContain('127.0.0.1');
});

test('an address is gone when the machine had it and has it no more', () => {
  const isGone = watchLocalAddress({ localAddress: '10.0.0.7' }, reads(['10.0.0.7'], ['10.0.0.7', '10.0.0.8'], ['10.0.0.8']));
  expect([isGone(), isGone()]).toEqual([false, true]);
});

test('the zone of a link-local address is no part of it', () => {
  expect(watchLocalAddress({ localAddress: 'fe80::1%eth0' }, reads(['fe80::1'], ['fe80::1'], []))()).toBe(false);
});

test('nothing is concluded where the system told nothing, or something else from the start', () => {
  expect(watchLocalAddress({ localAddress: '10.0.0.7' }, reads(['10.0.0.7'], undefined))()).toBe(false);
  expect(watchLocalAddress({ localAddress: '10.0.0.7' }, reads(undefined, []))()).toBe(false);
  expect(watchLocalAddress({ localAddress: '127.0.0.9' }, reads(['127.0.0.1'], ['127.0.0.1']))()).toBe(false);
  expect(watchLocalAddress({}, reads([], []))()).toBe(false);
});
