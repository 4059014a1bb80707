import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { Client } from '@temporalio/client';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import proto from '@temporalio/proto';
import { NativeConnection } from '@temporalio/worker';
import { type CountedPayload, JudgementMemory, type RefusedPayload } from '../../../activities/memory/judgement-memory.ts';
import type { StormReport } from '../../../core/alert/storm.ts';
import { type ControlInput, type ControlState, controlNames } from '../../../core/decide/control.ts';
import { incidentIdOf, incidentNames } from '../../../core/incident/incident.ts';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import { controlIdOf } from '../../../core/orders/order.ts';
import { DurableMemory } from '../../../service/cell/pools/durable-memory.ts';
import { hasSignedEnd } from '../../../service/cell/run-ends.ts';
import { createLog } from '../../../service/process/log.ts';
import { readBuild, type WorkflowBuild } from '../../../service/temporal/bundle/bundle.ts';
import { createPayloadCodec } from '../../../service/temporal/codec.ts';
import { UnreplayedRuns } from '../../../service/temporal/unreplayed-runs.ts';
import { deploymentName, makeCurrent } from '../../../service/temporal/versions.ts';
import { queuesOf } from '../../../service/temporal/workers.ts';
import { eventually } from '../../eventually.ts';
import { testPlatform } from '../../platform.ts';
import { bundlePath } from '../../workflows/bundle.ts';
import { alertOf, batchOf, subject } from '../../workflows/people.ts';
import type { Seen } from '../../workflows/scripted.ts';
import { startScriptedWorkers } from '../../workflows/scripted-workers.ts';
import { clientOptions, type Member, member, testCodecKeys, testSpeaker, trusting } from '../../workflows/speakers.ts';
import { hearTemporal } from '../../workflows/temporal-error-log.ts';

const { temporalAddress, temporalNamespace: namespace, prefix: cluster } = await testPlatform();
const queues = queuesOf(cluster, cluster);
const folder = mkdtempSync(join(tmpdir(), 'firebreak-changed-keys-'));
const log = createLog({ log: { level: 'fatal', format: 'json' } });
const seen: Seen = { applied: [], undone: [], undoReasons: [], cards: [], threads: [], answers: [], records: [] };

const cell = member('cell', cluster);
const newCell = member('cell', cluster, 'the next key of the cell');
const desk = member('desk');
const newDesk = member('desk', undefined, 'the next key of the desk');

interface Running {
  readonly client: Client;
  stop(): Promise<void>;
}

let connection: NativeConnection;
let build: WorkflowBuild;
let running: Running | undefined;

