import type { NetworkInterfaceInfo } from 'node:os';
import { describe, expect, test } from 'vitest';
import { chooseInterfaces, type InterfaceTable, networkTest, unmatchedEntries } from './interfaces.ts';

function ipv4(cidr: string, netmask = '255.255.255.0', internal = false): NetworkInterfaceInfo {
  return { family: 'IPv4', address: cidr.split('/')[0] ?? '', netmask, cidr, internal, mac: '02:00:00:00:00:01' };
}
const ipv6: NetworkInterfaceInfo = {
  family: 'IPv6',
  address: 'fe80::1',
  netmask: 'ffff:ffff:ffff:ffff::',
  cidr: 'fe80::1/64',
  internal: false,
  mac: '02:00:00:00:00:01',
  scopeid: 2,
};
const lan = [ipv4('192.168.1.5/24')];
const used = (table: InterfaceTable, platform: NodeJS.Platform, only?: readonly string[]) =>
  chooseInterfaces(table, platform, only)
    .filter((choice) => choice.used)
    .map((choice) => choice.name);
const named = (...names: readonly string[]): InterfaceTable => Object.fromEntries(names.map((name) => [name, lan]));

describe('interfaces are chosen', () => {
  test('on Linux: cards and people’s own bridges, no containers, machines, VPNs', () => {
    const ignored = [
      'docker0',
      'br-0123456789ab',
      'veth1a2b',
      'virbr0',
      'vboxnet0',
      'vmnet8',
      'wg0',
      'tun0',
      'tailscale0',
      'zt5u4y',
      'cni0',
      'ppp0',
    ];
    expect(used(named('eth0', 'enp3s0', 'wlan0', 'wlp2s0', 'br0', 'bond0', 'eth0.20', ...ignored), 'linux')).toEqual([
      'eth0',
      'enp3s0',
      'wlan0',
      'wlp2s0',
      'br0',
      'bond0',
      'eth0.20',
    ]);
  });

  test('on macOS: cards and the Thunderbolt bridge', () => {
    expect(used(named('en0', 'en7', 'bridge0', 'utun3', 'awdl0', 'llw0', 'bridge100', 'ap1', 'vmenet0'), 'darwin')).toEqual([
      'en0',
      'en7',
      'bridge0',
    ]);
  });

  test('on Windows: cards and a switch of one’s own', () => {
    const table = named(
      'Ethernet',
      'Wi-Fi',
      'vEthernet (Office)',
      'vEthernet (WSL (Hyper-V firewall))',
      'vEthernet (Default Switch)',
      'VMware Network Adapter VMnet8',
      'VirtualBox Host-Only Network',
      'Tailscale',
      'Local Area Connection* 2',
    );
    expect(used(table, 'win32')).toEqual(['Ethernet', 'Wi-Fi', 'vEthernet (Office)']);
  });

  test('by their addresses, each with a reason', () => {
    const table = {
      lo: [ipv4('127.0.0.1/8', '255.0.0.0', true)],
      mesh: [ipv4('100.101.2.3/24')],
      peer: [ipv4('10.8.0.2/32', '255.255.255.255')],
      six: [ipv6],
      none: undefined,
      cable: [ipv6, ipv4('169.254.3.4/16', '255.255.0.0')],
    };
    const choices = chooseInterfaces(table, 'linux');
    expect(choices.filter((choice) => choice.used)).toMatchObject([{ name: 'cable', address: '169.254.3.4', cidr: '169.254.3.4/16' }]);
    expect(choices.find((choice) => choice.name === 'six')).toMatchObject({ address: null, cidr: null });
    for (const choice of choices) expect(choice.reason).toMatch(/^It .+\.$|^By .+\.$/);
    expect(new Set(choices.map((choice) => choice.reason)).size).toBe(5);
  });

  test('by the setting, and by nothing else', () => {
    const table = { ...named('eth0', 'eth1', 'enp3s0'), docker0: [ipv4('172.17.0.1/16')] };
    expect(used(table, 'linux', ['docker0'])).toEqual(['docker0']);
    expect(used(table, 'linux', ['eth*'])).toEqual(['eth0', 'eth1']);
    expect(used(table, 'linux', ['e*s0'])).toEqual(['enp3s0']);
    expect(used(table, 'linux', ['172.16.0.0/12'])).toEqual(['docker0']);
    expect(used(table, 'linux', [])).toEqual([]);
    expect(used({ 'vEthernet (WSL)': lan }, 'win32', ['vEthernet (WSL)'])).toEqual(['vEthernet (WSL)']);
    expect(unmatchedEntries(table, ['eth0', 'wlan0', '10.0.0.0/8', '300.0.0.0/8'])).toEqual(['wlan0', '10.0.0.0/8', '300.0.0.0/8']);
  });
});

test('a network knows its addresses', () => {
  const isLocal = networkTest('192.168.1.5/24');
  expect(['192.168.1.1', '192.168.1.255'].map((address) => isLocal?.(address))).toEqual([true, true]);
  expect(['192.168.2.1', 'fe80::1', '', 'nonsense'].map((address) => isLocal?.(address))).toEqual([false, false, false, false]);
  expect(networkTest('nonsense')).toBeUndefined();
});
