import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Client } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import type { Plan } from '../../../core/action/plan.ts';
import type { CellActivities, DeskActivities, StepCall, WarrantActivities } from '../../../core/action/step.ts';
import { answerersTo } from '../../../core/decide/standing.ts';
import { checkVote } from '../../../core/decide/vote-check.ts';
import { incidentIdOf, incidentNames } from '../../../core/incident/incident.ts';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import { digestOf } from '../../../core/text/digest.ts';
import { openSigner } from '../../../integrations/keys/ed25519.ts';
import { loadConfig } from '../../../service/config/load.ts';
import { createVoteKeys } from '../../../service/process/keys/vote-keys.ts';
import { resultOf } from '../../../service/temporal/speaker.ts';
import { firebreakHere, firebreakProcess } from '../../command-line.ts';
import { eventually } from '../../eventually.ts';
import { testPlatform } from '../../platform.ts';
import { bundlePath } from '../../workflows/bundle.ts';
import { alertOf, batchOf, subject } from '../../workflows/people.ts';
import { warrantOf } from '../../workflows/scripted.ts';
import { clientOptions, member, testSpeaker, workerOptions, writePublicKey } from '../../workflows/speakers.ts';

const platform = await testPlatform();
const folder = mkdtempSync(join(tmpdir(), 'firebreak-cli-votes-'));
const codecKey = Buffer.alloc(32, 3).toString('base64');
const configPath = join(folder, 'firebreak.yaml');
const cluster = platform.prefix;

function planOf(call: StepCall): Plan {
  const destructive = call.action === 'deletePod' || call.action === 'rotateSecret';
  return {
    action: call.action,
    effect: destructive ? 'destructive' : call.action === 'quarantinePod' ? 'reversible' : 'read',
    reach: 'pod',
    target: { name: 'pod/shop/cart-1', uid: 'uid-1' },
    changes: [{ target: 'pod/shop/cart-1', what: `does ${call.action}` }],
    blastRadius: ['pod/shop/cart-1'],
    notes: [],
    inputDigest: digestOf(call.input),
  };
}

/** There is no cluster and no Slack here: only votes are checked, but for real. */
function activities(): CellActivities & DeskActivities & WarrantActivities {
  const { roster } = loadConfig({ path: configPath, env: {} });
  const keys = createVoteKeys({ deskPublicKeys: [], roster });
  const evidence = {
    manifestSha256: 'a'.repeat(64),
    target: { name: 'pod/shop/cart-1', uid: 'uid-1' },
    artefacts: [{ name: 'pod.yaml', sha256: 'b'.repeat(64), bytes: 10 }],
  };
  const apply = async (call: StepCall) => ({
    plan: planOf(call),
    output: call.action === 'snapshotPodState' ? { evidence } : { action: call.action },
  });
  return {
    planStep: async (call) => planOf(call),
    issueWarrant: async (call) => warrantOf(call),
    issueReleaseWarrant: async ({ call }) => warrantOf(call),
    applyStep: apply,
    applyStepNow: apply,
    verifyStep: async ({ call }) =>
      call.action === 'deletePod' ? { state: 'verified', detail: 'gone' } : { state: 'unverified', detail: 'applied; no probe' },
    undoStep: async () => ({ state: 'undone', detail: 'as before' }),
    verifyRemark: async () => ({ ok: false, reason: 'none here' }),
    answerersTo: async ({ question }) => answerersTo({ question, roster }, Date.now()),
    verifyVote: async ({ vote, question, level }) => checkVote({ signed: vote, question, level, roster, keys, now: Date.now() }),
    postQuestion: async () => null,
    updateQuestion: async () => undefined,
    postInThread: async () => null,
    showNotice: async () => null,
    answerClick: async () => undefined,
    recordAudit: async (records) => ({ chain: 'x', number: records.at(-1)?.number ?? 0, hash: '0' }),
  };
}

const around = { folder, env: { CODEC_KEY: codecKey } };
const firebreak = (...args: readonly string[]) => firebreakHere(args, around);

let client: Client;
let stop = async (): Promise<void> => undefined;

