import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { NativeConnection, type Worker } from '@temporalio/worker';
import { createControlActivities } from '../../../activities/control/control.ts';
import { RecordMemory } from '../../../activities/memory/record-memory.ts';
import { StartMemory } from '../../../activities/memory/start-memory.ts';
import type { CellActivities, DeskActivities } from '../../../core/action/step.ts';
import type { AuditRecord } from '../../../core/audit/audit.ts';
import { voteBytes } from '../../../core/decide/approval.ts';
import { type ControlState, controlNames } from '../../../core/decide/control.ts';
import { questionOf } from '../../../core/decide/decision.ts';
import { checkVote } from '../../../core/decide/vote-check.ts';
import type { QuestionState } from '../../../core/incident/incident-state.ts';
import { controlIdOf, type EndDecision, type ReadEvidence } from '../../../core/orders/order.ts';
import type { ProposeRestraint } from '../../../core/orders/restraint.ts';
import type { SuppressionTerms } from '../../../core/orders/suppression.ts';
import { DecisionBook } from '../../../service/cell/control/decision-book.ts';
import { followControl, Pace } from '../../../service/cell/control/follow.ts';
import { DurableMemory } from '../../../service/cell/pools/durable-memory.ts';
import { beginningsKnownTo } from '../../../service/cell/run-ends.ts';
import { loadConfig } from '../../../service/config/load.ts';
import { rerunIncident } from '../../../service/incidents/rerun.ts';
import { sessionOver } from '../../../service/incidents/session.ts';
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
const errors: Readonly<Record<string, unknown>>[] = [];
const warnings: Readonly<Record<string, unknown>>[] = [];
const log = {
  info: () => {},
  warn: (fields: Readonly<Record<string, unknown>>) => void warnings.push(fields),
  error: (fields: Readonly<Record<string, unknown>>) => void errors.push(fields),
};
const levels = [{ group: 'oncall', withinMs: 900_000 }];

const starts = new StartMemory();
const memory = new DurableMemory(join(folder, 'memory'), { error: () => undefined });
const kept = new RecordMemory(memory.values('unsent-records'));
const speaker = testSpeaker(cluster, { namespace: temporalNamespace, starts, records: kept });
let connection: NativeConnection;
let client: Client;
const running: { worker: Worker; run: Promise<void> }[] = [];

const desk: DeskActivities = {
  postQuestion: async () => null,
  updateQuestion: async () => undefined,
  postInThread: async () => null,
  showNotice: async () => null,
  answerClick: async () => undefined,
  recordAudit: async (records) => {
    if (store.isAway) throw new Error('the store is away');
    store.records.push(...records);
    return { chain: 'x', number: records.at(-1)?.number ?? 0, hash: '0' };
  },
};
/** Where the records arrive. */
const store: { isAway: boolean; readonly records: AuditRecord[] } = { isAway: false, records: [] };
const verifyVote: CellActivities['verifyVote'] = async ({ vote, question, level }) =>
  checkVote({ signed: vote, question, level, roster, keys: voteKeys, now: Date.now() });

/** The same workflows as another build. */
async function buildOf(name: string): Promise<WorkflowBuild> {
  const path = join(folder, `${name}.js`);
  writeFileSync(path, `// ${name}\n${readFileSync(await bundlePath(), 'utf8')}`);
  return readBuild(path);
}

async function startWorker(build: WorkflowBuild, { pace = new Pace(50), becomesCurrent = true } = {}): Promise<void> {
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
  if (becomesCurrent) await makeCurrent({ client, deployment, buildId: build.id, withinMs: 120_000 });
}

async function stopWorker(): Promise<void> {
  const last = running.pop();
  last?.worker.shutdown();
  await last?.run;
}

function follow(
  build: WorkflowBuild,
  book: DecisionBook,
  { pace = new Pace(50), absentForMs = 600_000, by = client } = {},
): () => Promise<void> {
  const stopping = new AbortController();
  const wasBegun = beginningsKnownTo(client, starts);
  const { signal } = stopping;
  const options = { client: by, cluster, queues, deployment, buildId: build.id, book, records: kept, wasBegun, log, signal };
  const following = followControl({ ...options, pace, silentForMs: 300, absentForMs, lostForMs: 500, stillMs: 3_000 });
  return async () => {
    stopping.abort();
    await following;
  };
}

