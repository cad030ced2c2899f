import { BlockList, isIPv4 } from 'node:net';
import type { NetworkInterfaceInfo } from 'node:os';

/** Which of the machine's interfaces lead to a local network with other people's machines on it, and why. */

/** As `os.networkInterfaces()` gives them: those that are up, with their addresses. */
export type InterfaceTable = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

export interface InterfaceChoice {
  readonly name: string;
  /** Its IPv4 address and network (`192.168.1.5`, `192.168.1.5/24`); null without one. */
  readonly address: string | null;
  readonly cidr: string | null;
  readonly used: boolean;
  /** A sentence. */
  readonly reason: string;
}

/**
 * Names under which programs make interfaces that lead to no LAN. `br0`, macOS's `bridge0` (Thunderbolt) and Windows'
 * `vEthernet (any other name)` are not among them: people make such bridges to put the LAN itself on them.
 */
const IGNORED_NAMES: readonly (readonly [platform: NodeJS.Platform, pattern: RegExp, kind: string])[] = [
  ['linux', /^(docker|podman|cni|flannel|cali|weave|cilium|kube-|nerdctl)/, 'a container network'],
  ['linux', /^br-[0-9a-f]{12}$/, 'a container network'],
  ['linux', /^veth/, 'one end of a container or virtual machine'],
  ['linux', /^(virbr|vnet\d|vmnet|vboxnet|lxcbr|lxdbr|incusbr|waydroid)/, "a virtual machine's network"],
  ['linux', /^(tun|tap|wg|ppp|ipsec|tailscale|zt|nebula|nordlynx|proton|wt)\w*$/, 'a VPN'],
  ['linux', /^(wwan|rmnet)/, 'a mobile network'],
  ['linux', /^(dummy|ifb|sit|gre|ip6tnl)/, 'not a network'],
  ['darwin', /^(utun|ipsec|ppp|tap|tun|gif|stf|feth)/, 'a VPN or tunnel'],
  ['darwin', /^(awdl|llw|ap\d|anpi)/, "a link of Apple's own services"],
  ['darwin', /^(bridge[1-9]\d\d|vmnet|vmenet|vnic|vboxnet)/, "a virtual machine's network"],
  ['win32', /^vEthernet \((WSL|Default Switch|nat|DockerNAT|HNS)/i, 'a network of WSL, Docker or Hyper-V'],
  ['win32', /VMware|VirtualBox|Host-Only|VMnet/i, "a virtual machine's network"],
  ['win32', /VPN|WireGuard|Tailscale|ZeroTier|NordLynx|Proton|TAP-|Wintun|Hamachi|AnyConnect|GlobalProtect|Fortinet/i, 'a VPN'],
  ['win32', /^(Local Area Connection\* |Bluetooth|Cellular)/, 'not a local network'],
];

/** Addresses that are shared by carriers and, above all, by mesh VPNs (RFC 6598). */
const SHARED_ADDRESSES = new BlockList();
SHARED_ADDRESSES.addSubnet('100.64.0.0', 10);

/**
 * @param table the interfaces that are up
 * @param only names (`eth0`, `en*`) and networks (`192.168.0.0/16`) that are to be used, and no others; undefined: choose
 * @returns a decision about each interface, with its reason
 */
export function chooseInterfaces(table: InterfaceTable, platform: NodeJS.Platform, only?: readonly string[]): readonly InterfaceChoice[] {
  const choices: InterfaceChoice[] = [];
  for (const [name, addresses] of Object.entries(table)) {
    const ipv4 = addresses?.find((one) => one.family === 'IPv4');
    const [used, reason] = ipv4 === undefined ? noAddress : only === undefined ? judge(name, ipv4, platform) : obey(name, ipv4, only);
    choices.push({ name, address: ipv4?.address ?? null, cidr: ipv4?.cidr ?? null, used, reason });
  }
  return choices;
}

/** Entries of the setting that name no interface which is up. */
export function unmatchedEntries(table: InterfaceTable, only: readonly string[]): readonly string[] {
  return only.filter((entry) => !chooseInterfaces(table, 'linux', [entry]).some((choice) => choice.used));
}

/** @returns a test whether an address belongs to the network `cidr`, for example `192.168.1.5/24` */
export function networkTest(cidr: string): ((address: string) => boolean) | undefined {
  const network = parseNetwork(cidr);
  return network && ((address) => isIPv4(address) && network.check(address));
}

type Verdict = readonly [used: boolean, reason: string];

const noAddress: Verdict = [false, 'It has no IPv4 address.'];

function judge(name: string, info: NetworkInterfaceInfo, platform: NodeJS.Platform): Verdict {
  if (info.internal) return [false, 'It is the loopback of this machine.'];
  const known = IGNORED_NAMES.find(([on, pattern]) => on === platform && pattern.test(name));
  if (known !== undefined) return [false, `By its name it is ${known[2]}.`];
  if (SHARED_ADDRESSES.check(info.address)) return [false, 'By its address (100.64.0.0/10) it is a mesh VPN or a carrier network.'];
  if (info.netmask === '255.255.255.255') return [false, 'It leads to a single peer, as VPNs do.'];
  return [true, 'It looks like a local network.'];
}

function obey(name: string, info: NetworkInterfaceInfo, only: readonly string[]): Verdict {
  const entry = only.find((one) => (one.includes('/') ? networkTest(one)?.(info.address) : nameMatches(one, name)));
  if (entry === undefined) return [false, 'The setting that names the interfaces to use does not name it.'];
  return [true, `The setting names it (${entry}).`];
}

function nameMatches(entry: string, name: string): boolean {
  const pieces = entry.split('*').map((piece) => piece.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
  return new RegExp(`^${pieces.join('.*')}$`).test(name);
}

function parseNetwork(cidr: string): BlockList | undefined {
  const match = /^([\d.]+)\/(\d{1,2})$/.exec(cidr);
  const [, address, prefix] = match ?? [];
  if (address === undefined || !isIPv4(address) || Number(prefix) > 32) return undefined;
  const network = new BlockList();
  network.addSubnet(address, Number(prefix));
  return network;
}
