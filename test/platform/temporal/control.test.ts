import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { NativeConnection, type Worker } from '@temporalio/worker';
import { createControlActivities } from '../../../activities/control/control.ts';
import type { CellActivities, DeskActivities } from '../../../core/action/step.ts';
import { voteBytes } from '../../../core/decide/approval.ts';
import { type ControlState, controlNames } from '../../../core/decide/control.ts';
import { questionOf } from '../../../core/decide/decision.ts';
import { checkVote } from '../../../core/decide/vote-check.ts';
import type { QuestionState } from '../../../core/incident/incident-state.ts';
import { controlIdOf, type EndDecision } from '../../../core/orders/order.ts';
import type { ProposeRestraint } from '../../../core/orders/restraint.ts';
import { DecisionBook } from '../../../service/cell/control/decision-book.ts';
import { followControl, Pace } from '../../../service/cell/control/follow.ts';
import { readBuild, type WorkflowBuild } from '../../../service/temporal/bundle/bundle.ts';
import { makeCurrent } from '../../../service/temporal/versions.ts';
import { createActivityWorker, createCellWorker } from '../../../service/temporal/workers.ts';
import { eventually } from '../../eventually.ts';
import { testPlatform } from '../../platform.ts';
import { bundlePath } from '../../workflows/bundle.ts';
import {
  beliefsAt,
  noisyAlert,
  proposalOf,
  roster,
  signature,
  signedOrder,
  termsOf,
  voteKeys,
} from '../../workflows/control/control-harness.ts';
import { clientOptions, member, testSpeaker } from '../../workflows/speakers.ts';

const { temporalAddress, temporalNamespace, prefix } = await testPlatform();
const folder = mkdtempSync(join(tmpdir(), 'firebreak-control-'));
const cluster = prefix;
const queues = { cell: `${prefix}-cell`, desk: `${prefix}-desk` };
const deployment = `${prefix}-deployment`;
const beliefs = () => ({ ...beliefsAt(Date.now()), cluster });
const log = { info: () => {}, warn: () => {} };
const levels = [{ group: 'oncall', withinMs: 900_000 }];

const speaker = testSpeaker(cluster, { namespace: temporalNamespace });
let connection: NativeConnection;
let client: Client;
const running: { worker: Worker; run: Promise<void> }[] = [];

const desk: DeskActivities = {
  postQuestion: async () => null,
  updateQuestion: async () => undefined,
  postInThread: async () => null,
  showNotice: async () => null,
  answerClick: async () => undefined,
  recordAudit: async (records) => ({ chain: 'x', number: records.at(-1)?.number ?? 0, hash: '0' }),
};
const verifyVote: CellActivities['verifyVote'] = async ({ vote, question, level }) =>
  checkVote({ signed: vote, question, level, roster, keys: voteKeys, now: Date.now() });

/** The same workflows as another build. */
async function buildOf(name: string): Promise<WorkflowBuild> {
  const path = join(folder, `${name}.js`);
  writeFileSync(path, `// ${name}\n${readFileSync(await bundlePath(), 'utf8')}`);
  return readBuild(path);
}

async function startWorker(build: WorkflowBuild, pace = new Pace(50)): Promise<void> {
  const activities = pace.following(
    { ...createControlActivities({ beliefs, levels, raise: async () => ({ reason: 'no intake here' }) }), verifyVote },
    controlIdOf(cluster),
  ) as unknown as CellActivities;
  const base = { connection, namespace: temporalNamespace, speaker, identity: build.id };
  const worker = await createCellWorker({
    ...base,
    taskQueue: queues.cell,
    build,
    deployment,
    activities,
    maxCachedWorkflows: 10,
  });
  running.push({ worker, run: worker.run() });
  await makeCurrent({ client, deployment, buildId: build.id, withinMs: 120_000 });
}

async function stopWorker(): Promise<void> {
  const last = running.pop();
  last?.worker.shutdown();
  await last?.run;
}

