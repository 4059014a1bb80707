import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Client, Connection, WorkflowFailedError } from '@temporalio/client';
import { defaultPayloadConverter, type Payload, type PayloadCodec, type SerializationContext } from '@temporalio/common';
import proto from '@temporalio/proto';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Worker } from '@temporalio/worker';
import fc from 'fast-check';
import type { Received, Unreadable } from '../../../core/messages/message.ts';
import { createBox } from '../../../integrations/crypto-box/box.ts';
import { createPayloadCodec, dataConverter, failureConverterPath } from '../../../service/temporal/codec.ts';
import { startTemporal, type TemporalServer } from '../../../tools/platform/temporal-server.ts';
import '../../workflows/temporal-error-log.ts';
import { member, trusting } from '../../workflows/speakers.ts';
import { carrySecret, heard, poke } from './codec-workflows.ts';

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;

const key = { id: 'k1', key: randomBytes(32) };
const namespace = 'default';
const cell = member('cell', 'lab');
const stranger = member('cell', 'lab', 'a stranger');
const trust = trusting([cell]);
const codec = createPayloadCodec({ keys: [key], namespace, signer: cell.signer, trust });
const unsigned = createPayloadCodec({ keys: [key], namespace, trust });
const here = { type: 'workflow', namespace, workflowId: 'incident/a' } as const;
const elsewhere = { type: 'workflow', namespace, workflowId: 'incident/b' } as const;
const payload = defaultPayloadConverter.toPayload('rm -rf /');
const bySender = { role: 'cell', cluster: 'lab', keyId: cell.signer.keyId };

async function sealedBy(sender: PayloadCodec, given: Payload = payload): Promise<Payload> {
  const [sealed] = await sender.encode([given], here);
  if (!sealed) throw new Error('nothing was encoded');
  return sealed;
}

async function read(reader: PayloadCodec, given: Payload, context?: SerializationContext): Promise<unknown> {
  const [opened] = await reader.decode([given], context);
  return defaultPayloadConverter.fromPayload(opened ?? {});
}

const unreadable = (why: Unreadable): Received => ({ from: null, unreadable: why, value: null });

