import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from '@jest/globals';
import { runCommand } from '../../../service/dev/command.ts';
import { projectRoot } from '../../../service/dev/project-root.ts';
import { processesWith, survivors } from '../../processes.ts';

const root = projectRoot();
const scratch = mkdtempSync(join(tmpdir(), 'firebreak-demo-test-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true, maxRetries: 5 }));

const demo = (...args: readonly string[]) =>
  runCommand({ command: 'npm', args: ['run', '--silent', 'demo', '--', ...args], cwd: root });

describe('the demo', () => {
  test('with --yes removes the pod, rotates what it could read, and has the API server confirm it', async () => {
    const { code, stdout, stderr } = await demo('--yes');
    expect({ code, stderr: code === 0 ? '' : `${stderr}${stdout}` }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/\d ms|\d s {2}contained/);
    expect(stdout).toContain('applied, unverified: no policy controller runs here');
    expect(stdout).toMatch(/✔ the pod with uid [0-9a-f]{8}… is gone/);
    expect(stdout).toMatch(/✔ the Deployment orders runs with the new Secret cart-db-\S+ and is rolled out/);
    expect(stdout).toContain('✔ the suspect never had it');
    expect(stdout).toContain('✔ Every record is covered by a checkpoint.');
    expect(stdout).toContain('Everything is as claimed.');
    // Not on a terminal: no colours, nothing that moves.
    expect(stdout).not.toContain('\u001b');
  }, 180_000);

  test('with --no gives the pod back byte for byte, which two people must say, and prints one JSON summary', async () => {
    const { code, stdout, stderr } = await demo('--no', '--json');
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    expect(stderr).toContain('(2 of 2, decided)');
    const summary: unknown = JSON.parse(stdout);
    expect(summary).toMatchObject({ ok: true, outcome: 'release', verdict: 'benign', audit: { ok: true, notCovered: [] } });
    expect(summary).toHaveProperty(
      'claims',
      expect.arrayContaining([{ ok: true, text: 'its labels are byte for byte what they were' }]),
    );
    expect(summary).not.toHaveProperty('folder');
  }, 180_000);

  test('says what is wrong with a folder that holds something, and starts nothing in it', async () => {
    const { code, stderr } = await demo('--yes', '--state', root);
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('is not empty') });
    expect(existsSync(join(root, 'platform'))).toBe(false);
  }, 60_000);

  test.each([
    { signal: 'SIGINT', code: 130 },
    { signal: 'SIGKILL', code: null },
  ] as const)(
    'leaves no process behind when it gets $signal while it waits for a person',
    async ({ signal, code }) => {
      const state = join(scratch, signal);
      const child = spawn(process.execPath, [join(root, 'dist', 'service', 'cli.js'), 'demo', '--state', state], {
        cwd: root,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await printed(child, 'Click there');
      const servers = processesWith(state).filter((pid) => pid !== child.pid);
      // Temporal, five of Kubernetes, the stand-ins and Firebreak.
      expect(servers.length).toBeGreaterThanOrEqual(8);
      const exit = once(child, 'exit');
      child.kill(signal);
      expect((await exit)[0]).toBe(code);
      expect(await survivors(servers, 15_000)).toEqual([]);
    },
    120_000,
  );
});

async function printed(child: ChildProcess, text: string): Promise<void> {
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (part: string) => {
    output += part;
  });
  const deadline = Date.now() + 90_000;
  while (!output.includes(text)) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`the demo did not say “${text}”: ${output}`);
    await sleep(50);
  }
}