function follow(build: WorkflowBuild, book: DecisionBook, pace = new Pace(50)): () => Promise<void> {
  const stopping = new AbortController();
  const options = { client, cluster, queues, deployment, buildId: build.id, book, log, signal: stopping.signal };
  const following = followControl({ ...options, pace, silentForMs: 300, lostForMs: 500 });
  return async () => {
    stopping.abort();
    await following;
  };
}

const handle = () => client.workflow.getHandle(controlIdOf(cluster));
const state = () => handle().query<ControlState>(controlNames.stateQuery);

const until = <T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> =>
  eventually(what, () => look().catch(() => undefined), { withinMs: 60_000 });

async function approve({ question, digest }: QuestionState): Promise<void> {
  const vote = {
    version: 1,
    id: `v-${question.id}`,
    incident: question.incident,
    question: question.id,
    questionDigest: digest,
    choice: 'approve',
    person: 'ben',
    via: 'slack',
    reason: 'not ours',
    at: new Date().toISOString(),
  } as const;
  await handle().signal(controlNames.voteSignal, { vote, keyId: 'desk', signature: signature(voteBytes(vote), 'desk') });
}

/** Somebody proposes to hide an alert, and somebody else agrees. */
async function agreeOn() {
  const terms = termsOf(Date.now(), { cluster });
  await handle().signal(controlNames.orderSignal, proposalOf(terms));
  const { incident } = await until('the proposal', async () => {
    const now = await state();
    return now.decisions.length === 1 && now;
  });
  const question = questionOf({ proposal: proposalOf(terms), control: incident, levels });
  const asked = (await state()).questions[0];
  expect(asked?.question).toEqual(question);
  if (!asked) throw new Error('no question');
  await approve(asked);
  return { terms, incident };
}

beforeAll(async () => {
  connection = await NativeConnection.connect({ address: temporalAddress });
  client = new Client({ connection, namespace: temporalNamespace, ...clientOptions(speaker) });
  const worker = await createActivityWorker({
    connection,
    namespace: temporalNamespace,
    speaker: testSpeaker(cluster, { namespace: temporalNamespace, signer: member('desk').signer }),
    identity: 'desk',
    taskQueue: queues.desk,
    role: 'desk',
    activities: desk,
    concurrency: 10,
  });
  running.push({ worker, run: worker.run() });
});

