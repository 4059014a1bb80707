import { randomBytes, randomUUID, sign, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Client, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure, defaultPayloadConverter, type Payload, type PayloadCodec } from '@temporalio/common';
import { msToTs } from '@temporalio/common/lib/time.js';
import proto from '@temporalio/proto';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Worker } from '@temporalio/worker';
import fc from 'fast-check';
import { createCellActivities } from '../../../activities/chokepoint/cell.ts';
import { createChokepoint } from '../../../activities/chokepoint/chokepoint.ts';
import { createControlActivities } from '../../../activities/control/control.ts';
import { createEvidenceActivities } from '../../../activities/control/evidence-orders.ts';
import { IncidentMemory } from '../../../activities/memory/incident-memory.ts';
import { StartMemory } from '../../../activities/memory/start-memory.ts';
import { VoteMemory } from '../../../activities/memory/vote-memory.ts';
import type { CellActivities, StepListener } from '../../../core/action/step.ts';
import type { SignedVote, Vote } from '../../../core/decide/approval.ts';
import { type ControlState, controlNames } from '../../../core/decide/control.ts';
import type { AnyOrder, Propose } from '../../../core/decide/decision.ts';
import type { VoteKeys } from '../../../core/decide/vote-check.ts';
import { incidentIdOf, incidentNames } from '../../../core/incident/incident.ts';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import type { Message } from '../../../core/messages/message.ts';
import {
  activitiesOrderedBy,
  activityTable,
  type Outcome,
  type Outsider,
  outcomeOf,
  playedBack,
  scheduleBellName,
  sentOrders,
  warmUpName,
  workflowTable,
} from '../../../core/messages/message-table.ts';
import { type SigningRole, signingRoles } from '../../../core/messages/sender.ts';
import type { StartIncident } from '../../../core/orders/incident-order.ts';
import {
  controlIdOf,
  type EndDecision,
  type EvidenceOrder,
  type Order,
  orderBytes,
  type ReadEvidence,
  type SignedOrder,
} from '../../../core/orders/order.ts';
import type { Beliefs } from '../../../core/orders/order-check.ts';
import type { ProposeRestraint } from '../../../core/orders/restraint.ts';
import type { Roster } from '../../../core/people/roster.ts';
import { createFolderShelf } from '../../../integrations/evidence/folder-shelf.ts';
import { createKeyRegister } from '../../../integrations/evidence/key-register.ts';
import { playbooks } from '../../../playbooks/index.ts';
import { beginningsKnownTo, originsKnownTo } from '../../../service/cell/run-ends.ts';
import { temporalGateway } from '../../../service/intake/send/temporal-gateway.ts';
import { readBuild, type WorkflowBuild } from '../../../service/temporal/bundle/bundle.ts';
import { createPayloadCodec } from '../../../service/temporal/codec.ts';
import { createSpeaker, resultOf } from '../../../service/temporal/speaker.ts';
import { deploymentName, makeCurrent } from '../../../service/temporal/versions.ts';
import { createActivityWorker, createCellWorker, queuesOf } from '../../../service/temporal/workers.ts';
import { partsWithout } from '../../activities/chokepoint-fixture.ts';
import { eventually } from '../../eventually.ts';
import { testPlatform } from '../../platform.ts';
import { bundlePath } from '../../workflows/bundle.ts';
import { alertOf, batchOf, keyPair, roster as sharedRoster, signVote, subject, voteKeys } from '../../workflows/people.ts';
import { refuse, type Seen, scriptedActivities } from '../../workflows/scripted.ts';
import { clientOptions, member, testCodecKeys, testSigner, trusting } from '../../workflows/speakers.ts';

const { temporalAddress, temporalNamespace: namespace, prefix: cluster } = await testPlatform();
const queues = queuesOf(cluster, cluster);
const attackersQueue = `${cluster}-attacker`;
const folder = mkdtempSync(join(tmpdir(), 'firebreak-hostile-bus-'));
const roles = signingRoles;

const members = roles.map((role) => member(role, role === 'desk' ? undefined : cluster));
const trust = trusting(members);
const refusedCalls: string[] = [];
const starts = new StartMemory();
/** What the cell hears about steps that others have done. */
const heardSteps: { readonly incident: string; readonly action: string; readonly came: unknown }[] = [];
const steps: StepListener = {
  done: ({ incident: { id }, action }, output) => void heardSteps.push({ incident: id, action, came: output }),
  failed: ({ incident: { id }, action }, what, code) => void heardSteps.push({ incident: id, action, came: `${what} ${code}` }),
};
const speakerOf = (role: SigningRole) =>
  createSpeaker({
    keys: testCodecKeys,
    namespace,
    signer: members.find((one) => one.role === role)?.signer,
    trust,
    onRefused: ({ activity }) => refusedCalls.push(activity),
    starts,
    steps,
  });

/** Fields that an order of this test overrides. */
interface Over {
  readonly person?: string;
  readonly at?: number;
  /** Another cluster. */
  readonly of?: string;
}

/** How each outsider encodes and decodes payloads. */
const strangers: Readonly<Record<Outsider, PayloadCodec>> = {
  temporal: { encode: async (payloads) => payloads, decode: async (payloads) => payloads },
  'payload-key': createPayloadCodec({ keys: testCodecKeys, namespace, trust }),
  person: createPayloadCodec({ keys: testCodecKeys, namespace, signer: testSigner('a person of the roster'), trust }),
};
const rubbish: PayloadCodec = {
  encode: async (payloads) =>
    payloads.map(() => ({ metadata: { encoding: Buffer.from('binary/encrypted') }, data: randomBytes(200) })),
  decode: async (payloads) => payloads,
};

/** Sends what it has read in Temporal instead of a payload of its own. */
let read: Payload[] = [];
const copying: PayloadCodec = { encode: async () => read, decode: async (payloads) => payloads };

const seen: Seen = { applied: [], undone: [], undoReasons: [], cards: [], threads: [], answers: [], records: [] };
const called: string[] = [];
let connection: NativeConnection;
let cell: Client;
const stops: (() => Promise<void>)[] = [];

/** People with their own keys; one was another's stand-in until an hour ago. */
const ownKeys = new Map(['ana-key', 'eve-key'].map((id) => [id, keyPair(id)]));
const hour = 3_600_000;
const roster: Roster = {
  ...sharedRoster,
  people: sharedRoster.people.map((person) => (person.id === 'eve' ? { ...person, keys: ['eve-key'] } : person)),
  delegations: [{ person: 'ben', to: 'eve', from: Date.now() - 3 * hour, until: Date.now() - hour }],
};
const keys: VoteKeys = {
  ...voteKeys,
  verify: (keyId, bytes, signature) => {
    const own = ownKeys.get(keyId);
    return own ? verify(null, bytes, own.publicKey, Buffer.from(signature, 'base64')) : voteKeys.verify(keyId, bytes, signature);
  },
};
const believed = {
  roster,
  keys,
  asking: () => ({ playbooks, groups: ['oncall'] }),
  incidents: new IncidentMemory(),
  votes: new VoteMemory(),
};
const beliefs = (): Beliefs => ({ cluster, roster, keys, groups: ['oncall'], stewards: ['leads'], now: Date.now() });
/** Alerts raised by orders. */
const raised: string[] = [];
const days = { atLeastDays: 1 };
const checks = {
  ...createCellActivities({
    ...believed,
    chokepoint: createChokepoint({ ...partsWithout, ...believed, actions: [] }),
    log: { info: () => undefined, warn: () => undefined },
  }),
  ...createControlActivities({
    beliefs,
    levels: [{ group: 'oncall', withinMs: 900_000 }],
    raise: async (alert) => {
      raised.push(alert.id);
      return { incident: `incident/${cluster}/shop/Deployment/cart` };
    },
  }),
  ...createEvidenceActivities({
    beliefs,
    retention: { state: days, logs: days, files: days, traffic: days, memory: days },
    keys: createKeyRegister({ shelf: createFolderShelf({ dir: folder }) }),
    runOf: async () => undefined,
  }),
};

