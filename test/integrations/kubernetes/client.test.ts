import { execFileSync } from 'node:child_process';
import { getEventListeners, once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { KubernetesCall } from '../../../integrations/kubernetes/call.ts';
import { createKubernetesApi, type KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { OpenConnections } from '../../../integrations/kubernetes/open-connections.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-client-'));
const file = (name: string): string => join(folder, name);
let server: Server;
let api: KubernetesApi;
/** What the server does with the next request. */
let answer: (request: IncomingMessage, response: ServerResponse) => void;

beforeAll(async () => {
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync('openssl', ['req', '-x509', ...curve, '-keyout', file('key.pem'), '-out', file('cert.pem'), ...name], {
    stdio: 'ignore',
  });
  const cert = readFileSync(file('cert.pem'), 'utf8');
  server = createServer({ key: readFileSync(file('key.pem')), cert }, (request, response) => answer(request, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  api = createKubernetesApi({
    access: { server: `https://127.0.0.1:${port}`, context: 'test', tls: { ca: cert }, authorization: async () => undefined },
  });
});

afterAll(() => {
  api.close();
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

const call: KubernetesCall = { method: 'GET', path: '/api/v1/pods', what: 'list pods' };
const silence = (): void => {};

describe('a call of the Kubernetes API', () => {
  test('sends what it has, and reads an answer that arrives in parts', async () => {
    let sent = '';
    answer = (request, response) => {
      request.on('data', (part: Buffer) => (sent += part));
      request.once('end', () => {
        response.write('{"name":"Grö');
        setImmediate(() => response.end('ße"}'));
      });
    };
    const body = { metadata: { labels: { app: 'ö' } } };
    expect(await api.json({ ...call, method: 'PATCH', patch: 'merge', body })).toEqual({ name: 'Größe' });
    expect(JSON.parse(sent)).toEqual(body);
  });

  test('times out, whether the server says nothing at all or stops in the middle', async () => {
    const late = { code: 'FB_ERR_UNAVAILABLE', detail: 'list pods: no answer in time' };
    answer = silence;
    await expect(api.json({ ...call, timeoutMs: 50 })).rejects.toMatchObject(late);
    answer = (_, response) => void response.write('{"items":');
    await expect(api.json({ ...call, timeoutMs: 50 })).rejects.toMatchObject(late);
  });

  test('is cancelled by its signal, before and after it is sent, and leaves nothing on a long-lived signal', async () => {
    const cancelled = { code: 'FB_ERR_UNAVAILABLE', detail: 'list pods: cancelled' };
    await expect(api.json({ ...call, signal: AbortSignal.abort() })).rejects.toMatchObject(cancelled);
    const controller = new AbortController();
    answer = () => controller.abort();
    await expect(api.json({ ...call, signal: controller.signal })).rejects.toMatchObject(cancelled);

    const lasting = new AbortController().signal;
    answer = (_, response) => void response.end('{}');
    await api.json({ ...call, signal: lasting });
    answer = (_, response) => void response.writeHead(404).end('{}');
    await expect(api.json({ ...call, signal: lasting })).rejects.toMatchObject({ code: 'FB_ERR_NOT_FOUND' });
    expect(getEventListeners(lasting, 'abort')).toEqual([]);
  });

  test('says so when the connection breaks, before or during the answer', async () => {
    const broken = { code: 'FB_ERR_UNAVAILABLE', detail: 'list pods: ECONNRESET' };
    answer = ({ socket }) => void socket.destroy();
    await expect(api.json(call)).rejects.toMatchObject(broken);
    answer = ({ socket }, response) => void response.write('{"items":', () => socket.destroy());
    await expect(api.json(call)).rejects.toMatchObject(broken);
  });
});

test('connections stay open while nothing happens, and a burst of calls then opens no other', async () => {
  let [opened, asked, answered] = [0, 0, 0];
  const count = (): void => {
    opened += 1;
  };
  server.on('secureConnection', count);
  answer = (_, response) => {
    asked += 1;
    response.end('{}');
  };
  const { port } = server.address() as AddressInfo;
  const access = { server: `https://127.0.0.1:${port}`, context: 'test', tls: { ca: readFileSync(file('cert.pem'), 'utf8') } };
  const own = createKubernetesApi({ access: { ...access, authorization: async () => undefined } });
  const counted = {
    json: async <T>(one: KubernetesCall): Promise<T> => {
      const found = await own.json<T>(one);
      answered += 1;
      return found;
    },
  };
  const connections = new OpenConnections({ api: counted, count: 4, everyMs: 50 });
  try {
    connections.start();
    while (answered < 12 || answered < asked) await sleep(10);
    connections.stop();
    expect(opened).toBe(4);

    await Promise.all(Array.from({ length: 4 }, () => own.json(call)));
    expect(opened).toBe(4);
  } finally {
    server.off('secureConnection', count);
    own.close();
  }
});

test('an API server that cannot be reached does not end the attempts to keep connections open', async () => {
  let asked = 0;
  const failing = {
    json: async (): Promise<never> => {
      asked += 1;
      throw new Error('connection refused');
    },
  };
  const connections = new OpenConnections({ api: failing, count: 2, everyMs: 5 });
  connections.start();
  while (asked < 6) await sleep(5);
  connections.stop();
});