beforeAll(async () => {
  mkdirSync(join(folder, 'keys'));
  for (const name of ['ada', 'eve', 'stranger']) await openSigner({ file: join(folder, 'keys', `${name}.pem`), create: true });
  writeFileSync(
    configPath,
    `cluster: ${cluster}
temporal: { address: '${platform.temporalAddress}', namespace: ${platform.temporalNamespace}, codecKeys: [{ id: k, key: { env: CODEC_KEY } }] }
intake: { tokens: [{ name: falco, token: { env: FALCO } }] }
trust: { cells: [{ key: '${writePublicKey(folder, member('cell', cluster))}' }] }
roster:
  people:
    - { id: ada, name: Ada, keys: [keys/ada.pem.pub] }
    - { id: eve, name: Eve, keys: [keys/eve.pem.pub] }
  groups: { oncall: [ada], leads: [ada] }
`,
  );
  const namespace = platform.temporalNamespace;
  const speaker = testSpeaker(cluster, { keys: [{ id: 'k', key: Buffer.from(codecKey, 'base64') }], namespace });
  const connection = await NativeConnection.connect({ address: platform.temporalAddress });
  const worker = await Worker.create({
    connection,
    namespace: platform.temporalNamespace,
    taskQueue: cluster,
    workflowBundle: { codePath: await bundlePath() },
    activities: { ...activities() },
    ...workerOptions(speaker),
  });
  const running = worker.run();
  client = new Client({ connection, namespace, ...clientOptions(speaker) });
  stop = async () => {
    worker.shutdown();
    await running;
    await connection.close();
  };
});

afterAll(async () => {
  await stop();
  rmSync(folder, { recursive: true, force: true });
});

async function startIncident(name: string): Promise<string> {
  const own = { ...subject, cluster, name };
  const workflowId = incidentIdOf(own);
  const queues = { cell: cluster, desk: cluster, secrets: cluster, forensics: cluster };
  await client.workflow.start(incidentNames.workflow, {
    workflowId,
    taskQueue: cluster,
    searchAttributes: { FirebreakCluster: [cluster], FirebreakSeverity: ['critical'], FirebreakNamespace: ['shop'] },
    args: [
      {
        start: { subject: own, batch: batchOf([alertOf()]) },
        settings: {
          queues,
          playbooks: ['firebreak/contain-dropped-binary'],
          levels: [{ group: 'oncall', withinMs: 3_600_000 }],
          evidenceDeadlineMs: 60_000,
          lingerMs: 0,
          maxBodies: 4,
        },
      },
    ],
  });
  await until(workflowId, (state) => state.questions.some(({ question }) => !question.id.startsWith('lease:')));
  return workflowId;
}

function until(id: string, check: (state: IncidentState) => boolean): Promise<IncidentState> {
  return eventually('the incident so far', async () => {
    const state = await client.workflow.getHandle(id).query<IncidentState>(incidentNames.stateQuery);
    return check(state) && state;
  });
}

const why = ['--reason', 'seen it'];
const meant = ['--yes', '--target', 'rt-1'];
const as = (person: string, key = person) => ['--as', person, '--key', join(folder, 'keys', `${key}.pem`)];

describe('incidents', () => {
  test('are listed by cluster and severity, shown in full, and watched to their end', async () => {
    const id = await startIncident('listed');
    const listed = await eventually('the incident on the list', async () => {
      const list = await firebreak('incidents', 'list', '--json');
      return list.stdout.includes(id) && list;
    });
    expect(JSON.parse(listed.stdout)).toContainEqual(expect.objectContaining({ incident: id, open: true, severity: 'critical' }));
    expect((await firebreak('incidents', 'list', '--severity', 'low')).stdout).toContain('No open incidents');
    const shown = await firebreak('incidents', 'show', 'shop/Deployment/listed');
    expect(shown.status).toBe(0);
    expect(shown.stdout).toMatch(/Is the new binary in cart-1 expected\?[\s\S]*\(1 person; pod\/shop\/cart-1\)/);
    const ready = /firebreak (answer .*--choice remove) /.exec(shown.stdout)?.[1]?.split(' ') ?? [];
    // It continues while others are asked.
    const watching = firebreakProcess(['incidents', 'watch', id, '--json'], around);
    expect(await firebreak(...ready, ...as('ada'), ...why, ...meant)).toMatchObject({
      status: 0,
    });
    const { status, stdout } = await watching;
    expect(status).toBe(0);
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).kind),
    ).toEqual(expect.arrayContaining(['incident.opened', 'vote.accepted', 'incident.closed']));
    const ended = (await firebreak('incidents', 'show', id)).stdout;
    expect(ended).toContain('closed');
    expect(ended).toMatch(/decided: .*, by Ada \(ada\); asked by playbook\/firebreak\/contain-dropped-binary\n/);
    expect(ended).toMatch(/vote\.accepted .* Ada \(ada\)\n/);
  });

  test('that do not exist are reported as such', async () => {
    const { status, stderr } = await firebreak('incidents', 'show', 'shop/Deployment/none');
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(`there is no incident incident/${cluster}/shop/Deployment/none\n→ .*firebreak incidents list`),
    ]);
  });
});

