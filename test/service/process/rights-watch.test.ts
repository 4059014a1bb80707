import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import pino from 'pino';
import type { Pool } from '../../../core/action/action.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { KubernetesCall } from '../../../integrations/kubernetes/call.ts';
import { createKubernetesApi, type KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { unreachableRemedy } from '../../../integrations/kubernetes/client-error.ts';
import type { ClusterAccess } from '../../../integrations/kubernetes/kubeconfig.ts';
import { loadConfig } from '../../../service/config/load.ts';
import { RightsWatch } from '../../../service/process/rights-watch.ts';
import { RefusedCalls } from '../../../service/process/speakers.ts';
import { createProcessMetrics, listenForStatus } from '../../../service/process/status-server.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-rights-watch-'));
afterAll(() => rmSync(folder, { recursive: true }));

const path = join(folder, 'firebreak.yaml');
writeFileSync(
  path,
  `cluster: lab
intake: { tokens: [{ name: falco, token: { env: FALCO_TOKEN } }] }
roster: { people: [{ id: ada, name: Ada, slack: [U01ADA] }], groups: { oncall: [ada], leads: [ada] } }
kubernetes: { kubeconfig: k, ownNamespace: security }
actions: { optIn: [cutConnections] }
forensics: { toolsImage: images.internal/firebreak-tools@sha256:${'0'.repeat(64)} }
`,
);
const config = loadConfig({ path, env: {} });

type Answer = (right: Readonly<Record<string, string>>) => boolean;

/** A pool whose API server answers as `answers` currently says, and what the log says about it. */
function watched(pool: Pool, answers: { now: Answer }) {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const json = async ({ body }: KubernetesCall) => ({
    status: { allowed: answers.now((body as { spec: { resourceAttributes: Record<string, string> } }).spec.resourceAttributes) },
  });
  const rights = new RightsWatch({ api: { json } as unknown as KubernetesApi, pools: [pool], config, log });
  const said = () =>
    lines.splice(0).map(({ level, right, neededBy, reason }) => (reason === undefined ? [level, right, neededBy] : reason));
  return { rights, said };
}

const [info, warn] = [30, 40];
const all: Answer = () => true;
const noPatch: Answer = ({ verb, resource }) => !(verb === 'patch' && resource === 'pods');
const away: Answer = () => {
  throw new FirebreakError('FB_ERR_UNAVAILABLE', 'away');
};

test('a right that an action lacks is reported once, before any attack, and again when it is granted', async () => {
  const answers = { now: all };
  const { rights, said } = watched('cell', answers);
  expect(await rights.look()).toBe(true);
  expect(said()).toEqual([]);
  answers.now = noPatch;
  await rights.look();
  await rights.look();
  expect(said()).toEqual([[warn, 'patch pods', ['quarantinePod', 'quarantineWorkload']]]);
  expect(rights.missing().get('cell')).toEqual([{ right: 'patch pods', neededBy: ['quarantinePod', 'quarantineWorkload'] }]);
  answers.now = all;
  await rights.look();
  expect(said()).toEqual([[info, 'patch pods', ['quarantinePod', 'quarantineWorkload']]]);
  expect(rights.missing().get('cell')).toEqual([]);
});

test('rights in Firebreak’s own namespace are checked where it runs', async () => {
  const answers: { now: Answer } = { now: ({ namespace }) => namespace === undefined || namespace === 'security' };
  const { rights, said } = watched('forensics', answers);
  await rights.look();
  expect(said()).toEqual([]);
  answers.now = ({ namespace }) => namespace === undefined;
  await rights.look();
  expect(said()).toEqual([
    [warn, 'create pods in its own namespace', ['cutConnections']],
    [warn, 'delete pods in its own namespace', ['cutConnections']],
  ]);
});

