import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import proto from '@temporalio/proto';
import { parse } from 'yaml';
import { searchAttributes } from '../../../core/incident/search-attributes.ts';
import { makeOwnCertificate } from '../../../integrations/uploads/own-certificate.ts';
import { runCommand } from '../../../service/parts/command.ts';
import { openTemporalLink } from '../../../service/temporal/link.ts';
import { queuesOf } from '../../../service/temporal/workers.ts';
import { callKubernetes, readAccess } from '../../../tools/platform/kubernetes/kubernetes-api.ts';
import { writeAccountKubeconfig } from '../../account-kubeconfig.ts';
import { commandFile } from '../../command-line.ts';
import { eventually } from '../../eventually.ts';
import { testPlatform } from '../../platform.ts';

const platform = await testPlatform();
const folder = mkdtempSync(join(tmpdir(), 'firebreak-doctor-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Told {
  readonly code: number | null;
  readonly findings: readonly {
    readonly check: string;
    readonly state: string;
    readonly text: string;
    readonly remedy?: string;
  }[];
  readonly stdout: string;
}

interface Place {
  readonly address?: string;
  readonly namespace?: string;
  readonly kubeconfig?: string;
}

/** Runs the command with the roles `cell` and `secrets`. Returns what it reports. */
async function doctor(place: Place = {}, ...more: readonly string[]): Promise<Told> {
  const { address = platform.temporalAddress, namespace = platform.temporalNamespace, kubeconfig = platform.kubeconfig } = place;
  const file = join(folder, 'firebreak.yaml');
  writeFileSync(
    file,
    JSON.stringify({
      cluster: platform.prefix,
      temporal: { address, namespace },
      intake: { tokens: [{ name: 'falco', token: { env: 'FALCO_TOKEN' } }] },
      roster: {
        people: [
          { id: 'ada', name: 'Ada', slack: ['U0ADA'] },
          { id: 'grace', name: 'Grace', slack: ['U0GRACE'] },
        ],
        groups: { oncall: ['ada', 'grace'], leads: ['ada', 'grace'] },
      },
      kubernetes: { kubeconfig },
    }),
  );
  const { code, stdout } = await runCommand({
    command: process.execPath,
    args: [commandFile(), 'doctor', '--config', file, '--role', 'cell,secrets', ...more],
    env: { ...process.env, FALCO_TOKEN: 'token', NO_COLOR: '1' },
  });
  const { findings = [] }: Partial<Told> = more.includes('--json') ? JSON.parse(stdout) : {};
  return { code, findings, stdout };
}

const of = ({ findings }: Told, check: string) => findings.filter((one) => one.check === check);

async function create(path: string, body: { readonly kind?: string }): Promise<void> {
  const { status, text } = await callKubernetes({ access: readAccess(platform.kubeconfig), path, method: 'POST', body });
  if (status !== 201 && status !== 409) throw new Error(`${body.kind}: ${status} ${text}`);
}

describe('firebreak doctor', () => {
  test('finds Temporal and the cluster in order, says that no worker is running, and prints a table for people', async () => {
    const inOrder = ['temporal search attributes', 'temporal version', 'kubernetes', 'kubernetes clock'];
    // A busy machine may not answer in time: then the doctor reports that, and is run again.
    const told = await eventually('Temporal and the cluster in order', async () => {
      const now = await doctor({}, '--json');
      return inOrder.every((check) => of(now, check)[0]?.state === 'ok') && now;
    });
    expect(of(told, 'temporal')).toMatchObject([{ text: expect.stringContaining('serves the namespace') }]);
    expect(of(told, 'rights')).toMatchObject([{ state: 'ok' }, { state: 'ok' }]);
    expect(of(told, 'roles at work')).toMatchObject([
      { state: 'error', text: 'cell: no process takes its work' },
      { state: 'error' },
    ]);
    expect(told.code).toBe(1);
    const shown = await doctor();
    expect(shown.stdout).toMatch(/^✔ temporal +127\.0\.0\.1:\d+ serves the namespace/m);
    expect(shown.stdout).toMatch(/^ +→ Start it: firebreak run --role cell/m);
    expect(shown.stdout).toMatch(/^\d+ wrong, \d+ to look at, \d+ in order, \d+ not tried\.$/m);
  });

  test('says how far Temporal throttles a queue, and how to lift that', async () => {
    const connection = await Connection.connect({ address: platform.temporalAddress });
    const { secrets: taskQueue } = queuesOf(platform.prefix);
    const limitedTo = (rateLimit?: { readonly requestsPerSecond: number }) =>
      connection.workflowService.updateTaskQueueConfig({
        namespace: platform.temporalNamespace,
        identity: 'somebody',
        taskQueue,
        taskQueueType: proto.temporal.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        updateQueueRateLimit: { ...(rateLimit && { rateLimit }), reason: '' },
      });
    const limits = async () => of(await doctor({}, '--json'), 'roles at work').filter(({ text }) => text.includes('at most'));
    expect(await limits()).toEqual([]);
    await limitedTo({ requestsPerSecond: 0 });
    expect(await limits()).toMatchObject([
      {
        state: 'error',
        text: 'secrets: Temporal hands out at most 0 of its tasks a second, since somebody has limited its queue',
        remedy: expect.stringContaining(`--task-queue ${taskQueue} --task-queue-type activity`),
      },
    ]);
    await limitedTo();
    await connection.close();
  });

  test('names the search attributes that a namespace lacks, with the command that creates each', async () => {
    const namespace = `${platform.prefix}-bare`;
    const connection = await Connection.connect({ address: platform.temporalAddress });
    await connection.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod: msToTs('24h') });
    // The server’s cache of its namespaces is some seconds old.
    const isServed = () =>
      connection.operatorService.listSearchAttributes({ namespace }).then(
        () => true,
        () => false,
      );
    await eventually('the namespace', isServed);
    await connection.close();
    const told = await doctor({ namespace }, '--json');
    const lacking = of(told, 'temporal search attributes');
    expect(lacking).toHaveLength(searchAttributes.length);
    expect(lacking[0]).toMatchObject({
      state: 'error',
      text: 'FirebreakCluster is not registered',
      remedy: `temporal operator search-attribute create --namespace ${namespace} --name FirebreakCluster --type Keyword`,
    });
  });

  test('says what does not start or is forgotten in a namespace that somebody has changed', async () => {
    const namespace = `${platform.prefix}-changed`;
    const connection = await Connection.connect({ address: platform.temporalAddress });
    const { workflowService } = connection;
    await workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod: msToTs('24h') });
    const said = async () => of(await doctor({ namespace }, '--json'), 'temporal').slice(1);
    expect(await said()).toEqual([]);
    await workflowService.updateNamespace({ namespace, config: { workflowExecutionRetentionTtl: msToTs('1h') } });
    expect(await said()).toMatchObject([{ state: 'warning', text: expect.stringContaining('for 60 minutes after its end') }]);
    await workflowService.deprecateNamespace({ namespace });
    expect(await said()).toMatchObject([{ state: 'error', text: expect.stringContaining('no incident starts in it any more') }]);
    await workflowService.updateNamespace({
      namespace,
      updateInfo: { state: proto.temporal.api.enums.v1.NamespaceState.NAMESPACE_STATE_DELETED },
    });
    await connection.close();
    // Temporal still describes it, and refuses every poll there.
    const reasons: string[] = [];
    const waiting = openTemporalLink({
      ...{ address: platform.temporalAddress, namespace, identity: 'test', access: () => ({}) },
      onWaiting: (reason) => void reasons.push(reason),
    });
    await eventually('the reason', () => Promise.resolve(reasons[0]?.includes('does not serve the namespace')));
    expect(waiting.isThere()).toBe(false);
    await waiting.close();
  });

  test('makes no claim about a namespace that does not exist', async () => {
    const told = await eventually('an answer of Temporal', async () => {
      const now = await doctor({ namespace: `${platform.prefix}-none` }, '--json');
      return of(now, 'temporal')[0]?.text.includes('does not serve the namespace') && now;
    });
    expect(of(told, 'temporal')).toMatchObject([{ state: 'error', remedy: expect.stringContaining('Create the namespace') }]);
    for (const check of ['temporal search attributes', 'roles at work', 'builds'])
      expect([check, of(told, check)]).toMatchObject([check, [{ state: 'not tried' }]]);
  });

  test('checks everything else when Temporal and the API server are down, and makes no claim about what needs them', async () => {
    const kubeconfig = join(folder, 'away.kubeconfig');
    const away = parse(readFileSync(platform.kubeconfig, 'utf8'));
    away.clusters[0].cluster.server = 'https://127.0.0.1:1';
    writeFileSync(kubeconfig, JSON.stringify(away));
    const told = await doctor({ address: '127.0.0.1:1', kubeconfig }, '--json');
    expect(told.code).toBe(1);
    expect(of(told, 'temporal')).toMatchObject([{ state: 'error', text: expect.stringContaining('127.0.0.1:1') }]);
    expect(of(told, 'kubernetes')).toMatchObject([{ state: 'error' }]);
    for (const check of ['temporal search attributes', 'builds', 'rights', 'admission policies'])
      expect(of(told, check)).toMatchObject([{ state: 'not tried', text: expect.stringContaining('cannot be reached') }]);
    expect(of(told, 'evidence store')).toMatchObject([{ state: 'ok' }]);
  });

  test('reads the certificate that the API server presents, and whether all CAs of a webhook have expired', async () => {
    const daysAgo = (days: number): string => makeOwnCertificate({ now: new Date(Date.now() - days * 86_400_000) }).certificate;
    const webhook = (name: string, failurePolicy: string, ...authorities: readonly string[]) => ({
      name: `${name}.${platform.prefix}.example`,
      failurePolicy,
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
      // For an API group that does not exist: it blocks nobody.
      rules: [{ apiGroups: ['none.example'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['nothings'] }],
      clientConfig: {
        url: 'https://127.0.0.1:1/',
        caBundle: Buffer.from(authorities.join('')).toString('base64'),
      },
    });
    const path = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';
    const name = `${platform.prefix}-bundles`;
    await create(path, {
      kind: 'ValidatingWebhookConfiguration',
      ...{
        apiVersion: 'admissionregistration.k8s.io/v1',
        metadata: { name },
        webhooks: [
          webhook('ended', 'Fail', daysAgo(500), daysAgo(400)),
          webhook('passed-over', 'Ignore', daysAgo(400)),
          webhook('renewed', 'Fail', daysAgo(400), daysAgo(0)),
        ],
      },
    });
    try {
      // A busy machine may not answer in time.
      const told = await eventually('an answer of the API server', async () => {
        const now = await doctor({}, '--json');
        const isAnswered = of(now, 'served certificates')[0]?.state === 'ok' && of(now, 'admission webhooks').length >= 2;
        return isAnswered && now;
      });
      expect(of(told, 'served certificates')[0]?.text).toMatch(/^in order: kubernetes \(\d+ days\)$/);
      const ours = of(told, 'admission webhooks').filter(({ text }) => text.includes(platform.prefix));
      const which = `(validatingwebhookconfiguration ${name}) expired 35 days ago`;
      expect(ours).toMatchObject([
        {
          state: 'error',
          text: `the CA bundle of the webhook ended.${platform.prefix}.example ${which}; without a valid one the API server refuses what it would be asked about`,
        },
        {
          state: 'warning',
          text: `the CA bundle of the webhook passed-over.${platform.prefix}.example ${which}; without a valid one it is skipped`,
        },
      ]);
    } finally {
      await callKubernetes({ access: readAccess(platform.kubeconfig), path: `${path}/${name}`, method: 'DELETE' });
    }
  });

  test('names the rights that an account lacks, and what it may not look at', async () => {
    const namespace = await platform.freshNamespace();
    await create(`/api/v1/namespaces/${namespace}/serviceaccounts`, {
      kind: 'ServiceAccount',
      ...{ apiVersion: 'v1', metadata: { name: 'narrow' } },
    });
    const kubeconfig = join(folder, 'narrow.kubeconfig');
    await writeAccountKubeconfig({ kubeconfig: platform.kubeconfig, namespace, name: 'narrow', file: kubeconfig });
    const told = await doctor({ kubeconfig }, '--json');
    const ofCell = of(told, 'rights').filter(({ text }) => text.startsWith('cell: '));
    expect(ofCell).toEqual([
      expect.objectContaining({
        state: 'error',
        text: expect.stringMatching(/^cell: its account lacks \d{2,} rights, the first: \w+ \S+/),
        remedy: expect.stringContaining('kubectl get clusterrolebinding firebreak-cell'),
      }),
    ]);
    expect(of(told, 'admission policies')).toMatchObject([{ state: 'not tried' }]);
    expect(of(told, 'admission webhooks')).toMatchObject([{ state: 'not tried' }]);
    expect(of(told, 'network policies')).toMatchObject([{ state: 'not tried' }]);
  });
});

