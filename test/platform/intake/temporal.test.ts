import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { NativeConnection, Worker } from '@temporalio/worker';
import type { IncidentGateway } from '../../../service/intake/send/incident-gateway.ts';
import { temporalGateway } from '../../../service/intake/send/temporal-gateway.ts';
import { eventually } from '../../eventually.ts';
import { testPlatform } from '../../platform.ts';
import { type Door, falcoEvent, openDoor, removeDirectory, silent, until } from '../../service/intake/parts/intake-fixture.ts';

const platform = await testPlatform();
const taskQueue = `${platform.prefix}-intake`;
let connection: NativeConnection;
let client: Client;
let worker: Worker;
let working: Promise<void>;
let gateway: IncidentGateway;
let door: Door;

beforeAll(async () => {
  connection = await NativeConnection.connect({ address: platform.temporalAddress });
  const namespace = platform.temporalNamespace;
  client = new Client({ connection, namespace });
  const workflowsPath = fileURLToPath(new URL('./trivial-incident.ts', import.meta.url));
  worker = await Worker.create({ connection, namespace, taskQueue, workflowsPath });
  working = worker.run();
  gateway = temporalGateway({ client, taskQueue, begins: (_, start) => ({ input: start }), log: silent });
  door = await openDoor(gateway, { maxBytes: 1_000_000_000 });
});

afterAll(async () => {
  await door.intake.stop(1_000);
  removeDirectory(door.directory);
  worker.shutdown();
  await working;
  await connection.close();
});

interface Counted {
  readonly total: number;
  readonly batches: number;
  readonly samples: number;
}

const stateOf = (id: string): Promise<Counted> => client.workflow.getHandle(id).query<Counted>('state');
const podOf = (name: string): Record<string, unknown> => ({ 'k8s.ns.name': platform.prefix, 'k8s.pod.name': `${name}-0` });
const incidentOf = (name: string): string => `incident/lab/${platform.prefix}/StatefulSet/${name}`;

function untilCounted(id: string, total: number, withinMs = 45_000): Promise<Counted> {
  return eventually(
    `${total} counted`,
    async () => {
      const state = await stateOf(id).catch(() => undefined);
      return state && state.total >= total && state;
    },
    { withinMs },
  );
}

const oneBatch = (id: string) => ({ id, alerts: [], counts: [] });
const startOf = (id: string) => ({ subject: { kind: 'cluster', cluster: 'lab' } as const, batch: oneBatch(id) });
const options = { eager: true, priority: 1, searchAttributes: { FirebreakRule: ['a', 'b'], FirebreakState: 'open' } } as const;

describe('the gateway to Temporal', () => {
  test('starts once, eagerly, with its search attributes, then says that it is running', async () => {
    const id = incidentOf('gateway');
    const started = await gateway.start(id, startOf('1'), options);
    const { runId, searchAttributes } = await client.workflow.getHandle(id).describe();
    expect(started).toEqual({ kind: 'started', run: runId });
    expect(searchAttributes).toMatchObject({ FirebreakRule: ['a', 'b'], FirebreakState: ['open'] });
    expect(await gateway.start(id, startOf('2'), options)).toEqual({ kind: 'already-started' });
    expect(await gateway.signal(id, oneBatch('3'))).toEqual({ kind: 'signalled' });
    const { history } = await rawHistory(id);
    expect(history.find(({ eventType }) => eventType === 1)?.workflowExecutionStartedEventAttributes).toMatchObject({
      priority: { priorityKey: 1 },
    });
    await client.workflow.getHandle(id).signal('finish');
    await client.workflow.getHandle(id).result();
    expect(await gateway.signal(id, oneBatch('4'))).toEqual({ kind: 'not-found' });
    expect(await gateway.start(id, startOf('5'), options)).toMatchObject({ kind: 'started' });
  });

  test('starts without search attributes when they are not registered', async () => {
    const bare = await namespaceWithoutAttributes();
    const other = temporalGateway({
      client: new Client({ connection, namespace: bare }),
      taskQueue,
      begins: (_, start) => ({ input: start }),
      log: silent,
    });
    // A namespace becomes known shortly after it was registered.
    let started = await other.start(incidentOf('bare'), startOf('1'), options);
    for (let tries = 0; started.kind === 'unavailable' && tries < 100; tries += 1) {
      await new Promise((done) => setTimeout(done, 200));
      started = await other.start(incidentOf('bare'), startOf('1'), options);
    }
    expect(started).toMatchObject({ kind: 'started' });
  });

  test('says unavailable, and never throws, when there is no server', async () => {
    const lost = temporalGateway({
      client: new Client({ connection, namespace: `${platform.prefix}-nowhere` }),
      taskQueue,
      begins: (_, start) => ({ input: start }),
      log: silent,
    });
    expect(await lost.start(incidentOf('lost'), startOf('1'), options)).toMatchObject({ kind: 'unavailable' });
  });
});

async function rawHistory(id: string) {
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace: platform.temporalNamespace,
    execution: { workflowId: id },
  });
  return { history: history?.events ?? [] };
}

async function namespaceWithoutAttributes(): Promise<string> {
  const namespace = `${platform.prefix}-bare`;
  await client.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: proto.google.protobuf.Duration.fromObject({ seconds: 86_400 }),
  });
  return namespace;
}

describe('the intake on a real Temporal server', () => {
  test('hands an alert to its incident, and later ones too, even if it ended in between', async () => {
    const id = incidentOf('plain');
    const send = async (): Promise<void> => {
      expect((await door.post(JSON.stringify(falcoEvent({}, podOf('plain'))))).status).toBe(200);
    };
    await send();
    await send();
    await untilCounted(id, 2);
    const { runId } = await client.workflow.getHandle(id).describe();
    await client.workflow.getHandle(id).signal('finish');
    await client.workflow.getHandle(id).result();
    await send();
    for (let again = runId; again === runId; ) again = (await client.workflow.getHandle(id).describe()).runId;
    expect(await untilCounted(id, 1)).toEqual({ total: 1, batches: 1, samples: 1 });
  });

  test('keeps the history of 100 000 alerts during an open question under 4 096 events, counted exactly', async () => {
    const id = incidentOf('storm');
    for (let n = 0; n < 100; n += 1) {
      const body = Array.from({ length: 1_000 }, () => JSON.stringify(falcoEvent({}, podOf('storm')))).join('\n');
      expect((await door.post(body)).status).toBe(200);
    }
    const { total, batches } = await untilCounted(id, 100_000, 90_000);
    const { historyLength } = await client.workflow.getHandle(id).describe();
    expect(total).toBe(100_000);
    expect(batches).toBeLessThan(200);
    expect(historyLength).toBeLessThan(1_000);
    await until(() => door.intake.waitingBytes() < 100_000);
  });
});
