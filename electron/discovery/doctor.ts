import type { Finding } from '../../shared/finding.ts';
import type { DiscoveryInterface } from '../ports/discovery.ts';
import type { ExecutorStatus } from '../ports/executor.ts';
import type { ClockReading, PortReading } from './probes.ts';

/** What `lanyard doctor` says: pure, from what was measured. */

export interface DoctorFacts {
  readonly platform: NodeJS.Platform;
  /** `os.release()`: shows WSL. */
  readonly release: string;
  /** After discovery ran for some seconds. */
  readonly interfaces: readonly DiscoveryInterface[];
  /** Entries of the setting `only` that match no interface. */
  readonly unmatched: readonly string[];
  readonly foundNodes: number;
  /** Listeners of the coordinator, tried by their addresses. */
  readonly ports: readonly PortReading[];
  /** The coordinator is this machine. */
  readonly isOwnCoordinator: boolean;
  /** Whether the coordinator talks with this device, or with the token given; undefined: it belongs to no farm, and no coordinator was named. */
  readonly coordinator: { readonly url: string } | { readonly failure: string; readonly fix: string | null } | undefined;
  /** Undefined: there is no coordinator to compare with. */
  readonly clock: ClockReading | undefined;
  readonly engines: readonly { readonly name: string; readonly status: ExecutorStatus }[];
}

/** Below it a difference is nothing to speak of; above the second, certificates and invites of ten minutes fail. */
const CLOCK_WARN_MS = 5_000;
const CLOCK_FAIL_MS = 60_000;

export function diagnose(facts: DoctorFacts): readonly Finding[] {
  return [
    ...facts.interfaces.map(aboutInterface),
    ...aboutChoice(facts),
    ...aboutMulticast(facts),
    ...facts.ports.map((port) => aboutPort(port, facts)),
    aboutCoordinator(facts.coordinator),
    ...(facts.clock === undefined ? [] : [aboutClock(facts.clock)]),
    ...facts.engines.map(aboutEngine),
  ];
}

/** Lines for a terminal, without colours. Texts come from this machine, and from nobody on the network. */
export function renderFindings(findings: readonly Finding[]): string {
  const marks = { ok: 'ok  ', warn: 'warn', fail: 'FAIL' } as const;
  return findings
    .map(({ level, what, detail, fix }) => `${marks[level]}  ${what}: ${detail}\n${fix === null ? '' : `      -> ${fix}\n`}`)
    .join('');
}

function aboutInterface(one: DiscoveryInterface): Finding {
  const what = `interface ${one.name}`;
  const where = one.address === null ? '' : ` (${one.address})`;
  if (!one.used) return { level: 'ok', what, detail: `ignored${where}. ${one.reason}`, fix: null };
  if (one.failure === null) return { level: 'ok', what, detail: `used${where}. ${one.reason}`, fix: null };
  return {
    level: 'fail',
    what,
    detail: `should be used${where}, but multicast cannot be opened on it: ${one.failure}.`,
    fix: /EADDRINUSE|EACCES/.test(one.failure)
      ? 'Another program holds UDP port 5353 for itself, or this one may not open it. End that program, or type the address of the coordinator by hand.'
      : 'Check that the interface is connected. Lanyard tries again by itself every few seconds.',
  };
}

function aboutChoice({ interfaces, unmatched, platform, release }: DoctorFacts): Finding[] {
  const findings: Finding[] = unmatched.map((entry) => ({
    level: 'warn',
    what: 'setting of interfaces',
    detail: `"${entry}" is the name or network of no interface that is up.`,
    fix: 'Correct the setting, or remove it to let Lanyard choose.',
  }));
  if (!interfaces.some((one) => one.used)) {
    findings.push({
      level: 'fail',
      what: 'local network',
      detail: 'no interface leads to one, so that no other machine can be found.',
      fix: 'Connect the machine to the network. If one of the ignored interfaces is right, name it in the setting of interfaces.',
    });
  }
  if (platform === 'linux' && /microsoft/i.test(release)) {
    findings.push({
      level: 'warn',
      what: 'local network',
      detail: 'this is Windows Subsystem for Linux, whose network usually is one of its own, which multicast does not leave.',
      fix: 'Set networkingMode=mirrored in .wslconfig, or run Lanyard on Windows itself, or type addresses by hand.',
    });
  }
  return findings;
}