/** Calls that fail while they are in here, as if the store or Slack were down: they would be retried. */
const failing = new Map<string, number>();

/** Everything registered on a queue; each activity reports that it was called. Votes and orders are checked as the cell does it. */
function activitiesOf(role: SigningRole): CellActivities {
  const scripted: Record<string, unknown> = {
    ...scriptedActivities(
      seen,
      {
        openTicket: ({ incident: { id } }) =>
          id.endsWith('/no-tickets') ? refuse('FB_ERR_REFUSED', 'no such project') : undefined,
      },
      async () => Date.now(),
      () => roster,
    ),
    findExpiredEvidence: async () => [],
    verifyVote: checks.verifyVote,
    verifyRemark: checks.verifyRemark,
    answerersTo: checks.answerersTo,
    takeOrder: checks.takeOrder,
    checkEvidenceOrder: checks.checkEvidenceOrder,
  };
  const noting = (name: string) => async (given: never) => {
    called.push(name === 'runDueSchedules' ? `${name} ${JSON.stringify(given === undefined ? [] : given)}` : name);
    const failed = failing.get(name);
    if (role === 'desk' && failed !== undefined) {
      failing.set(name, failed + 1);
      throw ApplicationFailure.create({ type: 'FB_ERR_UNAVAILABLE', message: 'it is away', nonRetryable: false });
    }
    const activity = scripted[name];
    return typeof activity === 'function' ? activity(given) : { ok: false, reason: 'not in this test' };
  };
  return Object.fromEntries(activityTable[role].map((name) => [name, noting(name)])) as unknown as CellActivities;
}

async function run(making: Promise<Worker>): Promise<() => Promise<void>> {
  const worker = await making;
  const working = worker.run();
  const stop = async (): Promise<void> => {
    if (worker.getState() === 'RUNNING') worker.shutdown();
    await working;
  };
  stops.push(stop);
  return stop;
}

const baseOf = (role: SigningRole) => ({ connection, namespace, identity: role, speaker: speakerOf(role) });
const stopPool = new Map<SigningRole, () => Promise<void>>();
const runPool = async (role: SigningRole): Promise<void> => {
  const options = { ...baseOf(role), role, taskQueue: queues[role], activities: activitiesOf(role), concurrency: 20 };
  stopPool.set(role, await run(createActivityWorker(options)));
};

const settings = {
  queues,
  playbooks: ['firebreak/contain-dropped-binary'],
  levels: [{ group: 'oncall', withinMs: 900_000 }],
  evidenceDeadlineMs: 60_000,
  lingerMs: 60_000,
  maxBodies: 4,
};

async function startIncident(name: string, alert = alertOf({ cluster }), lingerMs = settings.lingerMs): Promise<WorkflowHandle> {
  const own = { ...subject, cluster, name };
  const args = [{ start: { subject: own, batch: batchOf([alert]) }, settings: { ...settings, lingerMs } }];
  return cell.workflow.start(incidentNames.workflow, { workflowId: incidentIdOf(own), taskQueue: queues.cell, args });
}

let build: WorkflowBuild;
let stopCell: () => Promise<void>;
const deployment = deploymentName(cluster);
const runCell = async (): Promise<void> => {
  const options = { taskQueue: queues.cell, build, deployment, activities: activitiesOf('cell'), maxCachedWorkflows: 50 };
  stopCell = await run(createCellWorker({ ...baseOf('cell'), ...options }));
};

let incident: WorkflowHandle;
let control: WorkflowHandle;
const stateOf = (handle: WorkflowHandle) => handle.query<IncidentState | ControlState>(incidentNames.stateQuery);
const handleOf = (type: string): WorkflowHandle => (type === controlNames.workflow ? control : incident);

/** A client of somebody who has the key of `codec`, and sends what our interceptors would produce from it. */
function clientOf(codec: PayloadCodec): Client {
  const { client } = createSpeaker({ keys: testCodecKeys, namespace, trust });
  return new Client({ connection, namespace, dataConverter: { payloadCodecs: [codec] }, interceptors: { workflow: [client] } });
}

beforeAll(async () => {
  connection = await NativeConnection.connect({ address: temporalAddress });
  cell = new Client({ connection, namespace, ...clientOptions(speakerOf('cell')) });
  starts.asks(originsKnownTo(cell));
  build = readBuild(await bundlePath());
  await runCell();
  for (const role of signingRoles) if (role !== 'cell') await runPool(role);
  const workflowBundle = await bundleWorkflowCode({
    logger: new DefaultLogger('ERROR'),
    workflowsPath: fileURLToPath(new URL('./attacker-workflows.ts', import.meta.url)),
  });
  await makeCurrent({ client: cell, deployment, buildId: build.id, withinMs: 120_000 });
  incident = await startIncident('cart');
  control = await cell.workflow.start(controlNames.workflow, {
    workflowId: controlIdOf(cluster),
    taskQueue: queues.cell,
    args: [{ cluster, queues }],
  });
  await eventually('the first card', async () => seen.cards.length > 0);
  // One worker for each codec: what an attacker runs uses the attacker's codec.
  for (const [stranger, codec] of [...Object.entries(strangers), ['rubbish', rubbish] as const, ['copying', copying] as const])
    await run(
      Worker.create({
        connection,
        namespace,
        taskQueue: `${attackersQueue}-${stranger}`,
        workflowBundle,
        // The attacker's own payloads are in plain text.
        dataConverter: { payloadCodecs: [forOthers(codec)] },
      }),
    );
});

const isSealed = ({ metadata }: Payload): boolean => Buffer.from(metadata?.encoding ?? []).toString() === 'binary/encrypted';

/** Plain text for the attacker's own workflows (the first argument of `order` names the queue); encoded for everybody else. */
function forOthers(codec: PayloadCodec): PayloadCodec {
  return {
    encode: (payloads, context) => (context?.type === 'activity' ? codec.encode(payloads, context) : Promise.resolve(payloads)),
    decode: async (payloads) =>
      payloads.map((payload) => (isSealed(payload) ? defaultPayloadConverter.toPayload(null) : payload)),
  };
}

