import { randomBytes, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { ClientRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { afterAll, describe, expect, test } from '@jest/globals';
import { openUploadDoor, type UploadAddress, type UploadRefusal } from '../../../integrations/uploads/door.ts';
import { eventually } from '../../eventually.ts';

const refusals: UploadRefusal[] = [];
const door = await openUploadDoor({
  host: '127.0.0.1',
  port: 0,
  address: 'https://127.0.0.1:0',
  onRefused: (refusal) => refusals.push(refusal),
});
afterAll(() => door.close());

const token = randomBytes(32).toString('hex');
const open = (more: { mostBytes?: number; lastsMs?: number } = {}): UploadAddress => {
  const address = door.open({ mostBytes: 1_000_000, lastsMs: 10_000, ...more });
  address.admit(token);
  return address;
};

/** A request that waits for `100 Continue`, as the tools do. Resolves with 100, or the status with which it is rejected. */
async function begin(url: string, { method = 'PUT', as = token }: { method?: string; as?: string } = {}) {
  const headers = { authorization: `Bearer ${as}`, expect: '100-continue', 'transfer-encoding': 'chunked' };
  const sent: ClientRequest = httpsRequest(url, { method, headers, rejectUnauthorized: false, agent: false });
  sent.on('error', () => undefined);
  const answer = Promise.race([
    once(sent, 'continue').then(() => 100),
    once(sent, 'response').then(([response]) => Number(response.resume().statusCode)),
  ]);
  sent.flushHeaders();
  return { sent, status: await answer };
}

async function closed(sent: ClientRequest): Promise<void> {
  if (!sent.destroyed) await new Promise<void>((resolve) => sent.once('close', resolve));
}

async function read({ data }: UploadAddress): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of data) parts.push(part);
  return Buffer.concat(parts);
}

async function send(url: string, bytes: Buffer): Promise<number> {
  const { sent, status } = await begin(url);
  if (status !== 100) return status;
  const answer = once(sent, 'response');
  sent.end(bytes);
  const [response] = await answer;
  return response.resume().statusCode;
}

describe('the door for uploads', () => {
  test('presents the certificate whose hash it announces', async () => {
    const { port, hostname } = new URL(door.origin);
    const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const { raw } = socket.getPeerCertificate();
    const certificate = new X509Certificate(raw);
    expect(certificate.fingerprint256.replaceAll(':', '').toLowerCase()).toBe(door.certificateSha256);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(socket.getProtocol()).toBe('TLSv1.3');
    socket.destroy();
  });

  test('passes on what arrives at an address, once', async () => {
    const address = open();
    const bytes = randomBytes(300_000);
    const [came, status] = await Promise.all([read(address), send(address.url, bytes)]);
    expect(came.equals(bytes)).toBe(true);
    expect(status).toBe(204);
    expect((await begin(address.url)).status).toBe(404);
  });

  test('refuses a wrong token, another method, an invalid address, and a second sender, from whom nothing is read', async () => {
    const address = open();
    const bytes = randomBytes(1_000);
    const came = read(address);
    expect((await begin(address.url, { as: randomBytes(32).toString('hex') })).status).toBe(403);
    expect((await begin(address.url, { method: 'POST' })).status).toBe(405);
    expect((await begin(`${door.origin}/uploads/${'0'.repeat(32)}`)).status).toBe(404);
    expect((await begin(`${door.origin}/`)).status).toBe(404);
    // None of these has used it up.
    const first = await begin(address.url);
    expect(first.status).toBe(100);
    expect((await begin(address.url)).status).toBe(409);
    first.sent.end(bytes);
    expect((await came).equals(bytes)).toBe(true);
    expect(refusals.map(({ status }) => status)).toEqual(expect.arrayContaining([403, 405, 404, 409]));
  });

  test('lets a sender whose token is not known yet wait', async () => {
    const address = door.open({ mostBytes: 1_000, lastsMs: 10_000 });
    const beginning = begin(address.url);
    expect(await Promise.race([beginning, sleep(100, 'waits')])).toBe('waits');
    address.admit(token);
    expect((await beginning).status).toBe(100);
    address.end();
  });

  test('says that an upload was cut off, and after how much', async () => {
    const address = open();
    const came = read(address);
    const { sent } = await begin(address.url);
    sent.write(Buffer.alloc(5_000));
    setTimeout(() => sent.destroy(), 200);
    await expect(came).rejects.toMatchObject({
      code: 'FB_ERR_UNAVAILABLE',
      detail: 'the upload was cut off after 5000 bytes',
    });
    expect((await begin(address.url)).status).toBe(404);
  });

  test('cuts off what is larger than agreed or takes too long', async () => {
    const small = open({ mostBytes: 1_000 });
    const came = read(small);
    const { sent } = await begin(small.url);
    sent.write(Buffer.alloc(2_000));
    await expect(came).rejects.toMatchObject({ detail: 'the upload is larger than the 1000 bytes that were agreed' });
    await closed(sent);

    const short = open({ lastsMs: 5_000 });
    const cut = read(short);
    const late = await begin(short.url);
    late.sent.write(Buffer.alloc(10));
    await expect(cut).rejects.toMatchObject({ detail: 'the upload took longer than 5000 ms' });
    await closed(late.sent);
    expect((await begin(short.url)).status).toBe(404);
  });

  test('tells whoever waits why the address was closed before anything came', async () => {
    const address = open();
    const came = read(address);
    address.end(new Error('the step was called off'));
    await expect(came).rejects.toThrow('the step was called off');
  });

  test('lets the sender wait while nobody reads', async () => {
    const address = open({ mostBytes: 1e9 });
    const parts = address.data[Symbol.asyncIterator]();
    const first = parts.next();
    const { sent } = await begin(address.url);
    const piece = Buffer.alloc(1_000_000);
    let written = 0;
    const writing = (async () => {
      for (; written < 200; written += 1) if (!sent.write(piece)) await once(sent, 'drain');
    })().catch(() => undefined);
    await first;
    await eventually('the sender waits, or has sent all', async () => {
      const before = written;
      await sleep(500);
      return written === before && (sent.writableNeedDrain || written === 200);
    });
    expect(written).toBeLessThan(50);
    await parts.return?.();
    sent.destroy();
    void writing;
  });
});
