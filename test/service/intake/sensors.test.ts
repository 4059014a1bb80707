import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sensors } from '../../../integrations/sensors/index.ts';
import { cloudEventMode } from '../../../service/intake/door/alert-door.ts';
import { FakeIncidentGateway } from '../../fakes/incident-gateway.ts';
import { type Answered, type Door, falcoEvent, openDoor, removeDirectory, token } from './parts/intake-fixture.ts';

const fixture = (path: string): string => readFileSync(new URL(`../../fixtures/alerts/${path}`, import.meta.url), 'utf8');

function idsOf({ json: { items } }: Answered): readonly unknown[] {
  if (!Array.isArray(items)) throw new Error('no items');
  return items.map((item: { readonly id?: string; readonly status: string }) => item.id ?? item.status);
}

let door: Door;
beforeAll(async () => {
  door = await openDoor(new FakeIncidentGateway());
});
afterAll(async () => {
  await door.intake.stop(500);
  removeDirectory(door.directory);
});

describe('every sensor', () => {
  test.each(sensors.map(({ name }) => [name]))('%s has an address of its own, with a header or a secret path', async (name) => {
    for (const path of [`/v1/alerts/${name}`, `/v1/alerts/${name}/${token}`]) {
      const answer = await door.post('{"hello":"world"}', { path });
      expect(answer).toMatchObject({ status: 422, json: { rejected: 1 } });
    }
  });

  test.each([
    ['tetragon', 'tetragon/rw-kprobe-sigkill-policy.json', { accepted: 1 }],
    ['tracee', 'tracee/rw-legacy-flat-signature-v0.11.json', { accepted: 1 }],
    ['kubearmor', 'kubearmor/rw-preset-alert.json', { accepted: 1 }],
    ['kubearmor', 'kubearmor/rw-alert-threshold-systemevent.json', { health: 1 }],
    ['kubernetes-audit', 'kubernetes-audit/rw-eventlist-two-items-exec.json', { accepted: 1, ignored: 1 }],
    ['inspektor-gadget', 'inspektor-gadget/rw-legacy-trace-exec.json', { accepted: 1 }],
    ['alertmanager', 'alertmanager/rw-webhook-v4-firing-from-falcosidekick.json', { accepted: 1 }],
    ['alertmanager', 'alertmanager/rw-webhook-v4-resolved.json', { ignored: 1, accepted: 0 }],
    ['falcosidekick', 'falcosidekick/rw-test-rule.json', { accepted: 1 }],
    ['kubescape', 'kubescape/rw-http-rule.json', { accepted: 1 }],
    ['kubescape', 'kubescape/rw-http-limit-reached.json', { health: 1 }],
    ['kubescape', 'kubescape/rw-alertmanager-webhook.json', { accepted: 1, ignored: 1 }],
    // One of the two has arrived by the webhook.
    ['kubescape', 'kubescape/rw-alertmanager-api.json', { accepted: 1, duplicate: 1 }],
    ['kubearmor', 'kubearmor/rw-sidekick.json', { accepted: 1 }],
  ])('%s is accepted at its own address, and the same when the sensor has to be detected', async (name, file, counts) => {
    const body = fixture(file);
    const own = await door.post(body, { path: `/v1/alerts/${name}` });
    expect(own).toMatchObject({ status: 200, json: counts });
    const detected = await door.post(body, { path: '/v1/alerts' });
    expect(idsOf(detected)).toEqual(idsOf(own));
  });
});

describe('CloudEvents', () => {
  const attributes = {
    'ce-specversion': '1.0',
    'ce-id': '1',
    'ce-source': 'https://falco.org',
    'ce-type': 'falco.rule.output.v1',
  };
  const structured = (data: object) => ({ specversion: '1.0', id: '1', source: 'x', type: 'y', data });

  test('their modes are told apart by headers, with a batch recognized before the common prefix of its type', () => {
    expect(cloudEventMode('application/cloudevents-batch+json; charset=utf-8', {})).toBe('batch');
    expect(cloudEventMode('Application/CloudEvents+JSON', {})).toBe('structured');
    expect(cloudEventMode('application/json', attributes)).toBe('binary');
    expect(cloudEventMode('application/json', {})).toBeUndefined();
  });

  test.each(['/v1/alerts', '/v1/alerts/cloudevents', '/v1/alerts/falcosidekick'])('in binary mode at %s', async (path) => {
    const answer = await door.post(JSON.stringify(falcoEvent()), { path, headers: attributes });
    expect(answer).toMatchObject({ status: 200, json: { accepted: 1 } });
  });

  test.each(['/v1/alerts', '/v1/alerts/cloudevents', '/v1/alerts/falco'])('structured and as a batch at %s', async (path) => {
    const one = JSON.stringify(structured(falcoEvent()));
    const headers = { 'content-type': 'application/cloudevents+json' };
    expect(await door.post(one, { path, headers })).toMatchObject({ status: 200, json: { accepted: 1 } });
    const batch = JSON.stringify([structured(falcoEvent()), structured(falcoEvent())]);
    const type = { 'content-type': 'application/cloudevents-batch+json' };
    expect(await door.post(batch, { path, headers: type })).toMatchObject({ status: 200, json: { accepted: 2 } });
  });

  test('what is sent as one but is not is refused', async () => {
    const headers = { 'content-type': 'application/cloudevents+json' };
    expect((await door.post(JSON.stringify(falcoEvent()), { path: '/v1/alerts', headers })).status).toBe(422);
  });
});