afterAll(async () => {
  await incident?.terminate().catch(() => undefined);
  await control?.terminate().catch(() => undefined);
  for (const stop of stops) await stop();
  await connection.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('the table', () => {
  test('has every registered workflow with each of its signals and queries', async () => {
    const plain = new Client({ connection, namespace, dataConverter: { payloadCodecs: [strangers['payload-key']] } });
    for (const handle of [incident, control]) {
      const { type } = await handle.describe();
      const asked: unknown = await plain.workflow.getHandle(handle.workflowId).query('__temporal_workflow_metadata');
      const { definition } = (asked as { value: { definition: Record<string, { name: string }[]> } }).value;
      const named = (list: { name: string }[] = []) => list.map(({ name }) => name).filter((name) => !name.startsWith('__'));
      expect(named(definition.signalDefinitions).sort()).toEqual(Object.keys(workflowTable[type]?.signals ?? {}).sort());
      expect(named(definition.queryDefinitions).sort()).toEqual([...(workflowTable[type]?.queries ?? [])].sort());
      expect(named(definition.updateDefinitions)).toEqual([]);
    }
    const exported = await import('../../../workflows/index.ts');
    expect(Object.keys(exported).sort()).toEqual(Object.keys(workflowTable).sort());
  });

  test('has every activity: a worker with an unlisted one does not start', () => {
    const activities = { ...activitiesOf('secrets'), anotherOne: async () => undefined };
    const making = () =>
      createActivityWorker({ ...baseOf('secrets'), role: 'secrets', taskQueue: queues.secrets, activities, concurrency: 1 });
    expect(making).toThrow(/does not know these activities: anotherOne/);
  });
});

const codecs: readonly (readonly [Outsider, string, PayloadCodec])[] = [
  ['temporal', 'with access to Temporal alone, plain', strangers.temporal],
  ['temporal', 'with access to Temporal alone, with rubbish', rubbish],
  ['payload-key', 'with the payload key', strangers['payload-key']],
  ['person', 'with the key of a person besides', strangers.person],
];

describe.each(codecs)('somebody (%s) %s', (stranger, _words, codec) => {
  const starts = Object.entries(workflowTable).flatMap(([type, { startedBy }]) =>
    startedBy === 'nobody' ? [] : [[type, outcomeOf('start', startedBy, stranger)] as const],
  );

  test('rings for the schedules: the cell checks what is due from its own knowledge, and heeds nothing else', async () => {
    expect(outcomeOf('start', workflowTable[scheduleBellName]?.startedBy ?? [], stranger)).toBe('looked' satisfies Outcome);
    const before = called.length;
    const args = [{ playbook: 'firebreak/remind-of-rotation', due: 0 }];
    const workflowId = `bell/${cluster}/${randomUUID()}`;
    await clientOf(codec).workflow.start(scheduleBellName, { workflowId, taskQueue: queues.cell, args });
    expect(await resultOf(cell.workflow.getHandle(workflowId))).toEqual({ ok: false, reason: 'not in this test' });
    expect(called.slice(before).filter((name) => name.startsWith('runDue'))).toEqual(['runDueSchedules []']);
  });

  test.each(starts)('starts %s: %s', async (type, outcome) => {
    expect(outcome).toBe('fails-at-once' satisfies Outcome);
    const before = called.length;
    const own = { ...subject, cluster, name: `forged-${randomUUID()}` };
    const args = [{ start: { subject: own, batch: batchOf([alertOf({ cluster })]) }, settings, cluster, queues }];
    const workflowId = type === warmUpName ? `warm-up/${cluster}/${randomUUID()}` : `${incidentIdOf(own)}`;
    const handle = await clientOf(codec).workflow.start(type, { workflowId, taskQueue: queues.cell, args });
    const ended = await cell.workflow
      .getHandle(handle.workflowId)
      .result()
      .catch((error: unknown) => error);
    expect(ended).toBeInstanceOf(WorkflowFailedError);
    expect((ended as WorkflowFailedError).cause).toMatchObject({ type: 'FB_ERR_MESSAGE_REFUSED', nonRetryable: true });
    const { events } = await cell.workflow.getHandle(handle.workflowId).fetchHistory();
    expect(events?.some(({ activityTaskScheduledEventAttributes: scheduled }) => scheduled)).toBe(false);
    expect(called.slice(before).filter((name) => name.startsWith('apply'))).toEqual([]);
  });

  const signals = Object.entries(workflowTable).flatMap(([type, { signals }]) =>
    Object.entries(signals).map(([name, from]) => [name, type, outcomeOf('signal', from, stranger)] as const),
  );

  test.each(signals)('sends the signal %s to %s: %s', async (name, type, outcome) => {
    const handle = handleOf(type);
    const before = await stateOf(handle);
    const alert = alertOf({ cluster, n: 9 });
    await clientOf(codec)
      .workflow.getHandle(handle.workflowId)
      .signal(name, { ...batchOf([alert]), kind: 'sensor.back', text: 'x', about: 'y' });
    if (outcome === 'ignored') {
      const refused = await eventually('a line on record', async () =>
        (await stateOf(handle)).timeline.find(({ kind, text }) => kind === 'message.refused' && text.includes(`signal:${name}:`)),
      );
      expect(refused.actor).toBe('engine');
    }
    const after = await stateOf(handle);
    const decided = ({ questions }: IncidentState | ControlState) => questions.map(({ status, votes }) => [status, votes.length]);
    expect(decided(after)).toEqual(decided(before));
    if ('steps' in after && 'steps' in before) expect(after.leases).toEqual(before.leases);
    const kinds = new Set(after.timeline.slice(before.timeline.length).map(({ kind }) => kind));
    for (const kind of ['alert.joined', 'sensor.back', 'vote.accepted', 'storm.began']) expect(kinds.has(kind)).toBe(false);
  });

  test('asks for a state: the answer reveals nothing that they could not read anyway, and nothing changes', async () => {
    const answer: unknown = await clientOf(codec)
      .workflow.getHandle(incident.workflowId)
      .query(incidentNames.stateQuery)
      .catch((error: unknown) => error);
    expect(answer instanceof Error).toBe(outcomeOf('query', 'anybody', stranger) === 'unread');
  });

  const orders = roles.flatMap((role) => activityTable[role].map((name) => [name, role] as const));

  test.each(orders)('orders %s on the queue of %s: refused', async (name, role) => {
    expect(outcomeOf('activity', activitiesOrderedBy, stranger)).toBe('refused' satisfies Outcome);
    const before = called.length;
    const workflow = incident.workflowId;
    const value = name === 'recordAudit' ? [[]] : [{ incident: { id: workflow, run: 'x' } }];
    const call: Message = { to: `activity:${name}`, workflow, run: 'x', call: '1', value };
    const own = new Client({ connection, namespace });
    const kind = codec === rubbish ? 'rubbish' : stranger;
    const told: unknown = await own.workflow.execute('order', {
      workflowId: `incident/${cluster}/attacker/${randomUUID()}`,
      taskQueue: `${attackersQueue}-${kind}`,
      args: [queues[role], name, call],
    });
    expect(told).toBe('FB_ERR_MESSAGE_REFUSED');
    expect(called.slice(before).includes(name) && !refusedCalls.includes(name)).toBe(false);
  });
});

describe('a person of the roster, with their own key, the payload key and access to Temporal', () => {
  const personal = () => clientOf(strangers.person);

  /** Starts a separate incident, and waits for its first question. */
  const asked = async (name: string) => {
    const handle = await startIncident(name);
    const state = async () => (await stateOf(handle)) as IncidentState;
    const { question, digest } = await eventually(
      'the question',
      async () => (await state()).questions.find(({ question: { id } }) => id.endsWith('-q')) ?? false,
    );
    const current = async () => (await state()).questions.find(({ question: { id } }) => id === question.id);
    const vote = (over: Partial<Vote> = {}, keyId = 'ana-key'): SignedVote => {
      const key = ownKeys.get(keyId);
      if (!key) throw new Error('no such key');
      const about = { incident: question.incident, question: question.id, questionDigest: digest };
      const said = {
        choice: 'release',
        person: 'ana',
        via: 'cli',
        reason: 'our own test',
        at: new Date().toISOString(),
      } as const;
      return signVote({ version: 1, id: `v-${randomUUID()}`, ...about, ...said, ...over }, key, keyId);
    };
    const send = (signed: SignedVote) =>
      personal().workflow.getHandle(handle.workflowId).signal(incidentNames.voteSignal, signed);
    const linesOf = async ({ signature }: SignedVote) =>
      (await state()).timeline.filter(({ of }) => of === signature).map(({ kind }) => kind);
    const sent = async (signed: SignedVote): Promise<readonly string[]> => {
      await send(signed);
      return eventually('what came of the vote', async () => {
        const lines = await linesOf(signed);
        return lines.length > 0 && lines;
      });
    };
    return { handle, current, vote, send, sent, linesOf };
  };

  test('alone decides nothing when two are needed: the vote counts as theirs, once, however often it is replayed', async () => {
    const { handle, current, vote, send, sent } = await asked('alone');
    const undone = seen.undone.length;
    const own = vote();
    expect(await sent(own)).toEqual(['vote.accepted']);
    for (let n = 0; n < 3; n += 1) await send(own);
    const later = vote({ at: new Date(Date.now() + 1_000).toISOString() });
    expect(await sent(later)).toEqual(['vote.accepted']);
    // The old vote does not bring back what was withdrawn.
    await send(own);
    const refused = vote({ person: 'ben' });
    expect(await sent(refused)).toEqual(['vote.refused']);
    const now = await current();
    expect(now?.status.state).toBe('open');
    expect(now?.votes.map(({ signature }) => signature)).toEqual([later.signature]);
    expect(now?.withdrawn?.map(({ signature }) => signature)).toEqual([own.signature]);
    expect(seen.undone).toHaveLength(undone);
    await handle.terminate();
  });

  test('cannot cast it for another question or incident, in another’s name, or at another time', async () => {
    const [one, other] = await Promise.all([asked('one'), asked('other')]);
    const elsewhere = other.vote();
    const lies: readonly (readonly [string, SignedVote])[] = [
      ['for another question', one.vote({ question: 'none-q' })],
      ['for an asking that was another', one.vote({ questionDigest: 'sha256:other' })],
      ['for a choice that is none', one.vote({ choice: 'delete-all' })],
      ['for another incident', elsewhere],
      ['for another incident, sent on under this one’s question', one.vote({ incident: elsewhere.vote.incident })],
      ['in another’s name', one.vote({ person: 'ben' })],
      ['as if Slack vouched for it', one.vote({ via: 'slack' })],
      ['without a reason', one.vote({ reason: '  ' })],
      ['of the future', one.vote({ at: new Date(Date.now() + hour).toISOString() })],
      ['by who is not asked', one.vote({ person: 'eve' }, 'eve-key')],
      [
        'dated back into a time as a stand-in',
        one.vote({ person: 'eve', at: new Date(Date.now() - 2 * hour).toISOString() }, 'eve-key'),
      ],
      ['changed after it was signed', { ...one.vote({ choice: 'remove' }), vote: one.vote().vote }],
    ];
    for (const [what, lie] of lies) expect([what, await one.sent(lie)]).toEqual([what, ['vote.refused']]);
    expect((await one.current())?.votes).toEqual([]);
    expect((await one.current())?.status.state).toBe('open');
    expect((await other.current())?.votes).toEqual([]);
    for (const { handle } of [one, other]) await handle.terminate();
  });

  test('decides as one of two, together with somebody else’s own answer', async () => {
    const { handle, current, vote, sent } = await asked('both');
    expect(await sent(vote())).toEqual(['vote.accepted']);
    const { vote: of } = vote({ person: 'ben', via: 'slack' });
    expect(await sent(signVote(of))).toEqual(['vote.accepted']);
    const status = await eventually('the decision', async () => {
      const now = (await current())?.status;
      return now?.state === 'decided' && now;
    });
    expect(status).toMatchObject({ choice: 'release', by: ['ana', 'ben'] });
    await handle.terminate();
  });
});

describe('an order of a person', () => {
  const minute = 60_000;
  const drawn = (): string => randomBytes(8).toString('hex');
  const state = async () => (await stateOf(control)) as ControlState;
  const send = (order: unknown, who: Outsider = 'person') =>
    clientOf(strangers[who]).workflow.getHandle(control.workflowId).signal(controlNames.orderSignal, order);
  const signedBy = <Given extends Order>(order: Given, keyId = 'ana-key', key = ownKeys.get(keyId)): SignedOrder<Given> => {
    if (!key) throw new Error('no such key');
    return { order, keyId, signature: sign(null, orderBytes(order), key.privateKey).toString('base64') };
  };
  const given = (person: string, at: number) => ({ version: 1, person, at: new Date(at).toISOString() }) as const;
  const freeze = ({ person = 'ana', at = Date.now(), of = cluster }: Over = {}): ProposeRestraint => ({
    ...given(person, at),
    kind: 'restraint.propose',
    terms: {
      ...{ version: 1, id: drawn(), cluster: of, owner: person, reason: 'a migration', mode: 'freeze' },
      scope: { kind: 'namespace', name: 'shop' },
      from: new Date(at).toISOString(),
      until: new Date(at + hour).toISOString(),
    },
  });
  const end = (decision: string, at = Date.now()): EndDecision => ({
    ...given('ana', at),
    ...{ kind: 'restraint.end', cluster, decision, reason: 'the migration is done' },
  });
  const reading = ({ person = 'ana', at = Date.now() }: Over = {}): ReadEvidence => ({
    ...given(person, at),
    ...{ kind: 'evidence.read', cluster, incident: incident.workflowId, addresses: ['a'.repeat(64)], reason: 'to look' },
  });
  const destruction = ({ person = 'ana', at = Date.now() }: Over = {}): EvidenceOrder => ({
    ...given(person, at),
    ...{ kind: 'evidence.destroy', cluster, incident: incident.workflowId, reason: 'it is over' },
  });
  const starting = ({ person = 'ana', at = Date.now() }: Over = {}): StartIncident => ({
    ...given(person, at),
    kind: 'incident.start',
    terms: {
      ...{ version: 1, id: drawn(), cluster, wish: 'quarantine', severity: 'critical', reason: 'it looks odd' },
      pod: { namespace: 'shop', name: 'cart-1' },
    },
  });
  /** The records of exactly this order: kinds and texts. */
  const linesOf = async ({ signature }: SignedOrder<AnyOrder>) => (await state()).timeline.filter(({ of }) => of === signature);
  const refusalOf = async (signed: SignedOrder<AnyOrder>, who?: Outsider): Promise<string> => {
    await send(signed, who);
    const [line] = await eventually('its refusal', async () => {
      const lines = await linesOf(signed);
      return lines.length > 0 && lines;
    });
    expect(line?.kind).toBe(`${signed.order.kind.replace(/\..*/, '')}.refused`);
    return line?.text ?? '';
  };
  const proposed = async ({ order }: SignedOrder<Propose>) =>
    eventually('the question', async () => {
      const { decisions, questions } = await state();
      const found = decisions.find(({ proposal }) => proposal.order.terms.id === order.terms.id);
      return found && { ...found, asked: questions.find(({ question }) => question.id === found.question) };
    });
  const repeats = async () => (await state()).timeline.filter(({ kind }) => kind === 'order.repeated').length;
  const payloadsOfOrders = async (): Promise<readonly (readonly Payload[])[]> => {
    const { events } = await control.fetchHistory();
    return (events ?? []).flatMap(({ workflowExecutionSignaledEventAttributes: signalled }) =>
      signalled?.signalName === controlNames.orderSignal ? [signalled.input?.payloads ?? []] : [],
    );
  };

  test(`${sentOrders.plain.what}: ${sentOrders.plain.outcome}`, async () => {
    const signed = signedBy(freeze());
    const before = called.filter((name) => name === 'takeOrder').length;
    await send(signed, 'temporal');
    // What comes after it has been answered by then.
    await refusalOf(signedBy(freeze({ of: 'elsewhere' })));
    expect(called.filter((name) => name === 'takeOrder')).toHaveLength(before + 1);
    const { decisions, timeline } = await state();
    expect(decisions.some(({ proposal }) => proposal.order.terms.id === signed.order.terms.id)).toBe(false);
    expect(timeline.some(({ kind, text }) => kind === 'message.refused' && text.includes('not encrypted'))).toBe(true);
  });

  test(`${sentOrders.copy.what}: ${sentOrders.copy.outcome}`, async () => {
    const orders = [signedBy(reading()), signedBy(starting())];
    const known = (await payloadsOfOrders()).length;
    const [alerts, copied] = [raised.length, await repeats()];
    for (const signed of orders) {
      await send(signed);
      await eventually('what came of it', async () => (await linesOf(signed)).length > 0);
    }
    const kept = await eventually('both in the history', async () => {
      const payloads = (await payloadsOfOrders()).slice(known);
      return payloads.length === 2 && payloads;
    });
    for (let n = 0; n < 2; n += 1)
      for (const payloads of kept) {
        const again: PayloadCodec = { encode: async () => [...payloads], decode: async (one) => one };
        const raw = new Client({ connection, namespace, dataConverter: { payloadCodecs: [again] } });
        await raw.workflow.getHandle(control.workflowId).signal(controlNames.orderSignal, 0);
      }
    await refusalOf(signedBy(freeze({ of: 'elsewhere' })));
    for (const signed of orders) expect(await linesOf(signed)).toHaveLength(1);
    expect(await repeats()).toBe(copied + 2);
    // The intake knows the alert by its id, and does not start anything again.
    expect(new Set(raised.slice(alerts)).size).toBe(1);
  });

  test(`${sentOrders['read-and-sent'].what}: ${sentOrders['read-and-sent'].outcome}`, async () => {
    const signed = signedBy(freeze());
    await send(signed, 'payload-key');
    expect(await proposed(signed)).toMatchObject({
      status: { state: 'proposed' },
      asked: { question: { requester: 'person/ana' } },
    });
    const copied = await repeats();
    await send(signed);
    await eventually('the copy', async () => (await repeats()) === copied + 1);
  });

  test(`${sentOrders['own-word'].what}: ${sentOrders['own-word'].outcome}`, async () => {
    const signed = signedBy(freeze());
    await send(signed);
    const { asked } = await proposed(signed);
    if (!asked) throw new Error('no question');
    const { question, digest } = asked;
    const about = { incident: question.incident, question: question.id, questionDigest: digest };
    const own = signVote(
      {
        ...{ version: 1, id: `v-${randomUUID()}`, choice: 'approve', person: 'ana', via: 'cli', reason: 'my own' },
        ...about,
        at: new Date().toISOString(),
      },
      ownKeys.get('ana-key'),
      'ana-key',
    );
    await clientOf(strangers.person).workflow.getHandle(control.workflowId).signal(controlNames.voteSignal, own);
    await eventually('the refusal of the own vote', async () =>
      (await state()).timeline.some(({ kind, of }) => kind === 'vote.refused' && of === own.signature),
    );
    expect((await proposed(signed)).status.state).toBe('proposed');
    await send(signedBy(end(signed.order.terms.id)));
    await eventually('its end', async () => (await proposed(signed)).status.state === 'ended');
  });

  test(`${sentOrders.unsigned.what}: ${sentOrders.unsigned.outcome}`, async () => {
    const nobodys = keyPair('ana-key');
    for (const order of [freeze(), end(drawn()), reading(), destruction(), starting()])
      expect(await refusalOf(signedBy(order, 'ana-key', nobodys), 'payload-key')).toMatch(/signature is not valid/);
  });

  test(`${sentOrders['other-name'].what}: ${sentOrders['other-name'].outcome}`, async () => {
    expect(await refusalOf(signedBy(freeze({ person: 'ben' })))).toMatch(/not ben’s/);
    expect(await refusalOf(signedBy({ ...freeze(), via: 'slack' }))).toMatch(/belongs to no desk/);
    expect(await refusalOf(signedBy(reading({ person: 'nobody' })))).toMatch(/not on the roster/);
  });

  test(`${sentOrders['other-cluster'].what}: ${sentOrders['other-cluster'].outcome}`, async () => {
    for (const order of [freeze({ of: 'elsewhere' }), { ...end(drawn()), cluster: 'elsewhere' }])
      expect(await refusalOf(signedBy(order))).toMatch(/another cluster/);
  });

  test(`${sentOrders['other-kind'].what}: ${sentOrders['other-kind'].outcome}`, async () => {
    const { signature, keyId, order } = signedBy(destruction());
    const held = { order: { ...order, kind: 'evidence.hold' }, keyId, signature } as const;
    expect(await refusalOf(held)).toMatch(/signature is not valid/);
    const wider = signedBy(freeze());
    const { terms } = wider.order;
    const all = { ...wider, order: { ...wider.order, terms: { ...terms, scope: { kind: 'cluster' } } } } as const;
    expect(await refusalOf(all)).toMatch(/signature is not valid/);
    const vote = { choice: 'approve', person: 'ana', question: 'none' };
    await send({ order: vote, keyId, signature: 'of a vote' });
    await eventually('its refusal', async () =>
      (await state()).timeline.some(({ of, text }) => of === 'of a vote' && text.includes('unknown format')),
    );
  });

  test(`${sentOrders['not-theirs'].what}: ${sentOrders['not-theirs'].outcome}`, async () => {
    expect(await refusalOf(signedBy(reading({ person: 'eve' }), 'eve-key'))).toMatch(/Only oncall may read/);
    expect(await refusalOf(signedBy(destruction()))).toMatch(/Only leads may/);
  });

  test(`${sentOrders.late.what}: ${sentOrders.late.outcome}`, async () => {
    for (const at of [Date.now() - 6 * minute, Date.now() + 30 * minute])
      for (const order of [freeze({ at }), reading({ at }), starting({ at })])
        expect(await refusalOf(signedBy(order))).toMatch(/not recent|starts in the future/);
    const hold: EvidenceOrder = { ...destruction({ at: Date.now() - 6 * minute }), kind: 'evidence.hold' };
    expect(await refusalOf(signedBy(hold))).toMatch(/not recent/);
    const signed = signedBy(freeze());
    await send(signed);
    await proposed(signed);
    await send(signedBy(end(signed.order.terms.id, Date.now() - 6 * minute)));
    await eventually('its end', async () => (await proposed(signed)).status.state === 'ended');
  });
});

test('genuine payloads, mutated at random, block nobody and change nothing', async () => {
  const history = await cell.workflow.getHandle(incident.workflowId).fetchHistory();
  const payloads = (history.events ?? []).flatMap((event) => [
    ...(event.workflowExecutionStartedEventAttributes?.input?.payloads ?? []),
    ...(event.activityTaskScheduledEventAttributes?.input?.payloads ?? []),
    ...(event.activityTaskCompletedEventAttributes?.result?.payloads ?? []),
  ]);
  expect(payloads.length).toBeGreaterThan(5);
  const before = (await stateOf(incident)).timeline.filter(({ kind }) => kind !== 'message.refused');
  const names = Object.keys(workflowTable[incidentNames.workflow]?.signals ?? {});
  const raw = (payload: Payload): Client =>
    new Client({
      connection,
      namespace,
      dataConverter: { payloadCodecs: [{ encode: async () => [payload], decode: async (given) => given }] },
    });
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.nat(), fc.uint8Array({ maxLength: 8 }), fc.nat(), async (which, name, bytes, at) => {
      const payload = payloads[which % payloads.length] ?? {};
      const data = Buffer.from(payload.data ?? []);
      data.set(bytes, at % (data.length - bytes.length));
      const handle = raw({ metadata: payload.metadata ?? {}, data }).workflow.getHandle(incident.workflowId);
      await handle.signal(names[name % names.length] ?? '', 0);
    }),
    { numRuns: 60 },
  );
  const after = (await stateOf(incident)).timeline.filter(({ kind }) => kind !== 'message.refused');
  expect(after).toEqual(before);
});

