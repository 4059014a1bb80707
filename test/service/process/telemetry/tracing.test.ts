import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { FirebreakError } from '../../../../core/errors.ts';
import { traceOf } from '../../../../core/incident/incident-trace.ts';
import { bind } from '../../../../integrations/http-door.ts';
import { pathKind, watchRequests } from '../../../../service/process/telemetry/request-spans.ts';
import { type TraceSpan, Tracing, traced, traceFields, untraced } from '../../../../service/process/telemetry/tracing.ts';

const ref = { id: 'incident/prod/shop/Deployment/cart', run: 'run-1' };
const trace = traceOf(ref);
const ends: (() => void)[] = [];

afterEach(() => {
  for (const end of ends.splice(0)) end();
});

function recorder() {
  const spans: TraceSpan[] = [];
  const named = (name: string): TraceSpan => {
    const found = spans.find((span) => span.name === name);
    if (!found) throw new Error(`no span ${name} among ${spans.map((span) => span.name).join(', ')}`);
    return found;
  };
  return { spans, named, tracing: new Tracing((span) => spans.push(span)) };
}

async function api(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(answer);
  ends.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${await bind(server, { host: '127.0.0.1', port: 0 })}`;
}

describe('the trace of an incident', () => {
  test('is the same for each process, different for each run, and in the W3C format', () => {
    expect(traceOf({ ...ref })).toEqual(trace);
    expect(traceOf({ ...ref, run: 'run-2' }).traceId).not.toBe(trace.traceId);
    expect(trace.traceId).toMatch(/^[0-9a-f]{32}$/);
    const spans = [trace.alertSpan, trace.startSpan, trace.workflowSpan];
    expect(new Set(spans.filter((id) => /^[0-9a-f]{16}$/.test(id))).size).toBe(3);
  });

  test('has its work below the workflow, and what that calls below the work', async () => {
    const { tracing, named } = recorder();
    await tracing.within(ref, { name: 'applyStep' }, () => traced({ name: 'patch' }, async () => undefined));
    expect(named('applyStep')).toMatchObject({ traceId: trace.traceId, parentId: trace.workflowSpan });
    expect(named('patch').parentId).toBe(named('applyStep').spanId);
  });

  test('picks up what was done before its run was known, once it is', async () => {
    const { tracing, spans, named } = recorder();
    await tracing.ahead(async (join) => {
      await traced({ name: 'head start' }, async () => undefined);
      expect(spans).toEqual([]);
      join(trace.traceId, trace.alertSpan);
      await traced({ name: 'later' }, async () => undefined);
    });
    for (const name of ['head start', 'later'])
      expect(named(name)).toMatchObject({ traceId: trace.traceId, parentId: trace.alertSpan });
  });

  test('contains the code of a failure, and never its message', async () => {
    const { tracing, spans } = recorder();
    const failing = (error: Error) => tracing.within(ref, { name: 'work' }, () => Promise.reject(error)).catch(() => undefined);
    await failing(new FirebreakError('FB_ERR_CONFLICT', 'password=hunter2'));
    await failing(new TypeError('password=hunter2'));
    expect(spans.map(({ error }) => error)).toEqual(['FB_ERR_CONFLICT', 'TypeError']);
    expect(JSON.stringify(spans)).not.toContain('hunter2');
  });

  test('is in the log lines of its work, and in no others', async () => {
    const { tracing } = recorder();
    expect(traceFields()).toEqual({});
    await tracing.within(ref, { name: 'work' }, async () => {
      expect(traceFields()).toEqual({ traceId: trace.traceId, spanId: expect.stringMatching(/^[0-9a-f]{16}$/) });
      expect(untraced(traceFields)).toEqual({});
    });
  });

  test('costs nothing if nothing is traced: only the work runs', async () => {
    expect(await traced({ name: 'work' }, async () => 7)).toBe(7);
  });
});

describe('requests to an API', () => {
  test('are spans of the work that makes them, by whatever client, and only while there is such work', async () => {
    const { tracing, spans } = recorder();
    const requests = watchRequests();
    ends.push(() => requests.stop());
    const url = await api((request, response) => {
      response.statusCode = request.url?.includes('missing') ? 404 : 200;
      response.end('{}');
    });
    const { get } = await import('node:http');
    const plain = (path: string) =>
      new Promise<void>((resolve) => get(`${url}${path}`, (response) => response.resume().on('end', resolve)));
    await plain('/api/v1/namespaces/shop/pods/cart-1');
    await tracing.within(ref, { name: 'work' }, async () => {
      await plain('/api/v1/namespaces/shop/pods/cart-1?token=hunter2');
      await (await fetch(`${url}/api/chat.postMessage`, { method: 'POST' })).text();
      await plain('/hunter2/missing');
    });
    const calls = spans
      .filter(({ kind }) => kind === 'client')
      .map(({ name, error, attributes }) => [name, error, attributes['http.response.status_code']]);
    expect(calls).toEqual([
      ['GET /api/v1/namespaces/{namespace}/pods/{name}', undefined, 200],
      ['POST /api/chat.postMessage', undefined, 200],
      ['GET 127.0.0.1', '404', 404],
    ]);
    const [work] = spans.filter(({ name }) => name === 'work');
    expect(spans.filter(({ kind }) => kind === 'client').every(({ parentId }) => parentId === work?.spanId)).toBe(true);
    expect(JSON.stringify(spans)).not.toContain('hunter2');
  });

  test('that are not answered say so', async () => {
    const { tracing, spans } = recorder();
    const requests = watchRequests();
    ends.push(() => requests.stop());
    const url = await api((request) => request.socket.destroy());
    await tracing.within(ref, { name: 'work' }, async () => {
      await fetch(url).catch(() => undefined);
      const { get } = await import('node:http');
      await new Promise((resolve) => get(url).on('error', resolve));
      await sleep(0);
    });
    expect(spans.filter(({ kind }) => kind === 'client').map(({ error }) => error)).toEqual(['no-answer', 'no-answer']);
  });

  test.each([
    ['/api/v1/namespaces/shop/pods/cart-1/exec?command=id', '/api/v1/namespaces/{namespace}/pods/{name}/exec'],
    ['/apis/apps/v1/namespaces/shop/deployments', '/apis/apps/v1/namespaces/{namespace}/deployments'],
    ['/api/v1/namespaces/shop', '/api/v1/namespaces/{name}'],
    ['/api/v1/nodes/node-1', '/api/v1/nodes/{name}'],
    [
      '/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/x',
      '/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies/{name}',
    ],
    ['/api/conversations.history', '/api/conversations.history'],
    ['/services/T0/B0/hunter2', undefined],
    ['/v1/secret/data/hunter2', undefined],
    ['/api/hunter2', undefined],
    ['/', undefined],
  ])('%s is reported as %s', (path, kind) => {
    expect(pathKind(path)).toBe(kind);
  });
});