beforeAll(async () => {
  connection = await NativeConnection.connect({ address: temporalAddress });
  build = readBuild(await bundlePath());
});
afterEach(() => running?.stop());
afterAll(async () => {
  await connection.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Starts a cell and a desk with these keys, which trust these keys; their memory is in that folder. Their predecessors end first. */
async function restart(options: {
  readonly keys: { readonly cell: Member; readonly desk: Member };
  readonly trusted: readonly Member[];
  readonly memory?: string;
}): Promise<Client> {
  const { keys, trusted, memory = 'memory' } = options;
  await running?.stop();
  const trust = trusting(trusted);
  const kept = new DurableMemory(join(folder, memory), log);
  const judgements = new JudgementMemory({
    counted: kept.groups<CountedPayload>('counted-payloads'),
    refused: kept.keeper<RefusedPayload>('refused-payloads'),
  });
  const speaker = testSpeaker(cluster, { namespace, trust, judgements, signer: keys.cell.signer });
  const ofDesk = testSpeaker(cluster, { namespace, trust, signer: keys.desk.signer });
  const workers = await startScriptedWorkers({
    connection,
    namespace,
    cluster,
    build,
    speakers: { cell: speaker, desk: ofDesk },
    seen,
  });
  const client = new Client({ connection, namespace, ...clientOptions(speaker) });
  await makeCurrent({ client, deployment: deploymentName(cluster), buildId: build.id, withinMs: 120_000 });
  running = {
    client,
    stop: async () => {
      running = undefined;
      await workers.stop();
      await kept.close();
    },
  };
  return client;
}

const before = { keys: { cell, desk }, trusted: [cell, desk] };
const after = { keys: { cell: newCell, desk: newDesk }, trusted: [newCell, newDesk] };

async function begin(client: Client, name: string, over: { readonly isBrief?: boolean } = {}): Promise<string> {
  const own = { ...subject, cluster, name };
  const id = incidentIdOf(own);
  const settings = {
    queues,
    playbooks: ['firebreak/contain-dropped-binary'],
    levels: [{ group: 'oncall', withinMs: 900_000 }],
    evidenceDeadlineMs: 60_000,
    lingerMs: over.isBrief ? 100 : 600_000,
    maxBodies: 4,
  };
  await client.workflow.start(incidentNames.workflow, {
    workflowId: id,
    taskQueue: queues.cell,
    args: [
      { start: { subject: own, batch: batchOf([alertOf({ cluster, ...(over.isBrief && { severity: 'low' }) })]) }, settings },
    ],
  });
  if (over.isBrief) return id;
  await eventually('its question', async () =>
    (await stateOf(client, id)).questions.some(({ status }) => status.state === 'open'),
  );
  return id;
}

const stateOf = (client: Client, id: string): Promise<IncidentState> =>
  client.workflow.getHandle(id).query<IncidentState>(incidentNames.stateQuery);

async function tell(client: Client, id: string, n: number): Promise<void> {
  await client.workflow
    .getHandle(id)
    .signal(incidentNames.alertsSignal, batchOf([alertOf({ cluster, n, rule: `Rule ${n}`, severity: 'low' })]));
}

const total = (client: Client, id: string, wanted: number): Promise<unknown> =>
  eventually(`alert ${wanted}`, async () => (await stateOf(client, id).catch(() => undefined))?.total === wanted);

const { WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR: notReplayed } = proto.temporal.api.enums.v1.WorkflowTaskFailedCause;

async function failedReplays(client: Client, id: string): Promise<number> {
  const { events } = await client.workflow.getHandle(id).fetchHistory();
  return (events ?? []).filter(({ workflowTaskFailedEventAttributes: failed }) => failed?.cause === notReplayed).length;
}

test('an open incident goes on, and stays readable, after the keys of cell and desk change and the old ones are no longer trusted', async () => {
  const id = await begin(await restart(before), 'rotated');
  const client = await restart(after);
  expect((await stateOf(client, id)).total).toBe(1);
  await tell(client, id, 2);
  await total(client, id, 2);
  expect(await failedReplays(client, id)).toBe(0);
});

test('so does the control workflow', async () => {
  const old = await restart(before);
  const handle = (client: Client) => client.workflow.getHandle(controlIdOf(cluster));
  const stateIn = (client: Client) => handle(client).query<ControlState>(controlNames.stateQuery);
  const input: ControlInput = { cluster, queues };
  await old.workflow.start(controlNames.workflow, { workflowId: controlIdOf(cluster), taskQueue: queues.cell, args: [input] });
  const at = new Date().toISOString();
  const storm = (source: string): StormReport => {
    return { source, state: 'on', began: at, at, alerts: 500, critical: 0, perSecond: 50, workloads: 30, top: [] };
  };
  await handle(old).signal(controlNames.stormSignal, storm('one'));
  await eventually('the storm', async () => (await stateIn(old)).storm);
  const client = await restart(after);
  await handle(client).signal(controlNames.stormSignal, storm('two'));
  await eventually('both', async () => (await stateIn(client)).storm?.reports.length === 2);
  expect(await failedReplays(client, controlIdOf(cluster))).toBe(0);
});

test('an incident that ended before the keys changed stays ended, because the cell remembers the ends that it signed', async () => {
  const old = await restart(before);
  const id = await begin(old, 'over', { isBrief: true });
  await old.workflow.getHandle(id).result();
  const { runId: run } = await old.workflow.getHandle(id).describe();
  const isOver = (client: Client) => hasSignedEnd(client, incidentNames.workflow, { id, run, first: run });
  expect(await isOver(await restart(after))).toBe(true);
  // A key that is no longer trusted may have been stolen: without the memory its word does not count.
  expect(await isOver(await restart({ ...after, memory: 'lost' }))).toBe(false);
});

test('what was refused stays refused when its sender is trusted later, and what they say from then on counts', async () => {
  const trusted = [cell, desk];
  const client = await restart({ keys: before.keys, trusted });
  const id = await begin(client, 'added');
  const stranger = testSpeaker(cluster, { namespace, signer: newCell.signer });
  const other = new Client({ connection, namespace, ...clientOptions(stranger) });
  await tell(other, id, 2);
  await eventually('its refusal', async () =>
    (await stateOf(client, id)).timeline.some(({ kind }) => kind === 'message.refused'),
  );
  const later = await restart({ keys: before.keys, trusted: [...trusted, newCell] });
  await tell(other, id, 3);
  await total(later, id, 2);
  expect(await failedReplays(later, id)).toBe(0);
});

test('what a trusted sender once said out of place counts nowhere once its key is no longer trusted', async () => {
  const old = await restart(before);
  const id = await begin(old, 'prepared');
  const codec = createPayloadCodec({ keys: testCodecKeys, namespace, signer: cell.signer, trust: trusting([cell]) });
  const value = [batchOf([alertOf({ cluster, n: 2, rule: 'Rule 2' })])];
  const message = { to: `signal:${incidentNames.alertsSignal}`, workflow: id, at: Date.now(), value };
  const [prepared] = await codec.encode([defaultPayloadConverter.toPayload(message)], {
    type: 'workflow',
    namespace,
    workflowId: id,
  });
  const asItIs = { encode: async () => (prepared ? [prepared] : []), decode: async (given: Payload[]) => given };
  const raw = new Client({ connection, namespace, dataConverter: { payloadCodecs: [asItIs] } }).workflow.getHandle(id);
  const refused = async (client: Client) =>
    (await stateOf(client, id)).timeline.filter(({ kind }) => kind === 'message.refused').length;
  await raw.signal(incidentNames.noteSignal, 0);
  await eventually('its refusal', async () => (await refused(old)) === 1);
  const client = await restart(after);
  await raw.signal(incidentNames.alertsSignal, 0);
  await eventually('its refusal', async () => (await refused(client)) === 2);
  expect((await stateOf(client, id)).total).toBe(1);
});

test('without the cell’s memory, an incident waits, and says so, until the old keys are trusted again, and then goes on', async () => {
  const old = await restart(before);
  const id = await begin(old, 'lost');
  const told: string[] = [];
  const { runId } = await old.workflow.getHandle(id).describe();
  const nameOf = (run: string) => (run === runId ? id : undefined);
  const runs = new UnreplayedRuns({
    log: { error: (about, what) => void told.push(JSON.stringify({ ...about, what })) },
    nameOf,
  });
  const silence = hearTemporal(({ meta }) => void runs.takes(meta ?? {}));
  const without = await restart({ ...after, memory: 'lost' });
  await tell(without, id, 2);
  await eventually('its history not to come out the same', async () => (await failedReplays(without, id)) > 0);
  const line = await eventually('the line of the log', () => told.find((one) => one.includes(id)));
  silence();
  expect(line).toContain('restore the keys that were removed from `trust`');
  const client = await restart({ keys: after.keys, trusted: [...before.trusted, ...after.trusted], memory: 'lost' });
  await total(client, id, 2);
});