afterAll(async () => {
  while (running.length > 0) await stopWorker();
  await handle()
    .terminate()
    .catch(() => undefined);
  await connection.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('the control workflow on a real server', () => {
  test('is started by the cell, and outlives a build that is gone: what the cell has proven is taken over', async () => {
    const [first, second] = [await buildOf('first'), await buildOf('second')];
    const book = new DecisionBook({ file: join(folder, 'book.json'), beliefs, log });
    await startWorker(first);
    const stopFirst = follow(first, book);
    await until('the start', async () => (await state()).incident.id === controlIdOf(cluster));

    const { terms, incident } = await agreeOn();
    const alert = noisyAlert({ cluster });
    await until('the list', async () => book.hiding(alert) !== undefined);
    await stopFirst();
    await stopWorker();

    // The first build's worker never comes back.
    await startWorker(second);
    const stopSecond = follow(second, book);
    expect(book.hiding(alert)).toBeDefined();
    const restored = await until('a new run', async () => {
      const now = await state();
      return now.incident.run !== incident.run && now;
    });
    expect(restored.decisions).toMatchObject([{ proposal: { order: { terms: { id: terms.id } } }, status: { state: 'active' } }]);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(book.hiding(alert)).toMatchObject({ terms: { id: terms.id } });
    await stopSecond();
  });

  test('loses nothing that was agreed to when it is killed: the cell looks as soon as it has checked a vote', async () => {
    const build = await buildOf('third');
    const pace = new Pace(3_600_000);
    const book = new DecisionBook({ file: join(folder, 'another-book.json'), beliefs, log });
    await handle().terminate();
    await startWorker(build, pace);
    const stop = follow(build, book, pace);
    await until('the control workflow', () => {
      pace.hurry();
      return state();
    });
    const { terms } = await agreeOn();
    await until('the list', async () => book.inForce(terms.id) !== undefined);
    await handle().terminate('by a stranger');
    pace.hurry();
    await until('its return', async () =>
      (await state()).decisions.some(({ proposal, status }) => proposal.order.terms.id === terms.id && status.state === 'active'),
    );
    await stop();
  });

  test('is begun anew, with what the cell knows, where somebody else has its id and answers nobody', async () => {
    const build = await buildOf('found-silent');
    await startWorker(build);
    await handle()
      .terminate()
      .catch(() => undefined);
    await new Client({ connection, namespace: temporalNamespace }).workflow.start('anything', {
      workflowId: controlIdOf(cluster),
      taskQueue: `${prefix}-nowhere`,
      args: [],
    });
    const stop = follow(build, new DecisionBook({ file: join(folder, 'book-of-silence.json'), beliefs, log }));
    const now = await eventually('its answer', () => state().catch(() => undefined));
    expect(now.incident.id).toBe(controlIdOf(cluster));
    await stop();
    await stopWorker();
  });

  test('is told again what it has lost when somebody sets it back: what holds the response up, and what a person has ended', async () => {
    // Its run of before may be over already.
    await handle()
      .terminate()
      .catch(() => undefined);
    const build = await buildOf('fourth');
    await startWorker(build);
    const book = new DecisionBook({ file: join(folder, 'book-of-all.json'), beliefs, log });
    const stop = follow(build, book);
    await until('the control workflow', state);
    const hour = 3_600_000;
    const at = Date.now();
    const [kept, over] = ['a'.repeat(16), 'b'.repeat(16)];
    for (const id of [kept, over]) {
      const from = new Date(at).toISOString();
      const named = { version: 1, id, cluster, owner: 'ana', reason: 'a migration', from } as const;
      const scope = { kind: 'namespace', name: `shop-${id[0]}` } as const;
      const order: ProposeRestraint = {
        ...{ version: 1, kind: 'restraint.propose', person: 'ana', at: from },
        terms: { ...named, mode: 'freeze', scope, until: new Date(at + hour).toISOString() },
      };
      await handle().signal(controlNames.orderSignal, signedOrder(order, 'ana'));
      const asked = await until('the question', async () =>
        (await state()).questions.find(({ question }) => question.id === `restraint:${id}`),
      );
      await approve(asked);
      await until('the freeze', async () => book.inForce(id) !== undefined);
    }
    const end: EndDecision = {
      ...{ version: 1, kind: 'restraint.end', cluster, person: 'ana', decision: over, reason: 'it is done' },
      at: new Date().toISOString(),
    };
    await handle().signal(controlNames.orderSignal, signedOrder(end, 'ana'));
    await until('its end', async () => book.inForce(over) === undefined);
    const statusesOf = ({ decisions }: ControlState) =>
      Object.fromEntries(decisions.map(({ proposal, status }) => [proposal.order.terms.id, status.state]));
    const told = { [kept]: 'active', [over]: 'ended' };
    expect(statusesOf(await state())).toEqual(told);

    const { events } = await handle().fetchHistory();
    const firstTask = events?.find(({ workflowTaskCompletedEventAttributes: done }) => done)?.eventId;
    const { runId } = await handle().describe();
    await client.workflowService.resetWorkflowExecution({
      namespace: temporalNamespace,
      workflowExecution: { workflowId: controlIdOf(cluster), runId },
      requestId: randomUUID(),
      reason: 'somebody reaches Temporal',
      resetReapplyType: proto.temporal.api.enums.v1.ResetReapplyType.RESET_REAPPLY_TYPE_NONE,
      ...(firstTask && { workflowTaskFinishEventId: firstTask }),
    });
    expect(book.inForce(kept)).toBeDefined();
    await until('what the cell goes by', async () => statusesOf(await state())[kept] === 'active');
    expect(book.inForce(over)).toBeUndefined();
    await stop();
  });
});
