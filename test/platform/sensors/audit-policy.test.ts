import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import type { KubernetesCall } from '../../../integrations/kubernetes/call.ts';
import { createKubernetesApi, type KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { accessFromKubeconfig } from '../../../integrations/kubernetes/kubeconfig.ts';
import type { KubernetesServer } from '../../../tools/platform/kubernetes/kubernetes-api.ts';
import { startKubernetes } from '../../../tools/platform/kubernetes/kubernetes-server.ts';
import { itemsOf } from '../../integrations/sensors/read.ts';
import { readAuditLog, testPlatform } from '../../platform.ts';

const platform = await testPlatform();
const folder = mkdtempSync(join(tmpdir(), 'firebreak-audit-'));
const namespace = 'shop';

/** The policy that the page tells people to use. */
function documentedPolicy() {
  const page = readFileSync(new URL('../../../docs/sensors/kubernetes-audit.md', import.meta.url), 'utf8');
  const [, yaml] = /```yaml\n(apiVersion: audit\.k8s\.io\/v1\n[^`]*)```/.exec(page) ?? [];
  return { apiVersion: 'audit.k8s.io/v1', kind: 'Policy', ...parse(yaml ?? '') } as const;
}

interface Written {
  readonly method: 'POST' | 'PATCH';
  readonly path: string;
  readonly body: object;
  readonly patch?: NonNullable<KubernetesCall['patch']>;
}

const core = `/api/v1/namespaces/${namespace}`;
const apps = `/apis/apps/v1/namespaces/${namespace}/deployments`;
const rbac = '/apis/rbac.authorization.k8s.io/v1';
const template = (container: object) => ({
  metadata: { labels: { app: 'a' } },
  spec: { containers: [{ name: 'a', image: 'docker.io/library/busybox:1', ...container }] },
});
const deployment = { spec: { selector: { matchLabels: { app: 'a' } }, template: template({}) } };
const named = (name: string, object: object) => ({ ...object, metadata: { name } });
const ruleOf = (verbs: readonly string[], resources: readonly string[]) => ({ apiGroups: [''], verbs, resources });
const ingresses = `/apis/networking.k8s.io/v1/namespaces/${namespace}/ingresses`;
const backend = { name: 'plain', port: { number: 80 } };
const toPlain = { path: '/', pathType: 'Prefix', backend: { service: backend } };
const privileged = { securityContext: { privileged: true } };

function make(path: string, name: string, object: object): Written {
  return { method: 'POST', path, body: named(name, object) };
}

function change(patch: NonNullable<KubernetesCall['patch']>, path: string, body: object): Written {
  return { method: 'PATCH', path, body, patch };
}

let kubernetes: KubernetesServer;
let api: KubernetesApi;

async function send(on: KubernetesApi, { method, path, body, patch }: Written): Promise<void> {
  await on.json({ method, path, body, what: 'set the scene', ...(patch && { patch }) });
}

beforeAll(async () => {
  kubernetes = await startKubernetes({ stateDir: folder, kubernetes: { nodes: [], auditLevel: documentedPolicy() } });
  api = createKubernetesApi({ access: await accessFromKubeconfig({ file: kubernetes.kubeconfig }) });
  await send(api, make('/api/v1/namespaces', namespace, {}));
  await send(api, make(`${core}/configmaps`, 'plain', { data: { colour: 'red' } }));
  await send(api, make(`${core}/services`, 'plain', { spec: { ports: [{ port: 80 }], type: 'ClusterIP' } }));
  await send(api, make(apps, 'plain', deployment));
  await send(api, make(`${rbac}/clusterroles`, 'plain', { rules: [ruleOf(['get'], ['pods'])] }));
});
afterAll(async () => {
  await kubernetes?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const registries = { severities: { 'kubernetes-audit': { severities: {}, registries: ['registry.example.com'] } } };

describe('with the documented audit policy, a real API server provides what each rule about contents needs', () => {
  const bound = (role: string, subject: string) => ({
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: subject.startsWith('system:') ? 'Group' : 'User', name: subject }],
  });
  const key = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
  const image = { op: 'replace', path: '/spec/template/spec/containers/0/securityContext', value: { privileged: true } };

  test.each<readonly [string, Written]>([
    ['Credentials in a ConfigMap', make(`${core}/configmaps`, 'made', { data: { AWS_SECRET_ACCESS_KEY: key } })],
    ['Credentials in a ConfigMap', change('merge', `${core}/configmaps/plain`, { data: { AWS_SECRET_ACCESS_KEY: key } })],
    [
      'Credentials in a ConfigMap',
      change('json', `${core}/configmaps/plain`, [{ op: 'add', path: '/data/K', value: `aws_secret_access_key=${key}` }]),
    ],
    ['Service opened on every node', make(`${core}/services`, 'made', { spec: { ports: [{ port: 80 }], type: 'NodePort' } })],
    [
      'Service opened on every node',
      change('json', `${core}/services/plain`, [{ op: 'replace', path: '/spec/type', value: 'NodePort' }]),
    ],
    [
      'Service opened to the outside',
      make(`${core}/services`, 'balanced', { spec: { ports: [{ port: 80 }], type: 'LoadBalancer' } }),
    ],
    ['Service takes addresses of others', change('merge', `${core}/services/plain`, { spec: { externalIPs: ['203.0.113.9'] } })],
    ['Ingress for all hosts', make(ingresses, 'made', { spec: { defaultBackend: { service: backend } } })],
    ['Ingress for all hosts', make(ingresses, 'open', { spec: { rules: [{ http: { paths: [toPlain] } }] } })],
    ['Pod that opens the node', make(apps, 'made', { spec: { ...deployment.spec, template: template(privileged) } })],
    ['Pod that opens the node', change('json', `${apps}/plain`, [image])],
    ['Pod that opens the node', change('strategic', `${apps}/plain`, { spec: { template: { spec: { hostPID: true } } } })],
    ['Image outside the allowed registries', make(apps, 'foreign', deployment)],
    ['Role with all rights', make(`${rbac}/clusterroles`, 'all', { rules: [ruleOf(['*'], ['*'])] })],
    ['Cluster administrator bound', make(`${rbac}/clusterrolebindings`, 'all', bound('all', 'eve'))],
    ['Role with wildcards', make(`${rbac}/clusterroles`, 'wide', { rules: [ruleOf(['get'], ['*'])] })],
    ['Role with dangerous rights', make(`${rbac}/clusterroles`, 'exec', { rules: [ruleOf(['create'], ['pods/exec'])] })],
    ['Role with dangerous rights', make(`${rbac}/clusterrolebindings`, 'exec', bound('exec', 'eve'))],
    ['Role that may write', make(`${rbac}/clusterroles`, 'writes', { rules: [ruleOf(['create'], ['pods'])] })],
    ['Role that only reads', make(`${rbac}/clusterroles`, 'reads', { rules: [ruleOf(['get'], ['pods'])] })],
    [
      'Role with all rights',
      change('json', `${rbac}/clusterroles/plain`, [{ op: 'add', path: '/rules/-', value: ruleOf(['*'], ['*']) }]),
    ],
    ['Rights given to everybody', make(`${rbac}/clusterrolebindings`, 'everybody', bound('reads', 'system:authenticated'))],
  ])('%s: %j', async (rule, written) => {
    const before = readAuditLog(kubernetes.auditLog).length;
    await send(api, written);
    const sent = readAuditLog(kubernetes.auditLog).slice(before);
    const verb = written.method === 'POST' ? 'create' : 'patch';
    const items = sent
      .filter(
        (event) => event.verb === verb && event.requestURI?.startsWith(written.path) && event.userAgent?.startsWith('firebreak'),
      )
      .flatMap((event) => itemsOf(event, registries));
    expect(items).toMatchObject([{ kind: 'alert', alert: { rule } }]);
  });
});

test('at level Metadata the sensor says what it cannot check', async () => {
  const own = await platform.freshNamespace();
  const shared = createKubernetesApi({ access: await accessFromKubeconfig({ file: platform.kubeconfig }) });
  await send(shared, make(`/api/v1/namespaces/${own}/configmaps`, 'made', { data: { password: 'x' } }));
  const made = readAuditLog(platform.auditLog).filter(({ verb, objectRef }) => {
    return verb === 'create' && objectRef?.resource === 'configmaps' && objectRef.namespace === own && objectRef.name === 'made';
  });
  expect(made.flatMap((event) => itemsOf(event))).toMatchObject([
    { kind: 'ignored', lacks: 'the content of configmaps, at level Metadata' },
  ]);
});