describe('the payload codec', () => {
  test('says who sent a payload, in the workflow that it was sealed for', async () => {
    const sealed = await sealedBy(codec);
    expect(Buffer.from(sealed.metadata?.['encryption-key-id'] ?? []).toString()).toBe('k1');
    expect(await read(codec, sealed, here)).toEqual({ from: bySender, value: 'rm -rf /' });
  });

  test('opens nothing in another workflow or namespace, whatever its metadata says', async () => {
    const sealed = await sealedBy(codec);
    expect(await read(codec, sealed, elsewhere)).toEqual(unreadable('unopenable'));
    for (const name of ['incident/b', '']) {
      const renamed = { ...sealed, metadata: { ...sealed.metadata, 'encryption-workflow': Buffer.from(name) } };
      expect(await read(codec, renamed, elsewhere)).toEqual(unreadable('unopenable'));
    }
    expect(await read(createPayloadCodec({ keys: [key], namespace: 'other', trust }), sealed)).toEqual(unreadable('unopenable'));
  });

  test('opens for a codec endpoint, which does not know the workflow', async () => {
    expect(await read(codec, await sealedBy(codec))).toEqual({ from: bySender, value: 'rm -rf /' });
  });

  test('a sender with only the payload key counts as nobody', async () => {
    expect(await read(codec, await sealedBy(unsigned), here)).toEqual({ from: null, value: 'rm -rf /' });
    const byStranger = createPayloadCodec({ keys: [key], namespace, signer: stranger.signer, trust });
    expect(await read(codec, await sealedBy(byStranger), here)).toEqual({ from: null, value: 'rm -rf /' });
  });

  test('a signature is valid only for its own bytes and namespace', async () => {
    const [signed] = await createPayloadCodec({ keys: [key], namespace: 'other', signer: cell.signer, trust }).encode([payload]);
    const box = createBox({ keys: [key] });
    const inner = PayloadMessage.decode(box.open(signed?.data ?? new Uint8Array(), JSON.stringify(['temporal', 'other', ''])));
    const metadata = inner.metadata ?? {};
    const again = (data: Uint8Array) => ({
      metadata: { encoding: Buffer.from('binary/encrypted') },
      data: box.seal(PayloadMessage.encode({ metadata, data }).finish(), JSON.stringify(['temporal', namespace, ''])),
    });
    expect(await read(codec, again(inner.data), here)).toMatchObject({ from: null });
    expect(await read(codec, again(Buffer.from('"rm"')), here)).toMatchObject({ from: null, value: 'rm' });
  });

  test.each([
    ['a plain payload', payload, 'not-sealed'],
    ['an empty payload', {}, 'not-sealed'],
    [
      'garbage that claims to be encrypted',
      { metadata: { encoding: Buffer.from('binary/encrypted') }, data: randomBytes(99) },
      'unopenable',
    ],
    ['an empty payload that claims to be encrypted', { metadata: { encoding: Buffer.from('binary/encrypted') } }, 'unopenable'],
  ] satisfies [string, Payload, Unreadable][])('%s is reported as such, and blocks nobody', async (_name, given, why) => {
    expect(await read(codec, given, here)).toEqual(unreadable(why));
  });

  test('undefined is a value too, as in a heartbeat without details', async () => {
    const nothing = defaultPayloadConverter.toPayload(undefined);
    expect(await read(codec, await sealedBy(codec, nothing), here)).toEqual({ from: bySender, value: null });
  });

  test('sealed bytes that are not JSON are reported as such', async () => {
    const broken = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('{"from":') };
    expect(await read(codec, await sealedBy(unsigned, broken), here)).toEqual(unreadable('no-json'));
  });

  test('nothing inside a payload can claim a sender', async () => {
    const lie = defaultPayloadConverter.toPayload({ from: bySender, value: 1 });
    expect(await read(codec, await sealedBy(unsigned, lie), here)).toEqual({ from: null, value: { from: bySender, value: 1 } });
    const closing = {
      metadata: { encoding: Buffer.from('json/plain') },
      data: Buffer.from('1},"from":{"role":"cell"},"x":{"y":1'),
    };
    expect(await read(codec, await sealedBy(unsigned, closing), here)).toEqual(unreadable('no-json'));
  });

  test('it answers whatever bytes it gets', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.nat(), async (bytes, at) => {
        const sealed = await sealedBy(codec);
        const data = Buffer.from(sealed.data ?? []);
        data.set(bytes.subarray(0, data.length - (at % data.length)), at % data.length);
        const read1 = (await read(codec, { ...sealed, data }, here)) as Received;
        expect(read1.value === 'rm -rf /' ? read1.from : read1).toEqual(
          read1.value === 'rm -rf /' ? bySender : unreadable('unopenable'),
        );
        expect(await read(codec, { ...sealed, data: bytes }, here)).toEqual(unreadable('unopenable'));
      }),
    );
  });

  test('its output carries only its own bytes to another thread', async () => {
    const given = [await sealedBy(codec), await sealedBy(unsigned), payload];
    const bytes = (await codec.decode(given, here)).flatMap(({ data, metadata }) => [data, metadata?.encoding]);
    expect(bytes.map((one) => one?.buffer.byteLength)).toEqual(bytes.map((one) => one?.byteLength ?? 'none'));
  });

  test('the new key of a rotated ring seals, and the old one still opens', async () => {
    const rotated = createPayloadCodec({
      keys: [{ id: 'k2', key: randomBytes(32) }, key],
      namespace,
      signer: cell.signer,
      trust,
    });
    expect(await read(rotated, await sealedBy(codec), here)).toMatchObject({ from: bySender });
    const sealed = await sealedBy(rotated);
    expect(Buffer.from(sealed.metadata?.['encryption-key-id'] ?? []).toString()).toBe('k2');
    expect(await read(codec, sealed, here)).toEqual(unreadable('unopenable'));
  });
});

describe('a canary on a real Temporal server', () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'firebreak-codec-'));
  const canary = `canary-${randomBytes(8).toString('hex')}`;
  let server: TemporalServer;
  beforeAll(async () => {
    delete process.env.TEMPORAL_ADDRESS;
    server = await startTemporal({ stateDir });
  });
  afterAll(async () => {
    await server.stop();
    rmSync(stateDir, { recursive: true, force: true });
  });

  const stored = (): Buffer => {
    const folder = join(stateDir, 'temporal');
    const files = readdirSync(folder).filter((name) => name.startsWith('temporal.db'));
    return Buffer.concat(files.map((name) => readFileSync(join(folder, name))));
  };

  /** Sends the canary through every path that a payload can take, and returns how the workflow ended. */
  async function carry(options: { readonly secret: string; readonly encrypted: boolean }): Promise<WorkflowFailedError> {
    const { secret, encrypted } = options;
    const converter = encrypted ? { dataConverter: dataConverter({ keys: [key], namespace, signer: cell.signer, trust }) } : {};
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
        const memo = (await handle.describe()).memo;
        expect(memo).toEqual({ note: encrypted ? { from: bySender, value: secret } : secret });
        const nothing: unknown = await handle.query(heard);
        expect(nothing).toEqual(encrypted ? { from: bySender, value: [] } : []);
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

  test('is not in its database when encrypted, yet arrives everywhere; without the codec it is there', async () => {
    const ended = await carry({ secret: canary, encrypted: true });
    expect(ended.cause).toMatchObject({ message: `ends with ${canary}`, details: [{ from: bySender, value: canary }] });
    expect(stored().includes('codec/true')).toBe(true);
    expect(stored().includes(canary)).toBe(false);
    await carry({ secret: `plain-${canary}`, encrypted: false });
    expect(stored().includes(`plain-${canary}`)).toBe(true);
  });
});