test('if the API server cannot be reached, the log says where it was looked for and what to set, as the doctor does, once', async () => {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const closed = createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const server = `https://127.0.0.1:${(closed.address() as AddressInfo).port}`;
  closed.close();
  await once(closed, 'close');
  const api = createKubernetesApi({
    access: { server, context: 'lab', tls: {}, authorization: async () => undefined } as unknown as ClusterAccess,
  });
  try {
    const rights = new RightsWatch({ api, pools: ['cell'], config, log });
    expect([await rights.look(), await rights.look()]).toEqual([false, false]);
    expect(lines).toMatchObject([
      { level: 50, server, reason: expect.stringContaining('ECONNREFUSED'), remedy: unreachableRemedy },
      { level: warn, server, msg: 'the API server still does not answer' },
    ]);
    expect(lines[0]?.remedy).toMatch(/NetworkPolicy firebreak-ROLE .* networkPolicy\.apiServerPort .* endpointslices/);
  } finally {
    api.close();
  }
});

test('if nothing answers, that is reported, and what was known before stays valid', async () => {
  const answers = { now: noPatch };
  const { rights, said } = watched('cell', answers);
  await rights.look();
  said();
  answers.now = away;
  expect(await rights.look()).toBe(false);
  expect(said()).toEqual([expect.stringContaining('away')]);
  expect(rights.missing().get('cell')).toHaveLength(1);
});

test('a probe gets 503 with the reason until the pool is working with all its rights', async () => {
  const answers = { now: away };
  const { rights } = watched('cell', answers);
  let isAtWork = false;
  const refused = new RefusedCalls(pino({ level: 'silent' }));
  const parts = { rights, isAtWork: () => isAtWork };
  const metrics = createProcessMetrics({ ...parts, refused });
  const server = await listenForStatus({ host: '127.0.0.1', port: 0, ...parts, metrics });
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const ask = async (path: string) => {
      const response = await fetch(`${url}${path}`);
      return [response.status, await response.text()] as const;
    };
    const ready = async () => {
      const [status, text] = await ask('/readyz?verbose');
      return [status, JSON.parse(text)];
    };
    expect(await ready()).toEqual([503, { status: 'not ready', reason: 'not at work: waiting for Temporal' }]);
    isAtWork = true;
    await rights.look();
    expect(await ready()).toEqual([
      503,
      { status: 'not ready', reason: expect.stringMatching(/^the API server has not yet reported .*: cell$/) },
    ]);
    expect((await ask('/metrics'))[1]).not.toContain('firebreak_missing_rights{');
    answers.now = noPatch;
    await rights.look();
    const missingRights = { cell: [{ right: 'patch pods', neededBy: ['quarantinePod', 'quarantineWorkload'] }] };
    expect(await ready()).toEqual([503, { status: 'not ready', reason: 'rights are missing: cell', missingRights }]);
    expect((await ask('/metrics'))[1]).toMatch(/^firebreak_at_work 1[\s\S]*^firebreak_missing_rights{pool="cell"} 1$/m);
    const refusals = async () => (await ask('/metrics'))[1].match(/^(# TYPE )?firebreak_refused_calls_total.*$/gm);
    expect(await refusals()).toEqual(['# TYPE firebreak_refused_calls_total counter']);
    for (const times of [1, 2]) {
      refused.add({ activity: 'applyStep', why: 'unsigned' });
      const line = `firebreak_refused_calls_total{activity="applyStep",why="unsigned"} ${times}`;
      expect(await refusals()).toEqual(['# TYPE firebreak_refused_calls_total counter', line]);
    }
    answers.now = all;
    await rights.look();
    expect(await ready()).toEqual([200, { status: 'ready' }]);
    expect((await ask('/healthz'))[0]).toBe(200);
    expect((await ask('/v1/alerts'))[0]).toBe(404);
  } finally {
    server.close();
  }
});

test('a process that runs without a part of its configuration is ready, and names the part', async () => {
  const leftOut = ['a problem', 'another'].map((problem) => ({
    part: 'tickets.jira',
    path: 'tickets.jira.url',
    problem,
    remedy: 'Correct it.',
  }));
  const refused = new RefusedCalls(pino({ level: 'silent' }));
  const isAtWork = () => true;
  const metrics = createProcessMetrics({ refused, isAtWork, leftOut });
  const server = await listenForStatus({ host: '127.0.0.1', port: 0, rights: undefined, isAtWork, leftOut, metrics });
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const ready = await fetch(`${url}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([
      200,
      { status: 'ready', leftOut: ['a problem', 'another'].map((problem) => ({ part: 'tickets.jira', problem })) },
    ]);
    expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/^firebreak_configuration_left_out 1$/m);
  } finally {
    server.close();
  }
});