describe('firebreak init', () => {
  test('detects what runs in the cluster: the version, a sensor’s DaemonSet, and Temporal', async () => {
    const namespace = await platform.freshNamespace();
    const labels = { app: 'sensor' };
    const container = { name: 'sensor', image: 'registry.example/sensor:1' };
    await create(`/apis/apps/v1/namespaces/${namespace}/daemonsets`, {
      kind: 'DaemonSet',
      ...{ apiVersion: 'apps/v1', metadata: { name: 'tetragon' } },
      // On no node: it is inspected, and not run.
      ...{
        spec: {
          selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: { nodeSelector: { 'no.such/label': 'true' }, containers: [container] } },
        },
      },
    });
    await create(`/api/v1/namespaces/${namespace}/services`, {
      kind: 'Service',
      ...{ apiVersion: 'v1', metadata: { name: 'temporal-frontend' }, spec: { ports: [{ port: 7233 }] } },
    });
    // As the API server of most clusters writes it for its own hosts; that of these tests does not. The name is fixed, so all tests share it.
    const slices = '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices';
    await create(slices, {
      ...{ kind: 'EndpointSlice', apiVersion: 'discovery.k8s.io/v1', metadata: { name: 'kubernetes' }, addressType: 'IPv4' },
      ...{ endpoints: [{ addresses: ['192.0.2.1'] }], ports: [{ name: 'https', port: 8443, protocol: 'TCP' }] },
    });
    const out = join(folder, 'new');
    const people = ['--person', 'ada=Ada', '--person', 'grace=Grace'];
    const { code, stdout, stderr } = await runCommand({
      command: process.execPath,
      args: [commandFile(), 'init', '--yes', '--json', '--out', out, ...people, '--kubeconfig', platform.kubeconfig],
    });
    await callKubernetes({ access: readAccess(platform.kubeconfig), path: `${slices}/kubernetes`, method: 'DELETE' });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { sight, next } = JSON.parse(stdout);
    expect(sight.version).toMatch(/^v1\.\d+/);
    expect(sight.sensors).toContainEqual({ sensor: 'tetragon', namespace, name: 'tetragon' });
    expect(sight.temporal).toBe(`temporal-frontend.${namespace}.svc:7233`);
    expect(parse(readFileSync(join(out, 'firebreak.yaml'), 'utf8'))).toMatchObject({
      temporal: { address: sight.temporal },
      sensors: { tetragon: { daemonSet: { namespace, name: 'tetragon' } } },
    });
    expect(sight.apiServerPort).toBe(8443);
    expect(parse(readFileSync(join(out, 'values.yaml'), 'utf8'))).toMatchObject({ networkPolicy: { apiServerPort: 8443 } });
    expect(next).toContainEqual(expect.stringMatching(/^helm install .* image\.repository=REGISTRY\/firebreak,image\.digest=/));

    // Without that object, the installation would wait for the API server in vain, and nobody would know why.
    const unread = await runCommand({
      command: process.execPath,
      args: [commandFile(), 'init', '--yes', '--out', join(folder, 'unread'), ...people, '--kubeconfig', platform.kubeconfig],
    });
    expect(unread.stdout).toMatch(
      /API server +its port could not be read\. The chart assumes 6443.*networkPolicy\.apiServerPort/s,
    );
  });
});
