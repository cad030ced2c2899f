import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { promisify } from 'node:util';

/**
 * A LAN on one machine: hosts are network namespaces, joined by a bridge that stands in a namespace of its own (in the
 * main one a container engine's forwarding rules would cut it). Everything is named after this process, so that what a
 * crashed run left is known and removed by the next one. Linux, root and iproute2 are needed.
 */
export interface Lan {
  /** Adds a host that is plugged in, with the next address of 10.77.0.0/24. */
  addHost(): Promise<Host>;
  /** Lays a cable from one host straight to another: eth1 on both, 10.78.0.1/24 and 10.78.0.2/24. */
  connect(one: Host, other: Host): Promise<void>;
  /** Ends what was started on the hosts, and removes them. */
  close(): Promise<void>;
}

export interface Host {
  /** Of its network namespace. */
  readonly name: string;
  /** IPv4. Changes with `setAddress`. */
  readonly address: string;
  /** Starts a program on the host; killed with the LAN at the latest. */
  spawn(command: string, args: readonly string[]): ChildProcess;
  /** Runs a program on the host to its end. @returns its stdout */
  run(command: string, args: readonly string[]): Promise<string>;
  /** Pulls the cable, at the switch's end. */
  unplug(): Promise<void>;
  plug(): Promise<void>;
  /** Takes another address of 10.77.0.0/24. */
  setAddress(address: string): Promise<void>;
}

const execute = promisify(execFile);
const ip = (...args: string[]) => execute('ip', args);

/** `lanyard-PID-NAME`; pids tell crashed runs from those beside this one. */
const NAMESPACE = /^lanyard-(\d+)-\w+/;

/** @returns why there can be no LAN here, or undefined when there can be */
export function lanUnavailable(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces are a thing of Linux';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  const probe = `lanyard-${process.pid}-probe`;
  try {
    execFileSync('ip', ['netns', 'add', probe], { stdio: 'pipe' });
    execFileSync('ip', ['netns', 'delete', probe], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return `a network namespace cannot be made: ${(error as Error).message.split('\n')[0]}`;
  }
}

export async function createLan(): Promise<Lan> {
  await removeStrays();
  const switchName = `lanyard-${process.pid}-switch`;
  const names = [switchName];
  const children = new Set<ChildProcess>();
  let hosts = 0;
  await ip('netns', 'add', switchName);
  await ip('-n', switchName, 'link', 'add', 'br0', 'type', 'bridge', 'mcast_snooping', '0');
  await ip('-n', switchName, 'link', 'set', 'br0', 'up');

  return {
    async addHost() {
      hosts += 1;
      const number = hosts;
      const name = `lanyard-${process.pid}-${number}`;
      await ip('netns', 'add', name);
      names.push(name);
      const port = `port${number}`;
      await ip('link', 'add', 'eth0', 'netns', name, 'type', 'veth', 'peer', 'name', port, 'netns', switchName);
      await ip('-n', name, 'link', 'set', 'lo', 'up');
      await ip('-n', switchName, 'link', 'set', port, 'master', 'br0', 'up');
      const host = createHost(name, { switchName, port, children });
      await host.setAddress(`10.77.0.${number}`);
      return host;
    },
    async connect(one, other) {
      await ip('link', 'add', 'eth1', 'netns', one.name, 'type', 'veth', 'peer', 'name', 'eth1', 'netns', other.name);
      for (const [{ name }, address] of [[one, '10.78.0.1/24'] as const, [other, '10.78.0.2/24'] as const]) {
        await ip('-n', name, 'address', 'add', address, 'dev', 'eth1');
        await ip('-n', name, 'link', 'set', 'eth1', 'up');
      }
    },
    async close() {
      await Promise.all([...children].map(end));
      for (const name of names.reverse()) await ip('netns', 'delete', name);
    },
  };
}

function createHost(name: string, lan: { switchName: string; port: string; children: Set<ChildProcess> }): Host {
  let address = '';
  return {
    name,
    get address() {
      return address;
    },
    spawn(command, args) {
      const child = spawn('ip', ['netns', 'exec', name, command, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
      lan.children.add(child);
      child.once('exit', () => lan.children.delete(child));
      return child;
    },
    async run(command, args) {
      return (await ip('netns', 'exec', name, command, ...args)).stdout;
    },
    async unplug() {
      await ip('-n', lan.switchName, 'link', 'set', lan.port, 'down');
    },
    async plug() {
      await ip('-n', lan.switchName, 'link', 'set', lan.port, 'up');
    },
    async setAddress(next) {
      await ip('-n', name, 'address', 'flush', 'dev', 'eth0');
      await ip('-n', name, 'address', 'add', `${next}/24`, 'broadcast', '+', 'dev', 'eth0');
      await ip('-n', name, 'link', 'set', 'eth0', 'up');
      // So that programs which name no interface have one for their multicast.
      await ip('-n', name, 'route', 'replace', 'default', 'dev', 'eth0');
      address = next;
    },
  };
}

/** `ip netns exec` replaces itself by the program: the child's pid is the program's. */
function end(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}

/** Removes what test runs left that no longer live: their programs first, as these keep a namespace alive. */
async function removeStrays(): Promise<void> {
  const { stdout } = await ip('netns', 'list');
  for (const line of stdout.split('\n')) {
    const [name, pid] = NAMESPACE.exec(line) ?? [];
    if (name === undefined || isAlive(Number(pid))) continue;
    const pids = (await ip('netns', 'pids', name)).stdout.split('\n').filter((text) => text !== '');
    for (const one of pids) kill(Number(one));
    await ip('netns', 'delete', name);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
