import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { runCommand } from '../../service/dev/command.ts';
import { startKubernetes } from '../../service/dev/kubernetes-server.ts';
import { removeDeadCgroups } from '../../service/dev/nodes/cgroups.ts';
import { cgroupHierarchies } from '../../service/dev/nodes/parts.mjs';
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

/** Whether this machine has the address: it is of the wire to a node. */
const hasAddress = async (address: string): Promise<boolean> => {
  const { stdout } = await runCommand({ command: 'ip', args: ['-brief', 'address'] });
  return stdout.includes(` ${address}/30`);
};
const cgroupsOf = (pid: number): readonly string[] =>
  cgroupHierarchies()
    .map((folder) => join(folder, `firebreak-node-${pid}`))
    .filter((folder) => existsSync(folder));
const mounts = (): string => readFileSync('/proc/self/mounts', 'utf8');

interface Held {
  readonly pids: Readonly<Record<string, number>>;
  readonly address: string;
}

describe('a real node', () => {
  test.each(['SIGKILL', 'SIGINT'] as const)(
    'ends with the process that started it when that gets %s, and the next start takes away what the kernel keeps',
    async (signal) => {
      const folder = freshFolder();
      const parent = spawn(process.execPath, [join(import.meta.dirname, 'hold-lab.ts'), folder], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [chunk] = await once(parent.stdout, 'data');
      const held: Held = JSON.parse(String(chunk));
      const node = held.pids.held ?? 0;
      expect(cgroupsOf(node)).not.toEqual([]);
      expect(await hasAddress(held.address)).toBe(true);

      parent.kill(signal);
      expect(await survivors([...Object.values(held.pids), ...processesWith(folder)], 15_000)).toEqual([]);
      expect(await hasAddress(held.address)).toBe(false);
      expect(mounts()).not.toContain(folder);
      await removeDeadCgroups();
      expect(cgroupsOf(node)).toEqual([]);
    },
    120_000,
  );

  test('leaves nothing when it is stopped, and runs beside another', async () => {
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
    expect(await Promise.all(addresses.map(hasAddress))).toEqual([false, false]);
    expect(pids.flatMap(cgroupsOf)).toEqual([]);
    expect(folders.flatMap((folder) => readdirSync(folder))).toEqual(['kubernetes', 'kubernetes']);
  }, 120_000);
});
