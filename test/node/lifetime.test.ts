import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { pathOf } from '../../integrations/kubernetes/client.ts';
import { runCommand } from '../../service/parts/command.ts';
import { startKubernetes } from '../../tools/platform/kubernetes/kubernetes-server.ts';
import { cgroupsOfNode, removeDeadCgroups } from '../../tools/platform/nodes/cgroups.ts';
import { openCluster, until } from '../platform/kubernetes/parts/cluster.ts';
import { processesWith, survivors } from '../processes.ts';

const folders: string[] = [];
const freshFolder = () => {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-dev-'));
  folders.push(folder);
  return folder;
};
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
});

/** Whether this machine has the address, which belongs to the wire to a node. */
const hasAddress = async (address: string): Promise<boolean> => {
  const { stdout } = await runCommand({ command: 'ip', args: ['-brief', 'address'] });
  return stdout.includes(` ${address}/30`);
};
/** The kernel removes the wire shortly after the last process in the namespace at its other end has ended. */
const losesAddress = (address: string): Promise<true> =>
  until(async () => ((await hasAddress(address)) ? undefined : (true as const)), 30_000);
const mounts = (): string => readFileSync('/proc/self/mounts', 'utf8');

interface Held {
  readonly pids: Readonly<Record<string, number>>;
  readonly address: string;
}

describe('a real node', () => {
  test.each(['SIGKILL', 'SIGINT'] as const)(
    'ends with the process that started it when that gets %s, and the next start cleans up what the kernel keeps',
    async (signal) => {
      const folder = freshFolder();
      const parent = spawn(process.execPath, [join(import.meta.dirname, 'lab/hold-lab.ts'), folder], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [chunk] = await once(parent.stdout, 'data');
      const held: Held = JSON.parse(String(chunk));
      const node = held.pids.held ?? 0;
      expect(cgroupsOfNode(node)).not.toEqual([]);
      expect(await hasAddress(held.address)).toBe(true);

      parent.kill(signal);
      expect(await survivors([...Object.values(held.pids), ...processesWith(folder)], 120_000)).toEqual([]);
      await losesAddress(held.address);
      expect(mounts()).not.toContain(folder);
      await removeDeadCgroups();
      expect(cgroupsOfNode(node)).toEqual([]);
    },
  );

  test('leaves nothing behind when it is stopped, and runs alongside another', async () => {
    const options = { kubernetes: { nodes: [], realNodes: ['one', 'two'] } } as const;
    const [first, second] = await Promise.all([
      startKubernetes({ stateDir: freshFolder(), ...options }),
      startKubernetes({ stateDir: freshFolder(), ...options }),
    ]);
    const addresses = [first, second].map(({ realNodes }) => realNodes?.hostAddress ?? '');
    expect(new Set(addresses).size).toBe(2);
    expect(await Promise.all(addresses.map(hasAddress))).toEqual([true, true]);
    const pids = [...Object.values(first.pids()), ...Object.values(second.pids())];
    await Promise.all([first.stop(), second.stop()]);
    expect(await survivors(pids, 0)).toEqual([]);
    await Promise.all(addresses.map(losesAddress));
    expect(pids.flatMap(cgroupsOfNode)).toEqual([]);
    expect(folders.flatMap((folder) => readdirSync(folder))).toEqual(['kubernetes', 'kubernetes']);
  });
});

describe('firebreak dev up --real-nodes', () => {
  const dev = (folder: string, env: NodeJS.ProcessEnv, ...args: readonly string[]) =>
    runCommand({
      command: process.execPath,
      args: [join(import.meta.dirname, '..', 'servers', 'dev-command.ts'), 'dev', ...args, '--state', folder],
      env,
    });

  test('runs containers, says so in status, and leaves nothing of the node after down', async () => {
    const folder = freshFolder();
    const up = await dev(folder, process.env, 'up', '--real-nodes', '1', '--json');
    expect(up).toMatchObject({ code: 0 });
    const { pids, kubernetes, realNodes } = JSON.parse(up.stdout);
    try {
      const status = await dev(folder, process.env, 'status');
      expect(status.stdout).toContain('real-1');
      expect(status.stdout).toContain(realNodes.toolsImage);
      expect(await hasAddress(realNodes.hostAddress)).toBe(true);
      const cluster = await openCluster(kubernetes.kubeconfig);
      // This runs only if a container really runs: nothing simulates its end.
      const tools = { name: 'main', image: realNodes.toolsImage, command: ['/firebreak-tools', 'version'] };
      const path = pathOf({ resource: 'pods', namespace: 'default' });
      await cluster.post(path, { metadata: { name: 'once' }, spec: { restartPolicy: 'Never', containers: [tools] } });
      const ended = await until(async () => {
        const pod = await cluster.pod('default', 'once');
        return pod.status?.containerStatuses?.[0]?.state?.terminated;
      }, 120_000);
      expect(ended).toMatchObject({ exitCode: 0 });
      await cluster.close();
    } finally {
      expect(await dev(folder, process.env, 'down')).toMatchObject({ code: 0 });
    }
    expect(await survivors([...Object.values<number>(pids), ...processesWith(folder)], 0)).toEqual([]);
    expect(cgroupsOfNode(pids['real-1'])).toEqual([]);
    await losesAddress(realNodes.hostAddress);
    expect(mounts()).not.toContain(folder);
    expect(existsSync(realNodes.folder)).toBe(false);
  });

  test('names what the machine lacks before it starts anything', async () => {
    const folder = freshFolder();
    const { code, stderr } = await dev(folder, { PATH: '/nowhere' }, 'up', '--real-nodes', '1');
    expect(code).not.toBe(0);
    expect(stderr).toContain('--real-nodes: go is not on PATH (Go 1.26)');
    expect(processesWith(folder)).toEqual([]);
  });
});