describe('somebody who takes the id of an incident before it starts', () => {
  const strange = [
    ['with a workflow of another kind', 'order', queues.cell],
    ['on a queue of their own', incidentNames.workflow, `${cluster}-nowhere`],
  ] as const;

  const log = { info: () => {}, warn: () => {}, error: () => {} };
  const putsOut = async (own: typeof subject, squatter: WorkflowHandle): Promise<void> => {
    const id = incidentIdOf(own);
    const gateway = temporalGateway({
      client: cell,
      taskQueue: queues.cell,
      begins: (_, start) => ({ input: { start, settings } }),
      wasBegun: beginningsKnownTo(cell, starts),
      log,
    });
    const batch = batchOf([alertOf({ cluster })]);
    expect(await gateway.signal(id, batch)).toMatchObject({ kind: 'unavailable' });
    const { events } = await squatter.fetchHistory();
    expect(events?.some(({ workflowExecutionSignaledEventAttributes: signalled }) => signalled)).toBe(false);
    const options = { eager: false, priority: 1, searchAttributes: {} } as const;
    const started = await eventually('the start', async () => {
      const result = await gateway.start(id, { subject: own, batch }, options);
      return result.kind === 'started' && result;
    });
    expect(await gateway.signal(id, batchOf([alertOf({ cluster, n: 2 })]))).toEqual({ kind: 'signalled' });
    const genuine = cell.workflow.getHandle(id, started.run);
    await eventually('both alerts', async () => ((await stateOf(genuine)) as IncidentState).total === 2);
    await genuine.terminate();
  };

  test.each(strange)('%s is evicted, and gets no alert', async (_how, type, taskQueue) => {
    const own = { ...subject, cluster, name: `squatted-${randomUUID()}` };
    const stranger = new Client({ connection, namespace });
    await putsOut(own, await stranger.workflow.start(type, { workflowId: incidentIdOf(own), taskQueue, args: [] }));
  });

  test('with one that looks like ours, whose first task their own worker has done, is evicted too', async () => {
    const own = { ...subject, cluster, name: `squatted-${randomUUID()}` };
    const theirs = { deploymentName: `${cluster}-theirs`, buildId: 'e'.repeat(16) };
    const identity = 'somebody';
    const deploymentOptions = {
      ...theirs,
      workerVersioningMode: proto.temporal.api.enums.v1.WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED,
    };
    const poll = () =>
      cell.withDeadline(Date.now() + 10_000, () =>
        cell.workflowService.pollWorkflowTaskQueue({ namespace, taskQueue: { name: queues.cell }, identity, deploymentOptions }),
      );
    const polled = poll().catch(() => undefined);
    const squatter = await eventually('a run on their build', () =>
      new Client({ connection, namespace }).workflow
        .start(incidentNames.workflow, {
          workflowId: incidentIdOf(own),
          taskQueue: queues.cell,
          args: [],
          versioningOverride: { pinnedTo: theirs },
        })
        .catch(() => undefined),
    );
    const task = (await polled) ?? (await eventually('its task', poll));
    await cell.workflowService.respondWorkflowTaskCompleted({
      namespace,
      identity,
      deploymentOptions,
      taskToken: task.taskToken,
      versioningBehavior: proto.temporal.api.enums.v1.VersioningBehavior.VERSIONING_BEHAVIOR_PINNED,
      commands: [],
    });
    await putsOut(own, squatter);
  });
});

