import { afterEach, describe, expect, test } from '@jest/globals';
import type { NodeIsolation } from '../../../core/action/node-isolation.ts';
import { createWebhookNodeIsolator } from '../../../integrations/webhook/node-isolator.ts';
import { type NodeProviderFake, startNodeProviderFake } from '../../fakes/node-provider/server.ts';

const secret = 'node-secret';
const { signal } = new AbortController();
const fakes: NodeProviderFake[] = [];
afterEach(async () => {
  for (const fake of fakes.splice(0)) await fake.stop();
});

async function provider(options: { readonly secret?: string; readonly timeoutMs?: number } = {}) {
  const fake = await startNodeProviderFake({ secret });
  fakes.push(fake);
  return { fake, isolator: createWebhookNodeIsolator({ url: `${fake.url}/firebreak`, secret, ...options }) };
}

const isolation: NodeIsolation = {
  key: 'incident/lab/run/book/node:worker-3/cordonNode/0',
  incident: 'incident/lab/node/worker-3',
  cluster: 'lab',
  node: { name: 'worker-3', uid: 'u-3', providerId: 'aws:///eu-central-1a/i-0abc', addresses: ['10.0.0.3'] },
};

describe('a node at its provider', () => {
  test('is isolated once, checked, and released once', async () => {
    const { fake, isolator } = await provider();
    expect(await isolator.look(isolation, signal)).toEqual({ state: 'open', detail: 'sg-default' });
    await isolator.isolate(isolation, signal);
    await isolator.isolate(isolation, signal);
    expect(fake.isolated()).toEqual(['worker-3']);
    expect(await isolator.look(isolation, signal)).toEqual({ state: 'isolated', detail: 'sg-quarantine' });
    await isolator.release(isolation, signal);
    await isolator.release(isolation, signal);
    expect(fake.isolated()).toEqual([]);
    expect(await isolator.look(isolation, signal)).toMatchObject({ state: 'open' });
    expect(fake.events.map(({ type }) => type)).toEqual([
      ...['node.look', 'node.isolate', 'node.look', 'node.release', 'node.look'],
    ]);
    expect(fake.events[1]).toMatchObject({ cluster: 'lab', node: isolation.node });
    expect(new Set(fake.events.map((event) => event.isolation)).size).toBe(1);
  });

  test('stays isolated when another step’s isolation is released', async () => {
    const { fake, isolator } = await provider();
    await isolator.isolate(isolation, signal);
    await isolator.release({ ...isolation, key: 'another' }, signal);
    expect(fake.isolated()).toEqual(['worker-3']);
  });

  test('is refused with another secret, and a hanging provider is waited for no longer than configured', async () => {
    const stranger = await provider({ secret: 'other' });
    await expect(stranger.isolator.isolate(isolation, signal)).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
    const { fake, isolator } = await provider({ timeoutMs: 200 });
    fake.inject({ method: 'POST', path: /firebreak/, what: 'hang' });
    await expect(isolator.isolate(isolation, signal)).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
    expect(isolator.title).toBe(`the webhook at ${new URL(fake.url).host}`);
  });
});
