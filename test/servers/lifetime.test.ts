import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { searchAttributes } from '../../core/incident/search-attributes.ts';
import { processExists } from '../../integrations/running-process.ts';
import { runCommand } from '../../service/parts/command.ts';
import { startKubernetes } from '../../tools/platform/kubernetes/kubernetes-server.ts';
import { startTemporal } from '../../tools/platform/temporal-server.ts';
import { processesWith, survivors } from '../processes.ts';

const folders: string[] = [];
const freshFolder = () => {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-dev-'));
  folders.push(folder);
  return folder;
};
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

describe('the servers of the local platform', () => {
  test.each([
    { signal: 'SIGKILL', parts: 'both', servers: 6 },
    { signal: 'SIGINT', parts: 'temporal', servers: 1 },
    { signal: 'SIGTERM', parts: 'temporal', servers: 1 },
  ] as const)('all end when the process that started them gets $signal', async ({ signal, parts, servers }) => {
    const program = join(import.meta.dirname, 'hold-platform.ts');
    const parent = spawn(process.execPath, [program, freshFolder(), parts], { stdio: ['ignore', 'pipe', 'inherit'] });
    const pids: number[] = JSON.parse(await firstLine(parent));
    expect(pids).toHaveLength(servers);
    expect(await survivors(pids, 0)).toEqual(pids);
    parent.kill(signal);
    expect(await survivors(pids, 120_000)).toEqual([]);
  });

  test('all end when the process that started them dies before they are ready', async () => {
    const folder = freshFolder();
    const parent = spawn(process.execPath, [join(import.meta.dirname, 'hold-platform.ts'), folder, 'both'], { stdio: 'ignore' });
    while (processesWith(folder).length < 3) await sleep(10);
    parent.kill('SIGKILL');
    expect(await survivors(processesWith(folder), 120_000)).toEqual([]);
    expect(processesWith(folder).filter(processExists)).toEqual([]);
  });

  test('Temporal keeps its workflows, address and search attributes after a kill -9', async () => {
    const temporal = await startTemporal({ stateDir: freshFolder(), temporal: { extraNamespaces: ['second'] } });
    const start = await Connection.connect({ address: temporal.address });
    const options = { workflowId: 'kept', taskQueue: 'nobody-works-here' };
    await new Client({ connection: start }).workflow.start('anything', options);
    await start.close();
    const { address, pid } = temporal;
    await temporal.restart();
    expect(temporal).toMatchObject({ address });
    expect(temporal.pid).not.toBe(pid);
    const connection = await Connection.connect({ address });
    const description = await new Client({ connection }).workflow.getHandle('kept').describe();
    expect(description.status.name).toBe('RUNNING');
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: 'second' });
    expect(Object.keys(customAttributes ?? {})).toEqual(expect.arrayContaining(searchAttributes.map(({ name }) => name)));
    await connection.close();
    await temporal.stop();
  });

  test('Kubernetes keeps its objects after a kill -9 of its API server', async () => {
    const kubernetes = await startKubernetes({ stateDir: freshFolder(), kubernetes: { nodes: ['only'] } });
    const { pids, server } = kubernetes;
    const before = pids();
    await kubernetes.restart('kube-apiserver');
    const after = kubernetes.pids();
    expect(after['kube-apiserver']).not.toBe(before['kube-apiserver']);
    expect(after.etcd).toBe(before.etcd);
    expect(kubernetes.server).toBe(server);
    await kubernetes.stop();
    expect(await survivors([...Object.values(before), ...Object.values(after)], 0)).toEqual([]);
  });
});

describe('firebreak dev', () => {
  test('leaves the servers running after up, says so in status, and ends them with down', async () => {
    const folder = freshFolder();
    const dev = (...args: readonly string[]) =>
      runCommand({
        command: process.execPath,
        args: [join(import.meta.dirname, 'dev-command.ts'), 'dev', ...args, '--state', folder, '--json'],
      });
    expect((await dev('status')).code).toBe(1);
    const up = await dev('up', '--nodes', '1');
    expect(up.code).toBe(0);
    const pids: readonly number[] = Object.values(JSON.parse(up.stdout).pids);
    try {
      expect(await survivors(pids, 500)).toEqual(pids);
      const again = await dev('up');
      expect(Object.values(JSON.parse(again.stdout).pids)).toEqual(pids);
      expect(again.stderr).toContain(`Nothing was started: the platform in ${folder}`);
      const status = await dev('status');
      expect(status.code).toBe(0);
      expect(JSON.parse(status.stdout).servers).toHaveLength(6);
    } finally {
      const down = await dev('down');
      expect(JSON.parse(down.stdout)).toEqual({ ended: 6, removed: [] });
    }
    expect(await survivors(pids, 0)).toEqual([]);
    expect((await dev('status')).code).toBe(1);
    const data = ['kubernetes', 'temporal'];
    expect(readdirSync(folder).toSorted()).toEqual(data);
    mkdirSync(join(folder, 'ours'));
    const removed = data.map((name) => join(folder, name));
    expect(JSON.parse((await dev('down', '--remove-data')).stdout)).toEqual({ ended: 0, removed });
    expect(readdirSync(folder)).toEqual(['ours']);
  });

  test('gives a second folder a platform with data and ports of its own, next to the first', async () => {
    const [first, second] = [freshFolder(), freshFolder()];
    const dev = (...args: readonly string[]) =>
      runCommand({ command: process.execPath, args: [join(import.meta.dirname, 'dev-command.ts'), 'dev', ...args, '--json'] });
    const up = async (state: string) => {
      const { code, stdout, stderr } = await dev('up', '--nodes', '0', '--state', state);
      expect({ state, code, started: !stderr.includes('Nothing was started') }).toEqual({ state, code: 0, started: true });
      return JSON.parse(stdout);
    };
    try {
      const [one, other] = [await up(first), await up(second)];
      expect([one.stateDir, other.stateDir]).toEqual([first, second]);
      expect(one.temporal.address).not.toBe(other.temporal.address);
      expect(one.kubernetes.server).not.toBe(other.kubernetes.server);
      // A port that the first one has is refused with its folder, and nothing of the second is touched.
      const port = one.temporal.address.split(':')[1];
      const refused = await dev('up', '--state', freshFolder(), '--port', port);
      expect(refused.code).not.toBe(0);
      expect(refused.stderr + refused.stdout).toContain(`the local platform in ${first}`);
      expect(JSON.parse((await dev('down', '--state', first)).stdout).ended).toBe(Object.keys(one.pids).length);
      const states: readonly { readonly running: boolean }[] = JSON.parse(
        (await dev('status', '--state', second)).stdout,
      ).servers;
      expect(states.every(({ running }) => running)).toBe(true);
    } finally {
      for (const state of [first, second]) await dev('down', '--state', state);
    }
  });
});

async function firstLine(child: ChildProcess): Promise<string> {
  if (!child.stdout) throw new Error('no stdout');
  const [chunk] = await once(child.stdout, 'data');
  return String(chunk).trim();
}