describe('what was once genuine', () => {
  /** The payloads of its start, as Temporal stores them for everybody to read. */
  const startOf = async (handle: WorkflowHandle): Promise<Payload[]> => {
    const { events } = await handle.fetchHistory();
    return [...(events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [])];
  };
  const sendAgain = async (type: string, workflowId: string, payloads: Payload[]): Promise<WorkflowHandle> => {
    const again: PayloadCodec = { encode: async () => payloads, decode: async (given) => given };
    const raw = new Client({ connection, namespace, dataConverter: { payloadCodecs: [again] } });
    const { firstExecutionRunId } = await raw.workflow.start(type, { workflowId, taskQueue: queues.cell, args: [0] });
    return cell.workflow.getHandle(workflowId, firstExecutionRunId);
  };
  const failureOf = async (handle: WorkflowHandle): Promise<string | null | undefined> => {
    const ended: unknown = await handle.result().catch((error: unknown) => error);
    expect(ended).toBeInstanceOf(WorkflowFailedError);
    return ((ended as WorkflowFailedError).cause as { type?: string | null }).type;
  };
  const contained = async (handle: WorkflowHandle): Promise<void> => {
    await eventually('its containment', async () => {
      const { steps } = (await stateOf(handle)) as IncidentState;
      return steps.some(({ action, state }) => action === 'quarantinePod' && state !== 'running');
    });
  };
  /** What was done and asked in that run. Something of the previous run may still be under way when it is ended. */
  const doneIn = async (handle: WorkflowHandle): Promise<readonly unknown[]> => {
    const { runId } = await handle.describe();
    return [...seen.applied, ...seen.cards].filter(({ incident }) => incident.run === runId);
  };

  test(playedBack['same-id'].what, async () => {
    const first = await startIncident('again');
    await contained(first);
    const payloads = await startOf(first);
    await first.terminate();
    expect(await doneIn(first)).not.toEqual([]);
    const again = await sendAgain(incidentNames.workflow, first.workflowId, payloads);
    expect(await failureOf(again)).toBe('FB_ERR_PLAYED_BACK');
    expect(await doneIn(again)).toEqual([]);
  });

  test(playedBack['other-id'].what, async () => {
    const first = await startIncident('elsewhere');
    const payloads = await startOf(first);
    const other = first.workflowId.replace('elsewhere', 'otherwise');
    expect(await failureOf(await sendAgain(incidentNames.workflow, other, payloads))).toBe('FB_ERR_MESSAGE_REFUSED');
    await first.terminate();
  });

  test(playedBack.older.what, async () => {
    const first = await startIncident('newer');
    await contained(first);
    const payloads = await startOf(first);
    await first.terminate();
    const second = await startIncident('newer');
    await contained(second);
    await second.terminate();
    const again = await sendAgain(incidentNames.workflow, first.workflowId, payloads);
    expect(await failureOf(again)).toBe('FB_ERR_PLAYED_BACK');
    expect(await doneIn(again)).toEqual([]);
  });

  const setBack = async ({ workflowId }: WorkflowHandle): Promise<WorkflowHandle> => {
    const { events } = await cell.workflow.getHandle(workflowId).fetchHistory();
    const firstTask = events?.find(({ workflowTaskCompletedEventAttributes: done }) => done)?.eventId;
    const { runId } = await cell.workflow.getHandle(workflowId).describe();
    const { runId: newRun } = await cell.workflowService.resetWorkflowExecution({
      namespace,
      workflowExecution: { workflowId, runId },
      requestId: randomUUID(),
      reason: 'somebody reaches Temporal',
      ...(firstTask && { workflowTaskFinishEventId: firstTask }),
    });
    return cell.workflow.getHandle(workflowId, newRun);
  };

  test(playedBack['reset-after-end'].what, async () => {
    const first = await startIncident('over', alertOf({ cluster, severity: 'low' }), 100);
    // Its own end, which no cell has looked at yet.
    expect(await resultOf<IncidentState>(first)).toMatchObject({ open: false });
    expect(await failureOf(await setBack(first))).toBe('FB_ERR_PLAYED_BACK');
    // Also when it was reset before.
    expect(await failureOf(await setBack(first))).toBe('FB_ERR_PLAYED_BACK');
  });

  test(playedBack['reset-while-open'].what, async () => {
    const first = await startIncident('set-back');
    await contained(first);
    const again = await setBack(first);
    await contained(again);
    await again.signal(incidentNames.alertsSignal, batchOf([alertOf({ cluster, n: 5, rule: 'Another rule' })]));
    await eventually('what it is told since', async () => ((await stateOf(again)) as IncidentState).total === 2);
    await again.terminate();
  });

  test(playedBack.moved.what, async () => {
    const other = join(folder, 'other-build.js');
    writeFileSync(other, `// another build\n${readFileSync(await bundlePath(), 'utf8')}`);
    const older = readBuild(other);
    const options = { taskQueue: queues.cell, build: older, deployment, activities: activitiesOf('cell'), maxCachedWorkflows: 5 };
    const stop = await run(createCellWorker({ ...baseOf('cell'), ...options }));
    const own = { ...subject, cluster, name: 'moved' };
    const first = await cell.workflow.start(incidentNames.workflow, {
      workflowId: incidentIdOf(own),
      taskQueue: queues.cell,
      args: [{ start: { subject: own, batch: batchOf([alertOf({ cluster })]) }, settings: { ...settings, build: build.id } }],
    });
    await contained(first);
    const { PinnedOverrideBehavior } = proto.temporal.api.workflow.v1.VersioningOverride;
    const pinned = {
      behavior: PinnedOverrideBehavior.PINNED_OVERRIDE_BEHAVIOR_PINNED,
      version: { deploymentName: deployment, buildId: older.id },
    };
    // Temporal knows the build once its worker has asked for work.
    await eventually('the move', () =>
      cell.workflowService
        .updateWorkflowExecutionOptions({
          namespace,
          workflowExecution: { workflowId: first.workflowId },
          workflowExecutionOptions: { versioningOverride: { pinned } },
          updateMask: { paths: ['versioning_override'] },
        })
        .catch(() => undefined),
    );
    await first.signal(incidentNames.alertsSignal, batchOf([alertOf({ cluster, n: 5, rule: 'Another rule' })]));
    await eventually('its end', async () => (await first.describe()).status.name === 'FAILED');
    expect(await failureOf(first)).toBe('FB_ERR_MESSAGE_REFUSED');
    await stop();
  });

  const skipTime = ({ workflowId }: WorkflowHandle): Promise<unknown> =>
    cell.workflowService.updateWorkflowExecutionOptions({
      ...{ namespace, workflowExecution: { workflowId } },
      workflowExecutionOptions: { timeSkippingConfig: { enabled: true } },
      updateMask: { paths: ['time_skipping_config'] },
    });

  test(playedBack.skipped.what, async () => {
    // Nothing answers it: without the skip it would wait ten minutes for further alerts, and then end.
    const quiet = await startIncident('skipped', alertOf({ cluster, severity: 'low' }), 600_000);
    await eventually('its beginning', () => stateOf(quiet).catch(() => undefined));
    await skipTime(quiet);
    expect(await failureOf(quiet)).toBe('FB_ERR_RUN_AHEAD');
    expect(seen.records.filter(({ chain }) => chain.startsWith(quiet.workflowId)).map(({ kind }) => kind)).not.toContain(
      'incident.closed',
    );
    const asking = await startIncident('skipped-question');
    await askedBy(asking);
    await skipTime(asking);
    expect(await failureOf(asking)).toBe('FB_ERR_RUN_AHEAD');
  });

  /** Nothing of it is under way at that point. */
  const askedBy = (handle: WorkflowHandle) =>
    eventually('its question', async () => {
      const isAsked = (await stateOf(handle)).questions.some(({ status }) => status.state === 'open');
      const { pendingActivities } = (await handle.describe()).raw;
      return isAsked && !pendingActivities?.some(({ activityType }) => activityType?.name?.startsWith('applyStep'));
    });

  const callsOf = async ({ workflowId }: WorkflowHandle) => {
    const { events } = await cell.workflow.getHandle(workflowId).fetchHistory();
    return (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: scheduled }) => scheduled ?? []);
  };

  test(playedBack['own-run'].what, async () => {
    const first = await startIncident('own-run');
    await askedBy(first);
    const calls = await callsOf(first);
    await first.terminate();
    const applied = () => seen.applied.filter(({ incident: { id } }) => id === first.workflowId).length;
    const before = applied();
    const own = new Client({ connection, namespace });
    for (const { activityId, activityType, taskQueue, input } of calls) {
      read = [...(input?.payloads ?? [])];
      const told: unknown = await own.workflow.execute('order', {
        workflowId: first.workflowId,
        taskQueue: `${attackersQueue}-copying`,
        args: [taskQueue?.name, activityType?.name, 0, activityId],
      });
      expect([activityType?.name, told]).toEqual([activityType?.name, 'FB_ERR_PLAYED_BACK']);
    }
    expect(calls.length).toBeGreaterThan(3);
    expect(applied()).toBe(before);
  });

  test('our own calls, resent as activities without a workflow, are refused', async () => {
    const first = await startIncident('without-a-workflow');
    await askedBy(first);
    const calls = await callsOf(first);
    await first.terminate();
    const applied = () => seen.applied.filter(({ incident: { id } }) => id === first.workflowId).length;
    const before = applied();
    for (const { activityId, activityType, taskQueue, input } of calls) {
      const refused = refusedCalls.length;
      await cell.workflowService.startActivityExecution({
        ...{ namespace, identity: 'somebody', requestId: randomUUID(), activityId: activityId ?? '' },
        ...{ activityType: activityType ?? null, taskQueue: { name: taskQueue?.name ?? '' }, input: input ?? null },
        ...{ startToCloseTimeout: msToTs('10s'), retryPolicy: { maximumAttempts: 1 } },
      });
      await eventually('its refusal', async () => refusedCalls.slice(refused).includes(activityType?.name ?? ''));
    }
    expect(calls.length).toBeGreaterThan(3);
    expect(applied()).toBe(before);
  });

  test('an update, which our workflows do not know, is refused by the run, which goes on', async () => {
    const first = await startIncident('updated');
    await contained(first);
    const plain = new Client({ connection, namespace });
    await expect(plain.workflow.getHandle(first.workflowId).executeUpdate('anything', { args: [1] })).rejects.toThrow();
    await first.signal(incidentNames.alertsSignal, batchOf([alertOf({ cluster, n: 5, rule: 'Another rule' })]));
    await eventually('what it is told since', async () => ((await stateOf(first)) as IncidentState).total === 2);
    await first.terminate();
  });

  test('the start of a control workflow, resent under the same id', async () => {
    const workflowId = `control/${cluster}/of-the-test`;
    const args = [{ cluster, queues }];
    const first = await cell.workflow.start(controlNames.workflow, { workflowId, taskQueue: queues.cell, args });
    await first.signal(controlNames.orderSignal, {});
    await eventually('its refusal', async () => (await stateOf(first)).timeline.some(({ kind }) => kind.endsWith('.refused')));
    const payloads = await startOf(first);
    await first.terminate();
    const second = await sendAgain(controlNames.workflow, workflowId, payloads);
    await second.signal(controlNames.orderSignal, {});
    await cell.workflow
      .getHandle(workflowId)
      .signal(controlNames.orderSignal, {})
      .catch(() => undefined);
    expect(await failureOf(second)).toBe('FB_ERR_PLAYED_BACK');
  });
});