function aboutMulticast({ interfaces, foundNodes, platform }: DoctorFacts): Finding[] {
  return interfaces
    .filter((one) => one.used && one.failure === null)
    .map((one) => {
      const what = `multicast on ${one.name}`;
      if (!one.heardItself) {
        return {
          level: 'fail',
          what,
          detail: 'our own packets do not come back: something on this machine drops them.',
          fix: firewallFix(platform),
        };
      }
      if (one.heardOthers) return { level: 'ok', what, detail: `works; ${foundNodes} other nodes are seen in all.`, fix: null };
      return {
        level: 'warn',
        what,
        detail: 'our own packets come back, but nobody else was heard. That is right if no other machine is on.',
        fix: `If one is: ${firewallFix(platform)} On Wi-Fi, look for "client isolation" or "multicast filtering" in the access point. An address typed by hand works without multicast.`,
      };
    });
}

function firewallFix(platform: NodeJS.Platform): string {
  if (platform === 'win32') return 'Allow Lanyard in the Windows firewall, and mark the network as private.';
  if (platform === 'darwin') return 'Allow Lanyard in System Settings, Privacy & Security, Local Network, and in the firewall.';
  return 'Allow UDP port 5353 in the firewall (for example: ufw allow 5353/udp, or firewall-cmd --add-service=mdns).';
}

function aboutPort(port: PortReading, { ports, isOwnCoordinator }: DoctorFacts): Finding {
  const what = `${port.name} port`;
  const where = `${port.host}:${port.port}`;
  if (port.failure === null) {
    const detail = isOwnCoordinator ? `${where} answers on this machine. A firewall may still stop others.` : `${where} answers.`;
    return { level: 'ok', what, detail, fix: null };
  }
  if (isOwnCoordinator)
    return {
      level: 'fail',
      what,
      detail: `${where} cannot be reached from this machine itself: ${port.failure}.`,
      fix: 'Check that the coordinator runs and listens on that address (setting lanHost), and that a firewall allows the port.',
    };
  // One of several addresses is enough.
  const isOtherwiseReached = ports.some(({ name, failure }) => name === port.name && failure === null);
  return {
    level: isOtherwiseReached ? 'warn' : 'fail',
    what,
    detail: `the coordinator cannot be reached at ${where}: ${port.failure}.`,
    fix: isOtherwiseReached
      ? 'Nothing needs to be done: it is reached at another address.'
      : 'Check that the coordinator is on and on this network, and that its firewall allows the port.',
  };
}

function aboutCoordinator(coordinator: DoctorFacts['coordinator']): Finding {
  const what = 'coordinator';
  if (coordinator === undefined)
    return {
      level: 'warn',
      what,
      detail: 'this device belongs to no farm.',
      fix: 'Join one with `lanyard join`, or make one with `lanyard farm create NAME`.',
    };
  if ('url' in coordinator) return { level: 'ok', what, detail: `answers at ${coordinator.url}, and knows who asks.`, fix: null };
  return { level: 'fail', what, detail: coordinator.failure, fix: coordinator.fix };
}

function aboutClock(clock: ClockReading): Finding {
  const what = 'clock';
  if ('failure' in clock) {
    return {
      level: 'warn',
      what,
      detail: `the coordinator's clock could not be read: ${clock.failure}.`,
      fix: 'Check its address, and that it runs.',
    };
  }
  const { differenceMs, uncertaintyMs } = clock;
  const apartMs = Math.max(0, Math.abs(differenceMs) - uncertaintyMs);
  const detail = `the coordinator's is ${seconds(Math.abs(differenceMs))} ${differenceMs < 0 ? 'behind' : 'ahead'} (give or take ${seconds(uncertaintyMs)}).`;
  if (apartMs < CLOCK_WARN_MS) return { level: 'ok', what, detail, fix: null };
  const fix = 'Set both machines to the time by network (NTP).';
  return { level: apartMs < CLOCK_FAIL_MS ? 'warn' : 'fail', what, detail, fix };
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

function aboutEngine({ name, status }: DoctorFacts['engines'][number]): Finding {
  const what = `executor ${name}`;
  if (status.available) return { level: 'ok', what, detail: status.message, fix: null };
  return { level: 'fail', what, detail: status.message, fix: `Start it, or switch the executor off in this node's settings.` };
}
