import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { parseAllDocuments, stringify } from 'yaml';
import { runCommand } from '../../../service/parts/command.ts';
import { projectRoot } from '../../../service/process/project-root.ts';
import { helmBinary } from '../../../tools/platform/helm-binary.ts';
import { kubernetesProgram } from '../../../tools/platform/kubernetes/kubelab-binary.ts';
import { installManifests } from '../../../tools/release/release.ts';
import { testPlatform } from '../../platform.ts';

const platform = await testPlatform();
const { freshNamespace } = platform;
const folder = mkdtempSync(join(tmpdir(), 'firebreak-install-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const helm = await helmBinary(() => {});
const chart = join(projectRoot(), 'deploy', 'helm', 'firebreak');
const kubectl = (await kubernetesProgram('kubectl', () => {})) ?? 'kubectl';
const run = (...args: readonly string[]) =>
  runCommand({ command: kubectl, args: ['--kubeconfig', platform.kubeconfig, ...args] });

// A server-side dry run: the server checks everything as usual, and nothing takes effect while other tests run.
(helm ? test : test.skip)(
  'install.yaml of a release is accepted by a real API server, in the namespace that its header names',
  async () => {
    const file = join(folder, 'install.yaml');
    const text = await installManifests(chart, () => {});
    writeFileSync(file, text);
    const [, make = ''] = /(create namespace firebreak)/.exec(text) ?? [];
    expect(await run(...make.split(' '))).toMatchObject({ code: 0 });
    try {
      const { code, stdout, stderr } = await run('apply', '--dry-run=server', '--filename', file);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      for (const made of [
        'statefulset.apps/firebreak',
        'statefulset.apps/firebreak-temporal',
        'configmap/firebreak',
        'networkpolicy.networking.k8s.io/firebreak-cell',
      ])
        expect(stdout).toContain(`${made} created (server dry run)`);
      // What the head of the file says to edit.
      expect(text).toMatch(/each file of the ConfigMap firebreak\.\n/);
      // As a base for Kustomize, as in the page.
      const page = readFileSync(join(projectRoot(), 'docs', 'install.md'), 'utf8');
      const [, overlay = ''] = /```yaml\n(# kustomization\.yaml[^`]+)```/.exec(page) ?? [];
      const digest = 'a'.repeat(64);
      writeFileSync(join(folder, 'kustomization.yaml'), overlay.replace('…', digest));
      const built = await run('kustomize', folder);
      expect({ code: built.code, stderr: built.stderr }).toEqual({ code: 0, stderr: '' });
      const named = [...built.stdout.matchAll(/^\s+(?:- )?image: (\S+)$/gm)].map(([, image]) => image);
      const images = named.filter((image) => !image?.startsWith('temporalio/'));
      expect(named.length).toBe(images.length + 1);
      expect(images.length).toBeGreaterThan(3);
      expect(new Set(images)).toEqual(new Set([`registry.example/firebreak@sha256:${digest}`]));
      expect(await run('apply', '--dry-run=server', '--kustomize', folder)).toMatchObject({ code: 0, stderr: '' });
    } finally {
      await run('delete', 'namespace', 'firebreak', '--wait=false');
    }
  },
);

const secret = (name: string) => ({ file: `/etc/firebreak/secrets/all/${name}` });
const s3 = { bucket: 'evidence', accessKeyId: secret('id'), secretAccessKey: secret('secret') };
/** Everything of Kubernetes' own kinds that the chart can create. */
const everything = {
  config: {
    cluster: 'prod-eu',
    temporal: { address: 'temporal:7233' },
    intake: { tokens: [{ name: 'falco', token: secret('falco') }] },
    evidence: { s3 },
    forensics: { toolsImage: `images.internal/firebreak-tools@sha256:${'0'.repeat(64)}` },
    backup: { s3 },
    audit: { url: secret('database') },
    slack: { mode: 'socket', appId: 'A0FB', teamId: 'T0FB', channel: 'C0FB', botToken: secret('bot'), appToken: secret('app') },
    roster: { people: [{ id: 'ada', name: 'Ada', slack: ['U0ADA'] }], groups: { oncall: ['ada'], leads: ['ada'] } },
    console: { roles: { viewer: ['engineering'] } },
    reports: [{ name: 'iso', framework: 'iso-27001', to: { folder: '/var/lib/firebreak/reports' } }],
    actions: {
      optIn: ['cutConnections', 'probeQuarantine', 'checkpointContainer', 'revokeServiceAccount', 'denyImage'],
      gitops: { argocd: { namespace: 'argocd' }, flux: true },
    },
  },
  secretFiles: [{ name: 'all', secret: 'all', roles: ['cell', 'desk', 'secrets', 'forensics', 'backup'] }],
  cell: { replicas: 2 },
  desk: { replicas: 2, ingress: { enabled: true, host: 'firebreak.example.com', tlsSecret: 'tls', className: 'nginx' } },
  packs: { enabled: true },
  doctor: { schedule: '17 5 * * *' },
  backup: { schedule: '40 2 * * *', sealKeysWith: 'seal' },
  reports: { schedule: '20 6 * * *' },
  networkPolicy: { morePorts: { desk: [8443] } },
  monitoring: { dashboards: { enabled: true } },
};
const { temporal: _temporal, ...withoutTemporal } = everything.config;
const ofHub = { trust: { clusters: [{ cluster: 'prod-eu', keys: 'keys-of-prod-eu' }] } };
const restoring = { restore: { from: 'prod-eu-2026-03-01T10-00-00.000Z', publicKey: 'notary', replace: true } };

(helm ? test : test.skip).each([
  ['cluster', everything, ['statefulset.apps/firebreak-cell', 'validatingadmissionpolicy.admissionregistration.k8s.io/']],
  ['cluster', { ...everything, ...restoring }, ['job.batch/firebreak-restore-']],
  [
    'single',
    { ...everything, cell: {}, desk: {}, config: withoutTemporal, temporal: { install: true } },
    ['service/firebreak-temporal'],
  ],
  ['hub', { ...everything, ...ofHub }, ['statefulset.apps/firebreak-desk', 'ingress.networking.k8s.io/firebreak-desk']],
] as const)(
  'what the chart renders for profile %s with everything turned on is accepted by a real API server',
  async (profile, values, wanted) => {
    const namespace = await freshNamespace();
    const [valuesFile, file] = [join(folder, 'values.yaml'), join(folder, 'rendered.yaml')];
    writeFileSync(valuesFile, stringify({ ...values, profile }));
    const args = ['template', 'firebreak', chart, '--namespace', namespace, '--values', valuesFile];
    const { code, stdout: text, stderr } = await runCommand({ command: helm ?? '', args });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    writeFileSync(file, text);
    const words = ['apply', '--namespace', namespace, '--dry-run=server', '--validate=strict', '--filename', file];
    const taken = await run(...words);
    // A warning from the server (a deprecated or misspelled field) is a failure, too.
    expect({ code: taken.code, stderr: taken.stderr }).toEqual({ code: 0, stderr: '' });
    for (const made of wanted) expect(taken.stdout).toContain(made);
    const documents = parseAllDocuments(text).filter((one) => one.toJS() !== null);
    expect(taken.stdout.trim().split('\n')).toHaveLength(documents.length);
  },
);