test('messages to an earlier run of an incident are ignored by a later one', async () => {
  const first = await startIncident('twice');
  await first.signal(incidentNames.alertsSignal, batchOf([alertOf({ cluster, n: 7 })]));
  // A signal that arrives during a task appears in the history only after it.
  const said = await eventually('the signal in the history', async () => {
    const { events } = await first.fetchHistory();
    const payloads = (events ?? []).flatMap(
      ({ workflowExecutionSignaledEventAttributes: signalled }) => signalled?.input?.payloads ?? [],
    );
    return payloads.length > 0 && payloads;
  });
  await first.terminate();
  // As if it had been started two minutes later.
  const later = createSpeaker({
    keys: testCodecKeys,
    namespace,
    signer: members[0]?.signer,
    trust,
    now: () => Date.now() + 120_000,
  });
  const second = await new Client({ connection, namespace, ...clientOptions(later) }).workflow.start(incidentNames.workflow, {
    workflowId: first.workflowId,
    taskQueue: queues.cell,
    args: [{ start: { subject: { ...subject, cluster, name: 'twice' }, batch: batchOf([alertOf({ cluster })]) }, settings }],
  });
  const again: PayloadCodec = { encode: async () => said, decode: async (given) => given };
  await new Client({ connection, namespace, dataConverter: { payloadCodecs: [again] } }).workflow
    .getHandle(second.workflowId)
    .signal(incidentNames.alertsSignal, 0);
  const handle = cell.workflow.getHandle(second.workflowId);
  await eventually('its refusal', async () =>
    (await stateOf(handle)).timeline.some(({ text }) => text.includes('before this run')),
  );
  expect(((await stateOf(handle)) as IncidentState).total).toBe(1);
  await handle.terminate();
});

