import { readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { FirebreakError } from '../../../core/errors.ts';
import { runCommand } from '../../../service/parts/command.ts';

/** Maximum number of nodes per lab: each has a quarter of the lab's pod addresses. */
export const mostNodes = 4;

/**
 * The addresses of one node. All are from 198.18.0.0/15, which is reserved for benchmarks (RFC 2544) and so is nobody's network. `lab` separates labs that run
 * side by side on one machine.
 */
export interface NodeAddresses {
  readonly lab: number;
  readonly index: number;
  /** Address of this machine, as the node and its pods reach it. */
  readonly host: string;
  readonly node: string;
  readonly podRange: string;
  /** Range of all nodes of the lab together. */
  readonly labPodRange: string;
}

export function addressesOf(lab: number, index: number): NodeAddresses {
  return {
    lab,
    index,
    host: `198.18.${lab}.${4 * index + 1}`,
    node: `198.18.${lab}.${4 * index + 2}`,
    podRange: `198.19.${lab}.${64 * index}/26`,
    labPodRange: `198.19.${lab}.0/24`,
  };
}

/** Waits until the process has moved from this process' network namespace to its own. */
export async function ownNetworkOf(pid: number): Promise<void> {
  for (let turn = 0; turn < 200; turn += 1) {
    if (networkOf(pid) !== networkOf(process.pid)) return;
    await sleep(10);
  }
  throw new FirebreakError('FB_ERR_PLATFORM_START', `process ${pid} has no network of its own after 2 s`);
}

/**
 * Connects the network of the process `pid` to this machine with a pair of interfaces. The pair disappears with that process, so that nothing has to be cleaned
 * up. The first node of a lab takes the first number that is free on this machine.
 */
export async function joinHost(options: {
  readonly pid: number;
  readonly index: number;
  readonly lab?: number;
}): Promise<NodeAddresses> {
  const { pid, index } = options;
  for (let lab = options.lab ?? 0; lab < 256; lab += 1) {
    const name = `fb${lab}n${index}`;
    const made = await runCommand({
      command: 'ip',
      args: ['link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(pid)],
    });
    if (made.code !== 0 && options.lab === undefined && made.stderr.includes('File exists')) continue;
    if (made.code !== 0) throw new FirebreakError('FB_ERR_PLATFORM_START', `ip link add ${name}: ${made.stderr.trim()}`);
    const addresses = addressesOf(lab, index);
    await ip(undefined, `addr add ${addresses.host}/30 dev ${name}`, `link set ${name} up`);
    await ip(
      pid,
      `addr add ${addresses.node}/30 dev eth0`,
      'link set eth0 up',
      'link set lo up',
      `route add default via ${addresses.host}`,
    );
    await ip(undefined, `route add ${addresses.podRange} via ${addresses.node} dev ${name}`);
    return addresses;
  }
  throw new FirebreakError('FB_ERR_PLATFORM_START', 'all 256 networks for labs are in use');
}

/** Connects two nodes of a lab, so that their pods reach each other without going through this machine. */
export async function joinNodes(
  a: NodeAddresses & { readonly pid: number },
  b: NodeAddresses & { readonly pid: number },
): Promise<void> {
  const first = 128 + 4 * (a.index * mostNodes + b.index);
  const [here, there] = [`198.18.${a.lab}.${first + 1}`, `198.18.${a.lab}.${first + 2}`];
  const [toB, toA] = [`node${b.index}`, `node${a.index}`];
  await ip(
    a.pid,
    `link add ${toB} type veth peer name ${toA} netns ${b.pid}`,
    `addr add ${here}/30 dev ${toB}`,
    `link set ${toB} up`,
  );
  await ip(b.pid, `addr add ${there}/30 dev ${toA}`, `link set ${toA} up`, `route add ${a.podRange} via ${here} dev ${toA}`);
  await ip(a.pid, `route add ${b.podRange} via ${there} dev ${toB}`);
}

/** Runs `ip` commands, in the network of a process if one is given. */
async function ip(pid: number | undefined, ...commands: readonly string[]): Promise<void> {
  const [command, ...before] = pid === undefined ? ['ip'] : ['nsenter', '--net', '--target', String(pid), 'ip'];
  for (const words of commands) {
    const { code, stderr } = await runCommand({ command: command ?? 'ip', args: [...before, ...words.split(' ')] });
    if (code !== 0) throw new FirebreakError('FB_ERR_PLATFORM_START', `ip ${words}: ${stderr.trim()}`);
  }
}

function networkOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    throw new FirebreakError('FB_ERR_PLATFORM_START', `process ${pid}, the first of a node, has exited`);
  }
}
