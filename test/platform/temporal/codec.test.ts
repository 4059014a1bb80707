import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Client, Connection, WorkflowFailedError } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { startTemporal, type TemporalServer } from '../../../service/dev/temporal-server.ts';
import { createPayloadCodec, dataConverter, failureConverterPath } from '../../../service/temporal/codec.ts';
import { carrySecret, heard, poke } from './codec-workflows.ts';

const key = { id: 'k1', key: randomBytes(32) };
const namespace = 'default';
const codec = createPayloadCodec({ keys: [key], namespace });
const here = { type: 'workflow', namespace, workflowId: 'incident/a' } as const;
const elsewhere = { type: 'workflow', namespace, workflowId: 'incident/b' } as const;
const payload = defaultPayloadConverter.toPayload('rm -rf /');

describe('the payload codec', () => {
  test('opens in the workflow that it was sealed for, and in no other', async () => {
    const [sealed] = await codec.encode([payload], here);
    if (!sealed) throw new Error('nothing was encoded');
    expect(Buffer.from(sealed.metadata?.['encryption-key-id'] ?? []).toString()).toBe('k1');
    const [opened] = await codec.decode([sealed], here);
    expect(defaultPayloadConverter.fromPayload(opened ?? {})).toBe('rm -rf /');
    await expect(codec.decode([sealed], elsewhere)).rejects.toMatchObject({ code: 'FB_ERR_SEAL_BROKEN' });
    const renamed = { ...sealed, metadata: { ...sealed.metadata, 'encryption-workflow': Buffer.from('incident/b') } };
    await expect(codec.decode([renamed], elsewhere)).rejects.toMatchObject({ code: 'FB_ERR_SEAL_BROKEN' });
    const unbound = { ...sealed, metadata: { ...sealed.metadata, 'encryption-workflow': Buffer.from('') } };
    await expect(codec.decode([unbound], elsewhere)).rejects.toMatchObject({ code: 'FB_ERR_SEAL_BROKEN' });
    const other = createPayloadCodec({ keys: [key], namespace: 'other' });
    await expect(other.decode([sealed])).rejects.toMatchObject({ code: 'FB_ERR_SEAL_BROKEN' });
  });

  test('opens for a codec endpoint, which is told no workflow, and lets plain payloads pass', async () => {
    const [opened] = await codec.decode(await codec.encode([payload], here));
    expect(defaultPayloadConverter.fromPayload(opened ?? {})).toBe('rm -rf /');
    expect(await codec.decode([payload], here)).toEqual([payload]);
  });

  test('the new key of a rotated ring seals, and the old one still opens', async () => {
    const rotated = createPayloadCodec({ keys: [{ id: 'k2', key: randomBytes(32) }, key], namespace });
    const old = await codec.encode([payload], here);
    expect(await rotated.decode(old, here)).toEqual([payload]);
    const [sealed] = await rotated.encode([payload], here);
    expect(Buffer.from(sealed?.metadata?.['encryption-key-id'] ?? []).toString()).toBe('k2');
    await expect(codec.decode(sealed ? [sealed] : [], here)).rejects.toMatchObject({ code: 'FB_ERR_SEAL_BROKEN' });
  });
});

describe('a canary on a real Temporal server', () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'firebreak-codec-'));
  const canary = `canary-${randomBytes(8).toString('hex')}`;
  let server: TemporalServer;
  beforeAll(async () => {
    // The SDK logs every failure, and this test fails on purpose.
    Runtime.install({ logger: new DefaultLogger('ERROR') });
    delete process.env.TEMPORAL_ADDRESS;
    server = await startTemporal({ stateDir });
  }, 60_000);
  afterAll(async () => {
    await server.stop();
    rmSync(stateDir, { recursive: true, force: true });
  });

  const stored = (): Buffer => {
    const folder = join(stateDir, 'temporal');
    const files = readdirSync(folder).filter((name) => name.startsWith('temporal.db'));
    return Buffer.concat(files.map((name) => readFileSync(join(folder, name))));
  };

  /** Sends the canary along every way that a payload can go, and returns how the workflow ended. */
  async function carry(options: { readonly secret: string; readonly encrypted: boolean }): Promise<WorkflowFailedError> {
    const { secret, encrypted } = options;
    const converter = encrypted ? { dataConverter: dataConverter({ keys: [key], namespace }) } : {};
    const workflowBundle = await bundleWorkflowCode({
      logger: new DefaultLogger('ERROR'),
      workflowsPath: fileURLToPath(new URL('./codec-workflows.ts', import.meta.url)),
      ...(encrypted && { failureConverterPath }),
    });
    const connection = await NativeConnection.connect({ address: server.address });
    const taskQueue = `codec-${encrypted}`;
    const activities = {
      echo: async (value: unknown) => value,
      fail: async (message: string) => {
        throw new Error(message);
      },
    };
    const worker = await Worker.create({
      connection,
      namespace,
      taskQueue,
      workflowBundle,
      activities,
      ...converter,
      maxCachedWorkflows: 0,
    });
    const clientConnection = await Connection.connect({ address: server.address });
    const client = new Client({ connection: clientConnection, namespace, ...converter });
    try {
      return await worker.runUntil(async () => {
        const workflowId = `codec/${encrypted}`;
        const handle = await client.workflow.start(carrySecret, {
          taskQueue,
          workflowId,
          args: [secret],
          memo: { note: secret },
        });
        expect((await handle.describe()).memo).toEqual({ note: secret });
        expect(await handle.query(heard)).toEqual([]);
        await handle.signal(poke, `${secret} poked`);
        const ended = await handle.result().catch((error: unknown) => error);
        if (ended instanceof WorkflowFailedError) return ended;
        throw new Error(`the workflow did not fail as it should: ${String(ended)}`);
      });
    } finally {
      await clientConnection.close();
      await connection.close();
    }
  }

  test('is not in its database when encrypted, and arrives everywhere; without the codec it is there', async () => {
    const ended = await carry({ secret: canary, encrypted: true });
    expect(ended.cause).toMatchObject({ message: `ends with ${canary}`, details: [canary] });
    expect(stored().includes('codec/true')).toBe(true);
    expect(stored().includes(canary)).toBe(false);
    await carry({ secret: `plain-${canary}`, encrypted: false });
    expect(stored().includes(`plain-${canary}`)).toBe(true);
  }, 60_000);
});