test('an answer from no trusted pool does not count: the workflow asks until one answers', async () => {
  await stopPool.get('desk')?.();
  let told = 0;
  const rogue = await run(
    Worker.create({
      connection,
      namespace,
      taskQueue: queues.desk,
      activities: Object.fromEntries(
        activityTable.desk.map((name) => [name, async () => ({ forged: ++told, value: defaultPayloadConverter })]),
      ),
      dataConverter: { payloadCodecs: [strangers['payload-key']] },
    }),
  );
  const other = await startIncident('payments');
  await eventually('the false answers', async () => told > 2);
  const { audit } = (await stateOf(other)) as IncidentState;
  expect(audit.acknowledged).toBe(0);
  const ofOther = () => heardSteps.filter((one) => one.incident === other.workflowId);
  expect(ofOther()).toEqual([]);
  await rogue();
  await runPool('desk');
  await eventually('the true answer', async () => ((await stateOf(other)) as IncidentState).audit.acknowledged > 0);
  // The cell hears the outcome of another pool's step once that pool's key has signed it; it hears nothing of its own steps this way.
  await eventually('the step of the desk', () => ofOther().length > 0);
  expect(ofOther()).toMatchObject([{ action: 'openTicket', came: { action: 'openTicket' } }]);
  await other.terminate();
});

