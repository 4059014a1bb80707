import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import { openBucket } from '../../../integrations/evidence/bucket.ts';
import { createBucketShelf } from '../../../integrations/evidence/bucket-shelf.ts';
import { createS3Store, requireLock } from '../../../integrations/evidence/s3-store.ts';

const scratchDir = mkdtempSync(join(tmpdir(), 'firebreak-silent-s3-'));
const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});
afterAll(() => rmSync(scratchDir, { recursive: true, force: true }));

const sha256 = '0'.repeat(64);
const unavailable = { code: 'FB_ERR_UNAVAILABLE', retryable: true };
const half =
  'HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: 2000\r\n\r\n<?xml version="1.0" encoding="UTF-8"?>';

/** Accepts every connection, does this with it, and then sends nothing more. */
async function silent(meet: (socket: Socket) => void) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => socket.destroy());
    meet(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  stops.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const options = { region: 'us-east-1', bucket: 'evidence', prefix: '', accessKeyId: 'a', secretAccessKey: 'b' };
  return { options: { ...options, endpoint: `http://127.0.0.1:${port}`, silentMs: 100 }, connections: () => sockets.length };
}

const listens = (socket: Socket): void => void socket.resume();
const hearsNothing = (socket: Socket): void => void socket.pause();
const answersHalf = (socket: Socket): void => void socket.once('data', () => socket.write(half)).resume();

async function* megabytes(count: number): AsyncGenerator<Uint8Array> {
  for (let part = 0; part < count; part += 1) yield Buffer.alloc(1024 * 1024, part);
}

describe('an S3 that accepts the connection', () => {
  test('and never answers is unavailable after three attempts', async () => {
    const { options, connections } = await silent(listens);
    const store = createS3Store({ ...options, scratchDir });
    await expect(store.get(sha256)).rejects.toMatchObject(unavailable);
    expect(connections()).toBe(3);
    await expect(store.put(Buffer.from('x'), 'text/plain')).rejects.toMatchObject(unavailable);
    await expect(createBucketShelf(options).get('keys/1')).rejects.toMatchObject(unavailable);
    await expect(requireLock(options)).rejects.toMatchObject(unavailable);
  });

  test('and never answers is sent a stream three times, too', async () => {
    const { options, connections } = await silent(listens);
    const sent = createS3Store({ ...options, scratchDir }).put(megabytes(1), 'application/zstd');
    await expect(sent).rejects.toMatchObject(unavailable);
    expect(connections()).toBe(3);
    expect(readdirSync(scratchDir)).toEqual([]);
  });

  test('and trickles an endless answer is unavailable', async () => {
    const refused = 'HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nContent-Length: 99999\r\n\r\n';
    const { options, connections } = await silent((socket) => {
      socket.once('data', () => {
        socket.write(refused);
        const trickle = setInterval(() => socket.write(' '), 20);
        socket.on('close', () => clearInterval(trickle));
      });
    });
    const bucket = openBucket({ ...options, silentMs: 30_000, answersWithinMs: 300 });
    const [body, mediaType] = [Buffer.from('x'), 'text/plain'];
    await expect(bucket.put({ key: 'a', body, bytes: 1, mediaType })).rejects.toMatchObject(unavailable);
    await expect(bucket.get('a')).rejects.toMatchObject(unavailable);
    expect(connections()).toBe(6);
  });

  test('and never reads what is sent is unavailable', async () => {
    const { options } = await silent(hearsNothing);
    const sent = createS3Store({ ...options, scratchDir }).put(megabytes(15), 'application/zstd');
    await expect(sent).rejects.toMatchObject(unavailable);
    expect(readdirSync(scratchDir)).toEqual([]);
  });

  test('and stops in the middle of a part leaves no file behind, and no wait', async () => {
    let begun = false;
    const { options } = await silent((socket) => {
      socket.once('data', () => {
        // An upload may begin, but none of its parts is accepted.
        if (begun) return void socket.pause();
        begun = true;
        const body = '<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>';
        socket.end(`HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      });
    });
    const sent = createS3Store({ ...options, scratchDir }).put(megabytes(17), 'application/zstd');
    await expect(sent).rejects.toMatchObject(unavailable);
    expect(readdirSync(scratchDir)).toEqual([]);
  });

  test('and stops in the middle of an object or a list is unavailable', async () => {
    const { options } = await silent(answersHalf);
    const store = createS3Store({ ...options, scratchDir });
    await expect(store.get(sha256)).rejects.toMatchObject(unavailable);
    const read = async () => {
      for await (const part of store.read(sha256)) expect(part.length).toBeLessThan(2_000);
    };
    await expect(read()).rejects.toMatchObject(unavailable);
    const list = async () => {
      for await (const name of createBucketShelf(options).names('keys')) expect(name).toBe('none');
    };
    await expect(list()).rejects.toMatchObject(unavailable);
    await expect(store.sweep(new Date())).rejects.toMatchObject(unavailable);
  });
});