describe('a vote from the command line', () => {
  test('decides when it is signed by the key in the roster, and first shows what is signed', async () => {
    const id = await startIncident('decides');
    const { status, stdout, stderr } = await firebreak(
      'approve',
      id,
      ...as('ada'),
      '--choice',
      'remove',
      ...why,
      ...meant,
      '--json',
    );
    expect([status, stderr]).toEqual([0, expect.stringContaining('pod/shop/cart-1: does deletePod')]);
    expect(JSON.parse(stdout)).toMatchObject({
      outcome: expect.stringContaining('Decided'),
      vote: { person: 'ada', via: 'cli', reason: 'seen it' },
    });
    const ended: IncidentState = await resultOf(client.workflow.getHandle(id));
    expect(ended.verdict).toBe('true_positive');
  });

  test.each([
    ['by an unknown key', ['ada', 'stranger'], 'signed by a key that may not sign it'],
    ['by somebody else’s key', ['ada', 'eve'], 'signed by a key that may not sign it'],
    ['by a person of the wrong group', ['eve', 'eve'], 'Only oncall may answer'],
    ['by a stranger', ['mallory', 'stranger'], 'not on the roster'],
  ])('is refused with the reason, exit code 1: signed %s', async (_name, [person = '', key = ''], reason) => {
    const id = `incident/${cluster}/shop/Deployment/refused`;
    const running = await client.workflow
      .getHandle(id)
      .describe()
      .catch(() => undefined);
    if (!running) await startIncident('refused');
    const { status, stdout, stderr } = await firebreak('approve', id, ...as(person, key), '--choice', 'remove', ...why, ...meant);
    expect(stderr).toContain('FB_ERR_VOTE_REFUSED');
    expect(stderr).toContain(reason);
    expect([status, stdout]).toEqual([1, '']);
    expect((await until(id, () => true)).questions[0]?.status.state).toBe('open');
  });

  test('is not sent without a readable key, for a choice that does not exist, or as a deny that destroys', async () => {
    const id = await startIncident('unsent');
    const said = ['--choice', 'remove', ...why, ...meant];
    const errorOf = async (...args: readonly string[]) => {
      const { status, stderr } = await firebreak(...args);
      return [
        status,
        stderr
          .split('\n')
          .filter((line) => /^(FB_ERR|→)/.test(line))
          .join('\n'),
      ];
    };
    expect(await errorOf('approve', id, '--as', 'ada', '--key', 'none.pem', ...said)).toEqual([
      1,
      expect.stringMatching(/^FB_ERR_KEY_FILE: .*none\.pem: there is no such file\n→ .*--key/),
    ]);
    expect(await errorOf('approve', id, ...as('ada'), '--choice', 'burn')).toEqual([
      2,
      expect.stringMatching(/^FB_ERR_INCOMPLETE: .*unknown choice burn: use one of .*remove/),
    ]);
    expect(await errorOf('approve', id, ...as('ada'))).toEqual([
      2,
      expect.stringMatching(/^FB_ERR_INCOMPLETE: .*name one with --choice: .*remove/),
    ]);
    expect(await errorOf('deny', id, ...as('ada'), '--choice', 'remove')).toEqual([2, expect.stringContaining('destructive')]);
    expect(await errorOf('approve', id, ...as('ada'), '--choice', 'remove', ...meant)).toEqual([
      2,
      expect.stringMatching(/^FB_ERR_INCOMPLETE: .*--reason/),
    ]);
    expect((await until(id, () => true)).timeline.map(({ kind }) => kind)).not.toContain('vote.refused');
  });

  test('that destroys is not sent without a terminal, unless the command line says so and names what ends', async () => {
    const id = await startIncident('guarded');
    for (const more of [[], ['--yes'], ['--target', 'rt-1']]) {
      const { status, stderr } = await firebreak('approve', id, ...as('ada'), '--choice', 'remove', ...why, ...more);
      expect([status, stderr]).toEqual([2, expect.stringContaining('cannot ask for confirmation without a terminal: add ')]);
      expect(stderr.includes('last 4 characters of cart-1')).toBe(!more.includes('--target'));
    }
    const other = await firebreak('approve', id, ...as('ada'), '--choice', 'remove', ...why, '--yes', '--target', 'rt-2');
    expect([other.status, other.stderr]).toEqual([1, expect.stringContaining('FB_ERR_NOT_CONFIRMED')]);
    const { questions, timeline } = await until(id, () => true);
    expect(questions.flatMap(({ votes }) => votes)).toEqual([]);
    expect(timeline.map(({ kind }) => kind)).not.toContain('vote.refused');
  });

  test('after the decision is told who decided and when; a short name is answered with the full one', async () => {
    const id = await startIncident('settled');
    // The name alone is enough: with the right one the incident is found, also by a pod of it.
    for (const short of ['settled', 'settled-7d9f-x2x8k', 'setled']) {
      const { status, stderr } = await firebreak('approve', short, ...as('ada'), '--choice', 'remove', ...why, ...meant);
      expect([status, stderr]).toEqual([
        1,
        expect.stringMatching(/^FB_ERR_UNKNOWN_ID: .*did you mean shop\/Deployment\/settled\?/),
      ]);
    }
    expect(await firebreak('approve', id, ...as('ada'), '--choice', 'remove', ...why, ...meant)).toMatchObject({ status: 0 });
    const again = await firebreak('approve', id, ...as('ada'), '--choice', 'remove', ...why, ...meant);
    expect([again.status, again.stderr]).toEqual([
      1,
      expect.stringMatching(
        /^FB_ERR_ALREADY_DECIDED: .*“.+”, by Ada \(ada\) at 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC\n→ .*Nothing was sent/,
      ),
    ]);
  });
});