test('somebody who makes Temporal time out a pool’s calls early ends none of them: each is asked again', async () => {
  await stopPool.get('desk')?.();
  const other = await startIncident(`given-up-${randomUUID()}`);
  const givenUp = new Set<string>();
  const namesOf = async () => {
    const { events } = await other.fetchHistory();
    const scheduled = new Map(
      events?.map(({ eventId, activityTaskScheduledEventAttributes: call }) => [String(eventId), call?.activityType?.name]),
    );
    return events?.flatMap(
      ({ activityTaskTimedOutEventAttributes: late }) => scheduled.get(String(late?.scheduledEventId)) ?? [],
    );
  };
  await eventually('that they timed out', async () => {
    const { raw } = await other.describe();
    for (const { activityId } of raw.pendingActivities ?? []) {
      if (activityId == null || givenUp.has(activityId)) continue;
      givenUp.add(activityId);
      // A call of the cell may be over by now.
      await cell.workflowService
        .updateActivityOptions({
          namespace,
          execution: { workflowId: other.workflowId },
          identity: 'somebody',
          id: activityId,
          activityOptions: { scheduleToCloseTimeout: msToTs('1ms') },
          updateMask: { paths: ['schedule_to_close_timeout'] },
        })
        .catch(() => undefined);
    }
    const names = await namesOf();
    return ['applyStep', 'postQuestion', 'recordAudit'].every((name) => names?.includes(name));
  });
  await runPool('desk');
  const ofOther = () => heardSteps.filter((one) => one.incident === other.workflowId);
  await eventually('the step of the desk', () => ofOther().length > 0);
  expect(ofOther()).toMatchObject([{ action: 'openTicket', came: { action: 'openTicket' } }]);
  await eventually('the card', () => seen.cards.some(({ incident: { id } }) => id === other.workflowId));
  const { timeline } = (await stateOf(other)) as IncidentState;
  expect(timeline.filter(({ kind }) => kind === 'step.failed' || kind === 'playbook.failed')).toEqual([]);
  await other.terminate();
});

test('nor does somebody who makes Temporal try each only once, when a call fails that would be retried', async () => {
  await stopPool.get('desk')?.();
  const names = ['applyStep', 'postQuestion', 'recordAudit'];
  const other = await startIncident(`tried-once-${randomUUID()}`);
  const changed = new Set<string>();
  await eventually('their change', async () => {
    const { raw } = await other.describe();
    for (const { activityId, activityType } of raw.pendingActivities ?? []) {
      if (!activityId || !names.includes(activityType?.name ?? '')) continue;
      // A call of the cell may be over by now.
      await cell.workflowService
        .updateActivityOptions({
          ...{ namespace, execution: { workflowId: other.workflowId }, identity: 'somebody', id: activityId },
          activityOptions: { retryPolicy: { maximumAttempts: 1 } },
          updateMask: { paths: ['retry_policy.maximum_attempts'] },
        })
        .then(() => changed.add(activityType?.name ?? ''))
        .catch(() => undefined);
    }
    return names.every((name) => changed.has(name));
  });
  for (const name of names) failing.set(name, 0);
  await runPool('desk');
  await eventually('that they failed', async () => names.every((name) => (failing.get(name) ?? 0) > 0));
  failing.clear();
  const ofOther = () => heardSteps.filter((one) => one.incident === other.workflowId);
  await eventually('the step of the desk', () => ofOther().length > 0);
  expect(ofOther()).toMatchObject([{ action: 'openTicket', came: { action: 'openTicket' } }]);
  await eventually('the card', () => seen.cards.some(({ incident: { id } }) => id === other.workflowId));
  await eventually('its records', async () => ((await stateOf(other)) as IncidentState).audit.acknowledged > 0);
  const { timeline } = (await stateOf(other)) as IncidentState;
  expect(timeline.filter(({ kind }) => kind === 'step.failed' || kind === 'playbook.failed')).toEqual([]);
  await other.terminate();
});

test('the cell also learns that a step in another pool has failed for good', async () => {
  const handle = await startIncident('no-tickets');
  const failed = () => heardSteps.filter((one) => one.incident === handle.workflowId);
  await eventually('the failure of the step', () => failed().length > 0);
  expect(failed()).toMatchObject([{ action: 'openTicket', came: 'apply FB_ERR_REFUSED' }]);
  await handle.terminate();
});

test(playedBack['own-worker'].what, async () => {
  const { CommandType, VersioningBehavior, WorkerVersioningMode } = proto.temporal.api.enums.v1;
  const first = await startIncident('own-worker');
  const cards = () => seen.cards.filter(({ incident: { id } }) => id === first.workflowId).length;
  await eventually('its card', async () => cards() > 0);
  const { events } = await first.fetchHistory();
  const posted = events
    ?.map(({ activityTaskScheduledEventAttributes: scheduled }) => scheduled)
    .find((scheduled) => scheduled?.activityType?.name === 'postQuestion');
  await stopCell();
  const before = cards();
  await new Client({ connection, namespace }).workflow.getHandle(first.workflowId).signal('anything', 0);
  const identity = 'an attacker';
  const deploymentOptions = {
    deploymentName: deployment,
    buildId: build.id,
    workerVersioningMode: WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED,
  };
  const task = await eventually('its task', async () => {
    const found = await cell.withDeadline(Date.now() + 10_000, () =>
      cell.workflowService.pollWorkflowTaskQueue({ namespace, taskQueue: { name: queues.cell }, identity, deploymentOptions }),
    );
    return found.workflowExecution?.workflowId === first.workflowId && found;
  });
  await cell.workflowService.respondWorkflowTaskCompleted({
    namespace,
    identity,
    deploymentOptions,
    taskToken: task.taskToken,
    versioningBehavior: VersioningBehavior.VERSIONING_BEHAVIOR_PINNED,
    commands: [
      {
        commandType: CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK,
        scheduleActivityTaskCommandAttributes: {
          ...(posted?.activityId && { activityId: posted.activityId }),
          activityType: { name: 'postQuestion' },
          taskQueue: { name: queues.desk },
          ...(posted?.input && { input: posted.input }),
          startToCloseTimeout: msToTs('20s'),
          scheduleToCloseTimeout: msToTs('20s'),
        },
      },
    ],
  });
  // Nobody can tell it from a repetition after a crash: what is done must tolerate that.
  await eventually('the card again', async () => cards() > before);
  await first.terminate();
  await runCell();
});
