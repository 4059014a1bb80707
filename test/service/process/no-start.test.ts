import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';

const launcher = join(import.meta.dirname, '../../../bin/firebreak.mjs');
const folder = mkdtempSync(join(tmpdir(), 'firebreak-no-start-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** How a service with this configuration ends; it never gets as far as working. */
async function ended(roles: string, more: string) {
  const config = join(folder, `${roles}.yaml`);
  writeFileSync(
    config,
    `cluster: lab
temporal: { address: '127.0.0.1:1' }
intake: { tokens: [{ name: falco, token: { env: FALCO_TOKEN } }] }
roster: { people: [{ id: ada, name: Ada, slack: [U01ADA] }], groups: { oncall: [ada], leads: [ada] } }
${more}
`,
  );
  const env = { ...process.env, FALCO_TOKEN: 'f'.repeat(40), FIREBREAK_STATE_DIR: join(folder, roles) };
  const child = spawn(process.execPath, [launcher, 'run', '--role', roles, '--config', config], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const killer = setTimeout(() => child.kill('SIGKILL'), 240_000);
  const [code, signal] = await once(child, 'close');
  clearTimeout(killer);
  return { code, signal, stderr };
}

test('a service whose port is taken exits, and names the path in the configuration', async () => {
  const taken = createServer();
  taken.listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const { code, signal, stderr } = await ended('desk', `desk: { listen: { port: ${port} } }`);
  taken.close();
  expect({ code, signal }).toEqual({ code: 1, signal: null });
  expect(stderr).toContain(`desk.listen: 127.0.0.1:${port}: something listens there already`);
});

test('a service that cannot read how to reach its cluster exits, and says so', async () => {
  const { code, signal, stderr } = await ended('secrets', 'kubernetes: { kubeconfig: not-there }');
  expect({ code, signal }).toEqual({ code: expect.any(Number), signal: null });
  expect(code).not.toBe(0);
  expect(stderr).toContain('not-there');
});

test('a service with an action that cannot work starts without it, and says so before anything else stops it', async () => {
  const { stderr } = await ended('forensics', 'actions: { optIn: [probeQuarantine] }\nkubernetes: { kubeconfig: not-there }');
  const lines = stderr.split('\n').filter((line) => line.includes('probeQuarantine'));
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    part: 'action probeQuarantine',
    remedy: expect.stringContaining('forensics.toolsImage'),
    msg: 'a part of the configuration cannot work: the service runs without it',
  });
  expect(stderr).toContain('not-there');
});

test.each([
  ['no playbook that exists', 'playbooks: { enabled: [contain-it] }', 'playbooks.enabled[0]: there is no playbook contain-it'],
  [
    'a group that nobody is in',
    'incidents: { levels: [{ group: all, withinMinutes: 5 }] }',
    'incidents.levels[0].group: leases ask the group all',
  ],
])('a service with %s does not start, and says where that is and what to do', async (_name, more, place) => {
  const { code, stderr } = await ended('cell', more);
  expect(stderr).toContain(place);
  expect(code).toBe(1);
});