const handle = () => client.workflow.getHandle(controlIdOf(cluster));
/** If nobody answers, the connection keeps trying for half a minute. */
const state = () =>
  Promise.race([
    handle().query<ControlState>(controlNames.stateQuery),
    sleep(3_000, undefined, { ref: false }).then(() => Promise.reject(new Error('nobody answers'))),
  ]);

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

/** Waits for the question about these terms, unanswered so far, in a run other than `notIn`. */
const askedAbout = (terms: SuppressionTerms, notIn?: string) =>
  until('the question', async () => {
    const { questions, incident } = await state();
    const found = questions.find(({ question }) => question.id === `suppression:${terms.id}`);
    return incident.run !== notIn && found && { asked: found, incident };
  });

async function propose() {
  const terms = termsOf(Date.now(), { cluster });
  await handle().signal(controlNames.orderSignal, proposalOf(terms));
  return { terms, ...(await askedAbout(terms)) };
}

/** Somebody proposes to hide an alert, and somebody else agrees. */
async function agreeOn() {
  const { terms, asked, incident } = await propose();
  expect(asked.question).toEqual(questionOf({ proposal: proposalOf(terms), control: incident, levels }));
  await approve(asked);
  return { terms, incident };
}

/** Resets the workflow to its first task, without anything that came since. */
async function setBack(): Promise<void> {
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
}

/** Starts a control workflow that has been told nothing, and a cell that follows it with a new book. */
async function anew(name: string, options: Parameters<typeof follow>[2] = {}) {
  const before = await runNow().catch(() => undefined);
  // The run of another test may be over already.
  await handle()
    .terminate()
    .catch(() => undefined);
  const build = await buildOf(name);
  const book = new DecisionBook({ file: join(folder, `${name}.json`), beliefs, log });
  await startWorker(build, options.pace ? { pace: options.pace } : {});
  const stop = follow(build, book, options);
  // A run that is over answers, too.
  await until('the control workflow', async () => (await runNow()) !== before && state());
  return { build, book, stop };
}

