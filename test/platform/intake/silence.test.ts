import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createKubernetesApi, type KubernetesApi, pathOf } from '../../../integrations/kubernetes/client.ts';
import { accessFromKubeconfig } from '../../../integrations/kubernetes/kubeconfig.ts';
import { createSubjectResolver } from '../../../integrations/kubernetes/watch/resolver.ts';
import { WatchCache } from '../../../integrations/kubernetes/watch/watch-cache.ts';
import { type Intake, startIntake } from '../../../service/intake/start.ts';
import { FakeIncidentGateway } from '../../fakes/incident-gateway.ts';
import { testPlatform } from '../../platform.ts';
import { falcoEvent, freshDirectory, removeDirectory, silent, token, until } from '../../service/intake/parts/intake-fixture.ts';

const { kubeconfig, prefix, freshNamespace } = await testPlatform();
const gateway = new FakeIncidentGateway();
const directory = freshDirectory();
const label = { [`firebreak.test/${prefix}`]: 'yes' };
const nodes = [`${prefix}-a`, `${prefix}-b`] as const;
const silentAfterMs = 3_000;
const incident = (node: string) => `incident/${prefix}/node/${node}`;

let api: KubernetesApi;
let view: WatchCache;
let intake: Intake;
let namespace: string;

async function call(method: 'POST' | 'DELETE', path: string, body?: unknown): Promise<void> {
  await api.json({ method, path, ...(body !== undefined && { body }), what: 'set the scene' });
}

/** A node simulated by kwok, for this file alone. */
function node(name: string): object {
  const room = { cpu: '32', memory: '256Gi', pods: '100' };
  return {
    metadata: { name, labels: { type: 'kwok', ...label }, annotations: { 'kwok.x-k8s.io/node': 'fake' } },
    spec: { taints: [{ key: `firebreak.test/${prefix}`, effect: 'NoSchedule' }] },
    status: { allocatable: room, capacity: room },
  };
}

function daemonSet(name: string): object {
  return {
    metadata: { name },
    spec: {
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          nodeSelector: label,
          tolerations: [{ operator: 'Exists' }],
          containers: [{ name: 'sensor', image: 'falco:1' }],
          terminationGracePeriodSeconds: 0,
        },
      },
    },
  };
}

const readyOn = (name: string): boolean =>
  [...view.pods()].some((pod) => pod.namespace === namespace && pod.node === name && pod.ready);

beforeAll(async () => {
  namespace = await freshNamespace();
  api = createKubernetesApi({ access: await accessFromKubeconfig({ file: kubeconfig }) });
  view = new WatchCache({ api, nodes: true });
  await view.start();
  for (const name of nodes) await call('POST', pathOf({ resource: 'nodes' }), node(name));
  await call('POST', pathOf({ group: 'apps', resource: 'daemonsets', namespace }), daemonSet('falco'));
  await until(() => nodes.every(readyOn), 60_000);
  intake = await startIntake({
    listen: { host: '127.0.0.1', port: 0 },
    tokens: [{ name: 'falco', token }],
    spoolDir: directory,
    maxBytes: 100_000_000,
    cluster: prefix,
    resolver: createSubjectResolver({ view, cellKey: new Uint8Array(32) }),
    gateway,
    silence: {
      view,
      lookEveryMs: 200,
      expected: [{ sensor: 'falco', daemonSet: { namespace, name: 'falco' }, nodes: label, silentAfterMs, speaks: false }],
    },
    seal: (bytes) => bytes,
    log: silent,
  });
});

afterAll(async () => {
  await intake?.stop(500);
  removeDirectory(directory);
  for (const name of nodes) await call('DELETE', pathOf({ resource: 'nodes', name })).catch(() => undefined);
  await view?.stop();
  api?.close();
});

/** Removes the sensor from one node: a label on the node is enough. */
async function takeAway(name: string): Promise<void> {
  await api.json({
    method: 'PATCH',
    patch: 'merge',
    path: pathOf({ group: 'apps', resource: 'daemonsets', namespace, name: 'falco' }),
    body: {
      spec: {
        template: {
          spec: {
            affinity: {
              nodeAffinity: {
                requiredDuringSchedulingIgnoredDuringExecution: {
                  nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'NotIn', values: [name] }] }],
                },
              },
            },
          },
        },
      },
    },
    what: 'take a sensor away',
  });
}

function post(body: unknown): Promise<Response> {
  return fetch(`${intake.url}/v1/alerts/falco`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { authorization: `Bearer ${token}` },
  });
}

describe('a sensor that is silent', () => {
  test('raises nothing while its pods are ready', async () => {
    await new Promise((resolve) => setTimeout(resolve, silentAfterMs + 1_500));
    expect([...gateway.runs.keys()]).toEqual([]);
  });

  test('raises one alert for its node when its pod is gone, and recovers when it speaks again', async () => {
    const [gone, other] = nodes;
    await takeAway(gone);
    await until(() => !readyOn(gone), 60_000);
    await until(() => gateway.batches(incident(gone)).length > 0, 30_000);
    const [alert] = gateway.batches(incident(gone)).flatMap(({ alerts }) => alerts);
    expect(alert).toMatchObject({ sensor: 'firebreak', rule: 'Sensor silent', severity: 'high', node: gone, cluster: prefix });
    expect(alert?.title).toContain(`no pod of ${namespace}/falco was found`);
    await new Promise((resolve) => setTimeout(resolve, silentAfterMs));
    expect(gateway.counted(incident(gone))).toBe(1);
    expect(gateway.batches(incident(other))).toEqual([]);

    await post(falcoEvent({ hostname: gone }, { 'k8s.ns.name': null, 'k8s.pod.name': null, 'container.id': 'host' }));
    await until(() => gateway.notes.some(({ note }) => note.kind === 'sensor.back'), 30_000);
    expect(gateway.notes[0]).toMatchObject({ id: incident(gone), note: { about: 'falco' } });
  });

  test('is critical when it falls silent again after an alert on that node', async () => {
    const [gone] = nodes;
    const raised = () =>
      gateway.batches(incident(gone)).flatMap(({ alerts }) => alerts.filter(({ sensor }) => sensor === 'firebreak'));
    await until(() => raised().length === 2, 30_000);
    expect(raised()[1]).toMatchObject({ severity: 'critical' });
  });
});
