import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from '@jest/globals';
import { runCommand } from '../../../service/parts/command.ts';
import { projectRoot } from '../../../service/process/project-root.ts';
import { callKubernetes, readAccess } from '../../../tools/platform/kubernetes/kubernetes-api.ts';
import { processesWith, survivors } from '../../processes.ts';

const root = projectRoot();
const scratch = mkdtempSync(join(tmpdir(), 'firebreak-demo-test-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true, maxRetries: 5 }));

const demo = (...args: readonly string[]) =>
  runCommand({ command: 'npm', args: ['run', '--silent', 'demo', '--', ...args], cwd: root });

describe('the demo', () => {
  test('removes the pod with --yes, rotates what it could read, and has the API server confirm it', async () => {
    const { code, stdout, stderr } = await demo('--yes');
    expect({ code, stderr: code === 0 ? '' : `${stderr}${stdout}` }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/\d ms|\d s {2}contained/);
    expect(stdout).toContain('applied, unverified: no policy controller runs here');
    expect(stdout).toMatch(/✔ the pod with uid [0-9a-f]{8}… is gone/);
    expect(stdout).toMatch(/✔ the Deployment orders uses the new Secret cart-db-\S+ and is fully rolled out/);
    expect(stdout).toContain('✔ the suspect never had it');
    expect(stdout).toContain('✔ Every record is covered by a checkpoint.');
    expect(stdout).toContain('Every claim is true.');
    // Not a terminal: no colours, and nothing that moves.
    expect(stdout).not.toContain('\u001b');
  });

  test('releases the pod with --no, which needs two people, restores its labels byte for byte, and prints one JSON summary', async () => {
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
  });

  test('goes on when a person clicks on the page, and exits with 1 when the cluster is not as claimed', async () => {
    const state = join(scratch, 'click');
    const child = start(state);
    const output = await printed(child, 'Choose an answer there');
    const page = /(http:\/\/127\.0\.0\.1:\d+)\/\?user=U0ADA/.exec(output())?.[1] ?? '';
    // The console's address is next to Slack's, and works.
    const consoleUrl = /(http:\S+) {2}the console, for any of them/.exec(output())?.[1] ?? '';
    expect(await (await fetch(consoleUrl)).text()).toContain('<title>Firebreak</title>');
    await deleteOnePod(join(state, 'platform', 'kubernetes', 'pki', 'admin.kubeconfig'), 'web');
    const button = 'No: rotate secrets and delete pod';
    const exit = once(child, 'exit');
    expect(await clickOnPage({ page, user: 'U0GRACE', button })).toBe(true);
    // Another team's Deployment uses the Secret too, so two people are needed. A card that has just changed must be read before it is clicked.
    while (child.exitCode === null) {
      await Promise.race([exit, new Promise((resolve) => setTimeout(resolve, 2_500))]);
      await clickOnPage({ page, user: 'U0ADA', button }).catch(() => false);
    }
    const [code] = await exit;
    expect(output()).toMatch(/✘ the pods of web were not touched: NO, web-\S+ is gone/);
    expect(output()).toMatch(/✔ the pod with uid [0-9a-f]{8}… is gone/);
    expect(code).toBe(1);
  });

  test('says why a folder that is not empty is refused, exits with 2 as for any wrong usage, and starts nothing in it', async () => {
    const { code, stderr } = await demo('--yes', '--state', root);
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('is not empty') });
    expect(existsSync(join(root, 'platform'))).toBe(false);
  });

  test.each([
    { signal: 'SIGINT', code: 130 },
    { signal: 'SIGKILL', code: null },
  ] as const)('leaves no process behind when it gets $signal while it waits for a person', async ({ signal, code }) => {
    const state = join(scratch, signal);
    const child = start(state);
    await printed(child, 'Choose an answer there');
    const servers = processesWith(state).filter((pid) => pid !== child.pid);
    // Temporal, five of Kubernetes, the stand-ins and Firebreak.
    expect(servers.length).toBeGreaterThanOrEqual(8);
    const exit = once(child, 'exit');
    let complaints = '';
    child.stderr?.setEncoding('utf8').on('data', (part: string) => {
      complaints += part;
    });
    child.kill(signal);
    const [ended] = await exit;
    expect({ ended, complaints: ended === code ? '' : complaints }).toEqual({ ended: code, complaints: '' });
    expect(await survivors(servers, 120_000)).toEqual([]);
  });
});

function start(state: string): ChildProcess {
  const args = [join(root, 'service', 'cli.ts'), 'demo', '--state', state];
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  child.stderr?.resume();
  return child;
}

/** Waits until the child has printed the text; its output is collected until it ends. */
async function printed(child: ChildProcess, text: string): Promise<() => string> {
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (part: string) => {
    output += part;
  });
  const deadline = Date.now() + 240_000;
  while (!output.includes(text)) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`the demo did not say “${text}”: ${output}`);
    await sleep(50);
  }
  return () => output;
}

async function deleteOnePod(kubeconfig: string, app: string): Promise<void> {
  const access = readAccess(kubeconfig);
  const pods = '/api/v1/namespaces/shop/pods';
  const { text } = await callKubernetes({ access, path: `${pods}?labelSelector=app%3D${app}` });
  const { items }: { readonly items: readonly { readonly metadata: { readonly name: string } }[] } = JSON.parse(text);
  const { status } = await callKubernetes({ access, path: `${pods}/${items[0]?.metadata.name}`, method: 'DELETE' });
  expect(status).toBe(200);
}

interface ShownMessage {
  readonly channel: string;
  readonly ts: string;
  readonly blocks?: readonly {
    readonly type: string;
    readonly elements?: readonly { readonly text?: { readonly text?: string } }[];
  }[];
}

/** Presses the button and fills in the dialog that it opens, as a person on the page would. False if the button is no longer there. */
async function clickOnPage(click: { readonly page: string; readonly user: string; readonly button: string }): Promise<boolean> {
  const { page, user, button } = click;
  const post = async (name: string, body: object): Promise<{ readonly ok: boolean; readonly result: readonly ShownMessage[] }> =>
    JSON.parse(await (await fetch(`${page}/control/${name}`, { method: 'POST', body: JSON.stringify(body) })).text());
  const { result } = await post('messages', {});
  const card = result.find(({ blocks = [] }) =>
    blocks.some(({ type, elements = [] }) => type === 'actions' && elements.some(({ text }) => text?.text === button)),
  );
  if (!card) return false;
  const { ok } = await post('click', { user, channel: card.channel, ts: card.ts, buttonText: button });
  return ok;
}