const runNow = async (): Promise<string> => (await handle().describe()).runId;

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
  await memory.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('the control workflow on a real server', () => {
  test('is started by the cell, and outlives a build that is gone, with what the cell has proven', async () => {
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

  test('loses no agreed decision when it is killed: the cell looks as soon as it has checked a vote', async () => {
    const build = await buildOf('third');
    const pace = new Pace(3_600_000);
    const book = new DecisionBook({ file: join(folder, 'another-book.json'), beliefs, log });
    const before = await runNow();
    await handle().terminate();
    await startWorker(build, { pace });
    const stop = follow(build, book, { pace });
    // A run that is over answers, too.
    await until('the control workflow', async () => {
      pace.hurry();
      return (await runNow()) !== before && state();
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

  test('is restarted with what the cell knows when somebody else holds its id and answers nobody', async () => {
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

  test('puts on record who has an incident begun again and why, before exactly its open run is ended', async () => {
    const { stop } = await anew('book-of-reruns');
    const incident = `incident/${cluster}/shop/Deployment/rerun`;
    const path = join(folder, 'firebreak.yaml');
    const people = '{ people: [{ id: ana, name: Ana }], groups: { oncall: [ana], leads: [ana] } }';
    writeFileSync(path, `cluster: ${cluster}\nintake: { tokens: [{ name: falco, token: { env: T } }] }\nroster: ${people}\n`);
    const session = sessionOver(loadConfig({ path, env: {} }), client);
    const signer = { keyId: 'ana', sign: async (bytes: Uint8Array) => signature(bytes, 'ana') };
    const asked = { incident, person: 'ana', reason: 'the playbook is corrected' };
    await expect(rerunIncident(session, asked, signer)).rejects.toMatchObject({ code: 'FB_ERR_UNKNOWN_ID' });
    const { firstExecutionRunId: run } = await client.workflow.start('incident', {
      workflowId: incident,
      taskQueue: `${prefix}-nowhere`,
      args: [],
    });
    const forged = { ...signer, sign: async (bytes: Uint8Array) => signature(bytes, 'ben') };
    await expect(rerunIncident(session, asked, forged)).rejects.toMatchObject({ code: 'FB_ERR_VOTE_REFUSED' });
    const stranger = { ...asked, person: 'nobody' };
    await expect(rerunIncident(session, stranger, signer)).rejects.toMatchObject({ code: 'FB_ERR_VOTE_REFUSED' });
    const described = async () => (await client.workflow.getHandle(incident, run).describe()).status.name;
    expect(await described()).toBe('RUNNING');
    expect(await rerunIncident(session, asked, signer)).toEqual({ run });
    expect(await described()).toBe('TERMINATED');
    expect((await state()).timeline).toContainEqual(
      expect.objectContaining({
        kind: 'incident.rerun',
        actor: 'person/ana',
        text: expect.stringContaining(`has ${incident}@${run} begun again: the playbook is corrected`),
      }),
    );
    await expect(rerunIncident(session, asked, signer)).rejects.toMatchObject({ code: 'FB_ERR_UNKNOWN_ID' });
    await stop();
    await stopWorker();
  });

  test('gets back what it lost when somebody resets it: what restrains the response, and what a person has ended', async () => {
    const { book, stop } = await anew('book-of-all');
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

    await setBack();
    expect(book.inForce(kept)).toBeDefined();
    await until('what the cell goes by', async () => statusesOf(await state())[kept] === 'active');
    expect(book.inForce(over)).toBeUndefined();
    await stop();
  });

  test('asks again about undecided proposals when it is terminated, and what people then agree to takes effect', async () => {
    const { book, stop } = await anew('ended-with-a-proposal');
    const { terms, incident } = await propose();
    await until('what the cell knows', async () => book.proposed().length === 1);
    await handle().terminate('by a stranger');
    const { asked } = await askedAbout(terms, incident.run);
    expect(book.inForce(terms.id)).toBeUndefined();
    await approve(asked);
    await until('the decision', async () => book.inForce(terms.id) !== undefined);
    expect(book.proposed()).toEqual([]);
    await stop();
    await stopWorker();
  });

  test('asks again when it is reset to before the proposal, but not if the proposer has withdrawn it since', async () => {
    const { book, stop } = await anew('set-back-before-a-proposal');
    const [kept, over] = [await propose(), await propose()];
    const end: EndDecision = {
      ...{ version: 1, kind: 'suppression.end', cluster, person: 'ana', decision: over.terms.id, reason: 'a mistake' },
      at: new Date().toISOString(),
    };
    await until('what the cell knows', async () => book.proposed().length === 2);
    await handle().signal(controlNames.orderSignal, signedOrder(end, 'ana'));
    await until('what is left', async () => book.proposed().length === 1);
    await setBack();
    await until('its being asked again', async () =>
      (await state()).timeline.some(({ kind }) => kind === 'suppression.restored'),
    );
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const { decisions } = await state();
    expect(decisions).toMatchObject([{ proposal: { order: { terms: { id: kept.terms.id } } }, status: { state: 'proposed' } }]);
    await stop();
    await stopWorker();
  });

  const kinds = (run: string): readonly string[] =>
    store.records.filter(({ chain }) => chain === `${controlIdOf(cluster)}@${run}`).map(({ kind }) => kind);

  /** Who reads evidence is put on record, and nowhere else. */
  async function order(reason: string): Promise<void> {
    const about = { incident: `incident/${cluster}/shop/Deployment/cart`, addresses: ['a'.repeat(64)], reason };
    const read: ReadEvidence = {
      version: 1,
      kind: 'evidence.read',
      cluster,
      person: 'ana',
      at: new Date().toISOString(),
      ...about,
    };
    await handle().signal(controlNames.orderSignal, signedOrder(read, 'ana'));
    await until('the order', async () =>
      (await state()).timeline.some(({ kind, text }) => kind === 'evidence.read' && text.endsWith(reason)),
    );
  }

  test.each(['ended', 'set back'] as const)('loses no record when it is %s before the record is stored', async (how) => {
    store.isAway = true;
    const { book, stop } = await anew(`records-${how.replace(' ', '-')}`);
    const { terms, incident } = await agreeOn();
    await until('the list', async () => book.inForce(terms.id) !== undefined);
    await order('for the insurance');
    if (how === 'ended') await handle().terminate('by a stranger');
    else await setBack();
    await until('its return', async () => (await state()).handed?.waiting.length);
    expect(kinds(incident.run)).toEqual([]);
    store.isAway = false;
    await until('its records', async () => kinds(incident.run).includes('evidence.read'));
    const made = ['suppression.proposed', 'vote.accepted', 'question.decided', 'suppression.begun', 'evidence.read'];
    expect(kinds(incident.run)).toEqual(expect.arrayContaining(made));
    const numbers = store.records.filter(({ chain }) => chain.endsWith(`@${incident.run}`)).map(({ number }) => number);
    if (how === 'ended') expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    // What the store has is no longer kept, and no longer sent.
    await until('their end', async () => kept.lostIn(await state()).length === 0);
    const sent = store.records.length;
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    // A run that was reset continues the same chain.
    const late = store.records.slice(sent).filter(({ chain }) => chain.endsWith(`@${incident.run}`));
    if (how === 'ended') expect(late).toEqual([]);
    await stop();
    await stopWorker();
  });

  test('says who ended something even if it is terminated before that is recorded', async () => {
    const { book, stop } = await anew('ended-with-an-end');
    const { terms, incident } = await agreeOn();
    await until('the list', async () => book.inForce(terms.id) !== undefined);
    const end: EndDecision = {
      ...{ version: 1, kind: 'suppression.end', cluster, person: 'ben', decision: terms.id, reason: 'it is ours no more' },
      at: new Date().toISOString(),
    };
    // As if it were killed while its cell looks at the order.
    book.end(signedOrder(end, 'ben'));
    await handle().terminate('by a stranger');
    const now = await until('who has ended it', async () => {
      const { timeline, decisions, incident: by } = await state();
      return by.run !== incident.run && decisions.length > 0 && { timeline, decisions };
    });
    expect(now.decisions).toMatchObject([{ proposal: { order: { terms: { id: terms.id } } }, status: { state: 'ended' } }]);
    expect(now.timeline).toContainEqual(
      expect.objectContaining({ kind: 'suppression.ended', actor: 'person/ben', text: expect.stringContaining('ours no more') }),
    );
    const ends = () => store.records.filter(({ kind, body }) => kind === 'suppression.ended' && body.suppression === terms.id);
    await until('its record', async () => ends().length > 0);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect(ends()).toMatchObject([{ actor: 'person/ben', body: { order: { order: { reason: end.reason } } } }]);
    expect(book.inForce(terms.id)).toBeUndefined();
    await stop();
    await stopWorker();
  });

  test('goes on as it was, with all it was told, when somebody moves it to a build that does not exist', async () => {
    const nobodys = await buildOf('nobodys');
    await startWorker(nobodys, { becomesCurrent: false });
    const { stop } = await anew('given-away');
    const run = await runNow();
    const { PinnedOverrideBehavior } = proto.temporal.api.workflow.v1.VersioningOverride;
    const pinned = {
      behavior: PinnedOverrideBehavior.PINNED_OVERRIDE_BEHAVIOR_PINNED,
      version: { deploymentName: deployment, buildId: nobodys.id },
    };
    // Temporal knows the build once its worker has asked for work.
    await until('the move', () =>
      client.workflowService.updateWorkflowExecutionOptions({
        namespace: temporalNamespace,
        workflowExecution: { workflowId: controlIdOf(cluster) },
        workflowExecutionOptions: { versioningOverride: { pinned } },
        updateMask: { paths: ['versioning_override'] },
      }),
    );
    const [worker] = running.splice(running.length - 2, 1);
    worker?.worker.shutdown();
    await worker?.run;
    await propose();
    expect(await runNow()).toBe(run);
    await stop();
    await stopWorker();
  });

  test('starts even if somebody makes Temporal start each run on a build that does not exist', async () => {
    const { stop } = await anew('before-a-ramp');
    await stop();
    const theirs = 'e'.repeat(16);
    const { WORKER_VERSIONING_MODE_VERSIONED: workerVersioningMode } = proto.temporal.api.enums.v1.WorkerVersioningMode;
    const polled = client
      .withDeadline(Date.now() + 5_000, () =>
        client.workflowService.pollWorkflowTaskQueue({
          ...{ namespace: temporalNamespace, taskQueue: { name: queues.cell }, identity: 'somebody' },
          deploymentOptions: { deploymentName: deployment, buildId: theirs, workerVersioningMode },
        }),
      )
      .catch(() => undefined);
    await until('the ramp', () =>
      client.workflowService.setWorkerDeploymentRampingVersion({
        ...{ namespace: temporalNamespace, deploymentName: deployment, buildId: theirs, percentage: 100 },
        ...{ identity: 'somebody', ignoreMissingTaskQueues: true },
      }),
    );
    await polled;
    await stopWorker();
    const again = await anew('after-a-ramp');
    await again.stop();
    await stopWorker();
  });

  test('starts even if somebody takes over build management in Temporal and makes none of ours current', async () => {
    const { stop, build } = await anew('before-a-manager');
    await stop();
    const theirs = { namespace: temporalNamespace, deploymentName: deployment, identity: 'somebody' };
    await client.workflowService.setWorkerDeploymentManager({ ...theirs, managerIdentity: 'somebody' });
    await client.workflowService.setWorkerDeploymentCurrentVersion({
      ...{ ...theirs, buildId: '', ignoreMissingTaskQueues: true },
      allowNoPollers: true,
    });
    expect(await makeCurrent({ client, deployment, buildId: build.id, withinMs: 120_000 })).toBe(true);
    await client.workflowService.setWorkerDeploymentManager({ ...theirs, managerIdentity: 'somebody' });
    const warned = warnings.length;
    const before = await runNow();
    await handle().terminate();
    const stopAgain = follow(build, new DecisionBook({ file: join(folder, 'managed.json'), beliefs, log }));
    await until('the control workflow', async () => (await runNow()) !== before && state());
    await until('that it is told', async () =>
      warnings.slice(warned).some(({ rerouted }) => isDeepStrictEqual(rerouted, ['somebody manages our builds'])),
    );
    await stopAgain();
    await stopWorker();
  });

  test('says which queue of its calls somebody has throttled: its cards and records wait there', async () => {
    const { stop } = await anew('held-back');
    const limitedTo = (rateLimit?: { readonly requestsPerSecond: number }) =>
      client.workflowService.updateTaskQueueConfig({
        ...{ namespace: temporalNamespace, identity: 'somebody', taskQueue: queues.desk },
        taskQueueType: proto.temporal.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        updateQueueRateLimit: { ...(rateLimit && { rateLimit }), reason: '' },
      });
    await limitedTo({ requestsPerSecond: 0 });
    await propose();
    await until('the line', async () => errors.some(({ queue }) => queue === queues.desk));
    await limitedTo();
    await stop();
    await stopWorker();
  });

  test('is left alone while the newest build is down for minutes, and finally restarted by the older one', async () => {
    const { stop } = await anew('newest');
    const run = await runNow();
    await stop();
    await stopWorker();
    const older = await buildOf('older');
    await startWorker(older, { becomesCurrent: false });
    const began = Date.now();
    const stopOlder = follow(older, new DecisionBook({ file: join(folder, 'older.json'), beliefs, log }), {
      absentForMs: 20_000,
    });
    await until('its return', async () => (await runNow()) !== run && state());
    expect(Date.now() - began).toBeGreaterThan(20_000);
    await stopOlder();
    await stopWorker();
  });

  test('is not restarted because Temporal was down for long', async () => {
    const away = { since: 0 };
    const workflow = Object.create(client.workflow, {
      getHandle: {
        value: (...of: Parameters<Client['workflow']['getHandle']>) => {
          if (away.since > 0) throw new Error('no connection');
          return client.workflow.getHandle(...of);
        },
      },
    });
    const { book, stop } = await anew('long-away', {
      by: Object.create(client, { workflow: { value: workflow } }),
      absentForMs: 300,
    });
    const run = await runNow();
    await propose();
    await until('what the cell knows', async () => book.proposed().length === 1);
    away.since = Date.now();
    await until('a long time', async () => Date.now() - away.since > 3_000);
    away.since = 0;
    await agreeOn();
    await until('what the cell knows again', async () => book.decided().length === 1);
    expect(await runNow()).toBe(run);
    await stop();
    await stopWorker();
  });
});