describe('a lease', () => {
  test('is extended, and extended again even though its question is repeated, and is then kept for good', async () => {
    const id = await startIncident('leased');
    const before = (await until(id, (state) => state.leases.length === 1)).leases[0];
    for (const renewals of [1, 2]) {
      const { status, stderr } = await firebreak('lease', 'extend', id, ...as('ada'));
      expect([status, stderr]).toEqual([0, expect.stringContaining('Extend it')]);
      const now = await until(id, (state) => state.leases[0]?.renewals === renewals);
      expect(now.leases[0]?.until).toBeGreaterThan(before?.until ?? 0);
    }
    const unsaid = await firebreak('lease', 'release', id, ...as('eve'), ...why);
    expect([unsaid.status, unsaid.stderr]).toEqual([2, expect.stringContaining('add --yes and --target')]);
    // A card asks the same question.
    const twice = await firebreak('lease', 'release', id, ...as('ada'), ...why, ...meant);
    expect([twice.status, twice.stderr]).toEqual([
      1,
      expect.stringMatching(
        /^FB_ERR_REFUSED: .*“Is the new binary in cart-1 expected\?” Answer that question\. .*firebreak answer \S+ --question \S+/,
      ),
    ]);
    expect((await firebreak('lease', 'keep', id, ...as('ada'))).status).toBe(0);
    await until(id, (state) => state.leases[0]?.state === 'permanent');
    const late = await firebreak('lease', 'extend', id, ...as('ada'));
    expect([late.status, late.stderr]).toEqual([
      1,
      expect.stringMatching(
        /^FB_ERR_NOT_OPEN: .*no lease is active: .*\(quarantinePod on pod\/shop\/cart-1\) is permanent\n→ .*incidents show/,
      ),
    ]);
  });
});
