import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { searchAttributes } from '../../core/incident/search-attributes.ts';
import { loadConfig } from '../../service/config/load.ts';
import { runCommand } from '../../service/parts/command.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { newFiles, temporalHere } from '../../service/setup/new-installation.ts';
import { helmBinary } from '../../tools/platform/helm-binary.ts';

interface RenderedPod {
  readonly nodeSelector?: object;
  readonly tolerations?: readonly object[];
  readonly serviceAccountName: string;
  readonly automountServiceAccountToken: boolean;
  readonly volumes: readonly { readonly name: string }[];
  readonly containers: readonly {
    readonly name: string;
    readonly image: string;
    readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
    readonly resources?: { readonly requests?: object; readonly limits?: object };
    readonly securityContext: object;
    readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  }[];
}

interface Rendered {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: object; readonly annotations?: object };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly replicas?: number;
    readonly selector?: { readonly matchLabels?: object };
    readonly podSelector?: { readonly matchLabels?: object };
    readonly template?: { readonly spec: RenderedPod };
    readonly jobTemplate?: { readonly spec: { readonly template: { readonly spec: RenderedPod } } };
    readonly podManagementPolicy?: string;
    readonly ingress?: readonly { readonly from?: readonly object[]; readonly ports: readonly { readonly port: number }[] }[];
    readonly policyTypes?: readonly string[];
    readonly egress?: readonly { readonly ports: readonly { readonly port: number }[] }[];
  };
}

const helm = await helmBinary(() => {});
const folder = mkdtempSync(join(tmpdir(), 'firebreak-chart-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const adasKey = generateKeyPairSync('ed25519').publicKey.export({ format: 'pem', type: 'spki' }).toString();
const least = {
  config: {
    cluster: 'prod-eu',
    temporal: { address: 'temporal:7233' },
    intake: { tokens: [{ name: 'falco', token: { file: '/etc/firebreak/secrets/alerts/falco' } }] },
    evidence: { s3: { bucket: 'evidence', accessKeyId: { env: 'ID' }, secretAccessKey: { env: 'SECRET' } } },
    roster: { people: [{ id: 'ada', name: 'Ada', keys: [adasKey] }], groups: { oncall: ['ada'], leads: ['ada'] } },
  },
  secretFiles: [{ name: 'alerts', secret: 'firebreak-alerts', roles: ['cell'] }],
};

const withItsOwn = { temporal: { install: true }, config: { ...least.config, temporal: undefined } };
const reported = {
  config: { ...least.config, reports: [{ name: 'iso', framework: 'iso-27001', to: { folder: '/var/lib/firebreak/reports' } }] },
  reports: { schedule: '20 6 * * *' },
};
const backedUp = { backup: { schedule: '40 2 * * *', existingClaim: 'backups', sealKeysWith: 'seal' } };

async function render(values: object): Promise<{ readonly documents: readonly Rendered[]; readonly error: string }> {
  const file = join(folder, 'values.yaml');
  writeFileSync(file, stringify(values));
  const chart = join(projectRoot(), 'deploy', 'helm', 'firebreak');
  const args = ['template', 'firebreak', chart, '--namespace', 'guard', '--values', file];
  const { stdout, stderr } = await runCommand({ command: helm ?? '', args });
  const documents = parseAllDocuments(stdout).flatMap((one): readonly Rendered[] => one.toJS() ?? []);
  return { documents, error: stderr };
}

interface Places {
  readonly temporal?: number;
  readonly endpoint?: string;
  readonly given?: object;
}

/** TCP ports that a role reaches, other than the cluster's DNS. */
function portsOut(documents: readonly Rendered[], role: string): readonly number[] {
  const policy = documents.find(({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name === `firebreak-${role}`);
  return policy?.spec?.egress?.at(-1)?.ports.map(({ port }) => port) ?? [];
}

const workloads = (documents: readonly Rendered[]): readonly Rendered[] =>
  documents.filter(({ kind }) => kind === 'StatefulSet' || kind === 'Deployment');
const configOf = (documents: readonly Rendered[], file = 'firebreak.yaml'): string =>
  documents.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'firebreak')?.data?.[file] ?? '';

(helm === undefined ? describe.skip : describe)('the chart', () => {
  test.each([
    ['config.cluster is missing', {}],
    [
      'config.actions.optIn has cutConnections, which needs config.forensics.toolsImage',
      { ...least, config: { ...least.config, actions: { optIn: ['cutConnections'] } } },
    ],
    ["at '/networkPolicy/metricsFrom'", { ...least, networkPolicy: { metricsFrom: [] } }],
    ['config.roster is missing', { config: { ...least.config, roster: undefined } }],
    [
      'nobody could answer',
      {
        ...least,
        config: { ...least.config, roster: { ...least.config.roster, people: [{ id: 'ada', name: 'Ada', slack: ['U0ADA'] }] } },
      },
    ],
    ['config.temporal.address is missing', { config: { ...least.config, temporal: undefined } }],
    ['leave out config.temporal.address and TEMPORAL_ADDRESS', { ...least, temporal: { install: true } }],
    [
      'temporal.install is for installations without a Temporal',
      { ...withItsOwn, env: [{ name: 'TEMPORAL_ADDRESS', value: 'temporal:7233' }] },
    ],
    ['temporal.install has no TLS', { ...withItsOwn, config: { ...withItsOwn.config, temporal: { tls: true } } }],
    ['temporal.install is for one cluster', { ...withItsOwn, profile: 'hub' }],
    ['temporal.install is for one cluster', { ...withItsOwn, desk: { enabled: false }, trust: { hub: 'keys-of-hub' } }],
    ['several desks share a PostgreSQL', { ...least, desk: { replicas: 2 } }],
    ['reports.schedule has nothing', { ...least, reports: { schedule: '20 6 * * *' } }],
    ['reports.schedule needs persistence', { ...least, ...reported, desk: { persistence: { enabled: false } } }],
    ['backup.schedule has nowhere to write to', { ...least, backup: { schedule: '40 2 * * *' } }],
    ['backup.schedule needs persistence', { ...least, ...backedUp, desk: { persistence: { enabled: false } } }],
    ['trust.clusters is missing', { ...least, profile: 'hub' }],
    ['trust.hub is for a cluster without its own desk', { ...least, trust: { hub: 'keys-of-hub' } }],
    ['trust.hub does not say whose desk decides', { ...least, desk: { enabled: false } }],
    ['evidence has nowhere to go', { config: { ...least.config, evidence: undefined } }],
    [
      'doctor.schedule with profile single needs cell.persistence',
      { ...least, profile: 'single', doctor: { schedule: '0 5 * * *' }, cell: { persistence: { enabled: false } } },
    ],
    ['restore.publicKey is missing', { ...least, ...backedUp, restore: { from: 'prod-eu-2026' } }],
    ['restore.from has nowhere to read from', { ...least, restore: { from: 'prod-eu-2026', publicKey: 'notary' } }],
    ['does not match pattern', { ...least, ...backedUp, restore: { from: '../other', publicKey: 'notary' } }],
    ["additional properties 'cells' not allowed", { ...least, cells: { replicas: 2 } }],
    ["at '/config': additional properties 'gaurdrails' not allowed", { ...least, config: { ...least.config, gaurdrails: {} } }],
    [
      "at '/config/roster/people/0': additional properties 'slak' not allowed",
      { ...least, config: { ...least.config, roster: { people: [{ id: 'ada', name: 'Ada', slak: ['U0ADA'] }] } } },
    ],
    ["at '/config/cluster': 'Prod EU' does not match", { ...least, config: { ...least.config, cluster: 'Prod EU' } }],
    ['profile single is one pod', { ...least, profile: 'single', cell: { replicas: 2 } }],
    [
      'monitoring.podMonitor and monitoring.serviceMonitor would scrape everything twice',
      { ...least, monitoring: { podMonitor: true, serviceMonitor: true } },
    ],
    ["at '/doctor/schedule'", { ...least, doctor: { schedule: 'daily' } }],
    ["at '/desk/persistence/size'", { ...least, desk: { persistence: { size: '10 GB' } } }],
    ["at '/networkPolicy/apiServerPort'", { ...least, networkPolicy: { apiServerPort: 64430 * 2 } }],
  ] as const)('says before anything is installed: %s', async (words, values) => {
    expect((await render(values)).error).toContain(words);
  });

  test('gives the cell what it needs to pause GitOps tools only if the configuration says so', async () => {
    const named = async (gitops?: object): Promise<readonly string[]> => {
      const { documents } = await render({ ...least, config: { ...least.config, ...(gitops && { actions: { gitops } }) } });
      return documents.filter(({ kind }) => kind === 'ClusterRole').map(({ metadata }) => metadata.name);
    };
    expect((await named()).filter((name) => /argocd|flux/.test(name))).toEqual([]);
    expect((await named({ flux: false })).filter((name) => /argocd|flux/.test(name))).toEqual([]);
    expect(await named({ argocd: {} })).toContain('firebreak-cell-argocd');
    expect(await named({ argocd: { namespace: 'argocd' }, flux: true })).toContain('firebreak-cell-flux');
  });

  test('opens the console’s paths to browsers only if the configuration has a console', async () => {
    const desk = { ingress: { enabled: true, host: 'firebreak.example.com' } };
    const paths = async (config: object): Promise<string> => {
      const { documents, error } = await render({ ...least, desk, config: { ...least.config, ...config } });
      expect(error).toBe('');
      return JSON.stringify(documents.filter(({ kind }) => kind === 'Ingress'));
    };
    expect(await paths({})).toContain('"path":"/sign-in/"');
    expect(await paths({})).not.toMatch(/\/(?:console|api)\//);
    const open = await paths({ console: { roles: { viewer: ['engineering'] } } });
    for (const path of ['/console/', '/api/v1/', '/sign-in/']) expect(open).toContain(`"path":"${path}"`);
  });

  test('has rules, dashboards and monitors if the values ask for them, and not otherwise', async () => {
    const kinds = ({ documents }: Awaited<ReturnType<typeof render>>) => documents.map(({ kind }) => kind);
    const none = kinds(await render(least));
    for (const kind of ['PrometheusRule', 'ServiceMonitor', 'PodMonitor']) expect(none).not.toContain(kind);
    const runbookUrl = 'https://runbooks.example.com/';
    const rules = { enabled: true, labels: { release: 'prometheus' }, runbookUrl };
    const all = await render({ ...least, monitoring: { serviceMonitor: true, rules, dashboards: { enabled: true } } });
    expect(all.error).toBe('');
    expect(kinds(all)).toEqual(expect.arrayContaining(['PrometheusRule', 'ServiceMonitor']));
    expect(JSON.stringify(all.documents)).toContain('"runbook_url":"https://runbooks.example.com/FirebreakDown.md"');
    const byCommand = await render({ ...least, monitoring: { rules: { enabled: true } } });
    expect(JSON.stringify(byCommand.documents)).toContain('"runbook":"firebreak docs runbooks/FirebreakDown"');
    // A Prometheus operator selects only its own objects.
    const labels = { release: 'prometheus' };
    for (const kind of ['PodMonitor', 'ServiceMonitor']) {
      const way = kind === 'PodMonitor' ? { podMonitor: true } : { serviceMonitor: true };
      const { documents } = await render({ ...least, monitoring: { ...way, labels } });
      expect(documents.find((one) => one.kind === kind)?.metadata.labels).toMatchObject(labels);
    }
    // Text written for Prometheus stays unchanged.
    expect(JSON.stringify(all.documents)).toContain('{{ $labels.pod }} cannot reach Temporal');
    const boards = all.documents.find(({ metadata }) => metadata.name === 'firebreak-dashboards')?.data ?? {};
    expect(Object.keys(boards).sort()).toEqual(['firebreak-engine.json', 'firebreak-overview.json', 'firebreak-people.json']);
    for (const board of Object.values(boards)) expect(JSON.parse(board)).toMatchObject({ tags: ['firebreak'] });
  });

  test('puts whatever it runs where the values say, bounded, and lets the job that makes the keys out to the API server', async () => {
    const place = { nodeSelector: { pool: 'security' }, tolerations: [{ key: 'security', operator: 'Exists' }] };
    const jobs = { doctor: { schedule: '17 5 * * *' }, ...reported, ...backedUp };
    const apart = await render({ ...least, ...jobs, ...place });
    const together = await render({ ...withItsOwn, ...place, profile: 'single', secretFiles: least.secretFiles });
    expect([apart.error, together.error]).toEqual(['', '']);
    const pods = [...apart.documents, ...together.documents].flatMap(({ kind, metadata: { name }, spec }) => {
      const pod = spec?.template?.spec ?? spec?.jobTemplate?.spec.template.spec;
      return pod ? [{ name: `${kind}/${name}`, pod }] : [];
    });
    expect(pods.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['Job/firebreak-keys', 'CronJob/firebreak-reports', 'StatefulSet/firebreak-temporal']),
    );
    const wrong = pods.filter(
      ({ pod: { nodeSelector, tolerations, containers } }) =>
        JSON.stringify({ nodeSelector, tolerations }) !== JSON.stringify(place) ||
        containers.some(({ resources }) => !resources?.requests || !resources.limits),
    );
    expect(wrong.map(({ name }) => name)).toEqual([]);
    expect(portsOut(apart.documents, 'keys')).toEqual([443, 6443]);
  });

  test.each(['cluster', 'single', 'hub'])(
    'checks the configuration before it installs or upgrades profile %s, in a pod that has no rights, secrets or network',
    async (profile) => {
      const trust = { clusters: [{ cluster: 'prod-eu', keys: 'keys-of-prod-eu' }] };
      const given = { name: 'TEMPORAL_API_KEY', valueFrom: { secretKeyRef: { name: 'temporal', key: 'key' } } };
      const values = {
        ...least,
        profile,
        ...(profile === 'hub' && { trust }),
        env: [given, { name: 'TEMPORAL_NAMESPACE', value: 'security' }],
        volumes: [{ name: 'packs', configMap: { name: 'our-packs' } }],
        volumeMounts: [{ name: 'packs', mountPath: '/packs' }],
      };
      const { documents, error } = await render(values);
      expect(error).toBe('');
      const own = documents.filter(({ metadata: { name } }) => name === 'firebreak-config-check');
      expect(own.map(({ kind }) => kind).sort()).toEqual(['ConfigMap', 'Job', 'NetworkPolicy', 'ServiceAccount']);
      for (const { metadata } of own)
        expect(metadata.annotations).toMatchObject({
          'helm.sh/hook': 'pre-install,pre-upgrade',
          'helm.sh/hook-delete-policy': 'before-hook-creation,hook-succeeded',
          'helm.sh/hook-weight': expect.stringMatching(/^-[56]$/),
        });
      const job = own.find(({ kind }) => kind === 'Job');
      const pod = job?.spec?.template?.spec;
      expect(pod).toMatchObject({
        serviceAccountName: 'firebreak-config-check',
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true },
      });
      const [container] = pod?.containers ?? [];
      const [role] = workloads(documents)[0]?.spec?.template?.spec.containers ?? [];
      expect(container?.securityContext).toEqual(role?.securityContext);
      expect(container?.image).toBe(role?.image);
      expect(container?.volumeMounts.map(({ name }) => name)).toEqual(['config', 'tmp', 'packs']);
      expect(JSON.stringify(pod)).not.toMatch(/secret/i);
      expect(JSON.stringify(pod)).toContain('TEMPORAL_NAMESPACE');
      const policy = own.find(({ kind }) => kind === 'NetworkPolicy')?.spec;
      expect(policy).toEqual({
        podSelector: { matchLabels: job?.metadata.labels },
        policyTypes: ['Ingress', 'Egress'],
      });
      const checked = own.find(({ kind }) => kind === 'ConfigMap')?.data?.['firebreak.yaml'];
      expect(checked).toBe(configOf(documents));
      const off = await render({ ...values, configCheck: { enabled: false } });
      expect(JSON.stringify(off.documents)).not.toContain('config-check');
    },
  );

  test('lets a configuration pass that only people and secrets are missing from, and no mistake', async () => {
    const checkBeforeInstall = async (config: object) => {
      const { documents } = await render({ ...least, config });
      const file = join(folder, 'before-install.yaml');
      writeFileSync(file, configOf(documents));
      return runCommand({
        command: process.execPath,
        args: [join(projectRoot(), 'bin', 'firebreak.mjs'), 'config', 'check', '--before-install', '--config', file],
      });
    };
    const passed = await checkBeforeInstall(least.config);
    expect(passed.stderr).toMatch(/warning: .*only ada can answer[\s\S]* is valid\.$/m);
    expect(passed.code).toBe(0);
    const refused = await checkBeforeInstall({
      ...least.config,
      incidents: { levels: [{ group: 'nobody', withinMinutes: 5 }] },
    });
    expect(refused.stderr).toContain('incidents.levels[0].group: leases ask the group nobody');
    // For the Job, this is no accident to try again after.
    expect(refused.code).toBe(1);
  });

  test('runs each role with its own account and keys, without root, on a read-only root file system', async () => {
    const { documents, error } = await render(least);
    expect(error).toBe('');
    const pods = workloads(documents).map(({ metadata, spec }) => ({ name: metadata.name, pod: spec?.template?.spec }));
    expect(pods.map(({ name, pod }) => [name, pod?.serviceAccountName, pod?.automountServiceAccountToken])).toEqual(
      [
        ['firebreak-forensics', 'firebreak-forensics', true],
        ['firebreak-secrets', 'firebreak-secrets', true],
        ['firebreak-cell', 'firebreak-cell', true],
        ['firebreak-desk', 'firebreak-desk', false],
      ].sort((a, b) => pods.findIndex(({ name }) => name === a[0]) - pods.findIndex(({ name }) => name === b[0])),
    );
    for (const { pod } of pods) {
      const [container] = pod?.containers ?? [];
      expect(container?.securityContext).toMatchObject({
        readOnlyRootFilesystem: true,
        runAsNonRoot: true,
        allowPrivilegeEscalation: false,
      });
      for (const { name } of container?.ports ?? []) expect(name.length).toBeLessThanOrEqual(15);
    }
    const mounted = pods.find(({ name }) => name === 'firebreak-secrets')?.pod;
    expect(JSON.stringify(mounted?.volumes)).not.toMatch(/firebreak-keys-(cell|desk|evidence|forensics)|firebreak-alerts/);
    const names = documents.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    expect(names).toEqual(
      expect.arrayContaining(['NetworkPolicy/firebreak-cell', 'PriorityClass/firebreak', 'Job/firebreak-keys']),
    );
    expect(names.filter((name) => name.startsWith('ValidatingAdmissionPolicy/')).length).toBeGreaterThan(3);
    expect(JSON.stringify(documents)).not.toContain('release-namespace');
  });

  test('has the doctor check each role with its own account and secrets, if asked to', async () => {
    const jobs = (documents: readonly Rendered[]) => documents.filter(({ kind }) => kind === 'CronJob');
    expect(jobs((await render(least)).documents)).toEqual([]);
    const { documents, error } = await render({ ...least, doctor: { schedule: '17 5 * * *' } });
    expect(error).toBe('');
    const pods = jobs(documents).map(({ metadata, spec }) => ({
      name: metadata.name,
      pod: spec?.jobTemplate?.spec.template.spec,
    }));
    expect(pods.map(({ name }) => name).sort()).toEqual(
      ['cell', 'desk', 'forensics', 'secrets'].map((role) => `firebreak-doctor-${role}`),
    );
    for (const { name, pod } of pods) {
      const role = name.replace('firebreak-doctor-', '');
      expect(pod).toMatchObject({ serviceAccountName: `firebreak-${role}`, automountServiceAccountToken: role !== 'desk' });
      const [container] = pod?.containers ?? [];
      expect(container).toMatchObject({ args: expect.arrayContaining(['doctor', '--role', role]) });
      expect(container).not.toHaveProperty('ports');
      const mounted = container?.volumeMounts.map((one) => one.name) ?? [];
      expect(pod?.volumes.map((one) => one.name)).toEqual(expect.arrayContaining(mounted));
      expect(JSON.stringify(pod?.volumes).includes('firebreak-alerts')).toBe(role === 'cell');
    }
  });

  test('has the doctor of a single pod check its volume from another pod, with the account of each role', async () => {
    const { documents, error } = await render({ ...least, profile: 'single', doctor: { schedule: '17 5 * * *' } });
    expect(error).toBe('');
    const jobs = documents.filter(({ kind }) => kind === 'CronJob');
    expect(jobs.map(({ metadata }) => metadata.name).sort()).toEqual(
      ['cell', 'desk', 'forensics', 'secrets'].map((role) => `firebreak-doctor-${role}`),
    );
    for (const { metadata, spec } of jobs) {
      const role = metadata.name.replace('firebreak-doctor-', '');
      const pod = spec?.jobTemplate?.spec.template.spec;
      expect(pod).toMatchObject({ serviceAccountName: `firebreak-${role}`, automountServiceAccountToken: false });
      const [container] = pod?.containers ?? [];
      expect(container).toMatchObject({ args: expect.arrayContaining([`/etc/firebreak/config/${role}.yaml`]) });
      expect(container?.volumeMounts.map((one) => one.name)).toContain(`${role}-account`);
      expect(JSON.stringify(pod)).toContain('state-firebreak-0');
      expect(JSON.stringify(pod)).toContain('podAffinity');
    }
  });

  test.each([
    ['cluster', 'state-firebreak-desk-0', 'firebreak.yaml'],
    ['single', 'state-firebreak-0', 'desk.yaml'],
  ])('restores with profile %s while nothing runs, without rights in the cluster', async (profile, claim, config) => {
    const restore = { from: 'prod-eu-2026-03-01T10-00-00.000Z', publicKey: 'notary' };
    const { documents, error } = await render({ ...least, ...backedUp, profile, restore });
    expect(error).toBe('');
    expect(workloads(documents).map(({ spec }) => spec?.replicas)).toEqual(workloads(documents).map(() => 0));
    const [job] = documents.filter(({ kind, metadata }) => kind === 'Job' && metadata.name.startsWith('firebreak-restore-'));
    const pod = job?.spec?.template?.spec;
    expect(pod).toMatchObject({ serviceAccountName: 'firebreak-desk', automountServiceAccountToken: false });
    const [container] = pod?.containers ?? [];
    expect(container).toMatchObject({
      args: expect.arrayContaining([
        `--from=/var/lib/firebreak-backups/${restore.from}`,
        '--public-key=/etc/firebreak/restore/notary.pem.pub',
        `--config=/etc/firebreak/config/${config}`,
      ]),
    });
    expect(JSON.stringify(container)).not.toContain('--force');
    const mounted = container?.volumeMounts.map((one) => one.name) ?? [];
    const volumes = pod?.volumes.map((one) => one.name) ?? [];
    expect(volumes).toEqual(expect.arrayContaining(mounted));
    expect(new Set(volumes).size).toBe(volumes.length);
    expect(JSON.stringify(pod)).toContain(claim);
    expect(JSON.stringify(pod)).toContain('podAntiAffinity');
    const { documents: replacing } = await render({ ...least, ...backedUp, profile, restore: { ...restore, replace: true } });
    const text = JSON.stringify(replacing);
    for (const word of ['--force', '--yes', '--target=d-eu']) expect(text).toContain(word);
    expect((await render(least)).documents.some(({ metadata }) => metadata.name.startsWith('firebreak-restore'))).toBe(false);
  });

  test.each([
    ['its name', ''],
    ['what the backup said of itself', 's3:'],
  ])('backs up to and restores from a bucket, if the configuration has one and no claim is named: by %s', async (_, said) => {
    const s3 = { bucket: 'backups', accessKeyId: { env: 'ID' }, secretAccessKey: { env: 'SECRET' } };
    const { documents, error } = await render({
      ...least,
      config: { ...least.config, backup: { s3 } },
      backup: { schedule: '40 2 * * *' },
      restore: { from: `${said}prod-eu-2026-03-01T10-00-00.000Z`, publicKey: 'notary' },
    });
    expect(error).toBe('');
    const text = JSON.stringify(documents.filter(({ kind }) => kind === 'CronJob' || kind === 'Job'));
    expect(text).toContain('"--to=s3"');
    expect(text).toContain('"--from=s3:prod-eu-2026-03-01T10-00-00.000Z"');
    expect(text).not.toContain('firebreak-backups');
  });

  test.each([
    ['cluster', 'state-firebreak-desk-0', 'firebreak.yaml'],
    ['single', 'state-firebreak-0', 'desk.yaml'],
  ])(
    'backs up beside the desk of profile %s, without rights in the cluster, and reads it back',
    async (profile, claim, config) => {
      const cronJobs = (documents: readonly Rendered[]) => documents.filter(({ kind }) => kind === 'CronJob');
      expect(cronJobs((await render({ ...least, profile })).documents)).toEqual([]);
      const secretFiles = [...least.secretFiles, { name: 's3', secret: 'firebreak-s3', roles: ['cell', 'backup'] }];
      const { documents, error } = await render({ ...least, ...backedUp, profile, secretFiles });
      expect(error).toBe('');
      const [job] = cronJobs(documents);
      const pod = job?.spec?.jobTemplate?.spec.template.spec;
      expect(pod).toMatchObject({ serviceAccountName: 'firebreak-desk', automountServiceAccountToken: false });
      const [container] = pod?.containers ?? [];
      const args = ['--to=/var/lib/firebreak-backups', '--verify', '--keep=14', `--config=/etc/firebreak/config/${config}`];
      expect(container).toMatchObject({ args: expect.arrayContaining(args) });
      const volumes = pod?.volumes.map(({ name }) => name) ?? [];
      expect(new Set(volumes).size).toBe(volumes.length);
      expect([...volumes].sort()).toEqual([...new Set(container?.volumeMounts.map(({ name }) => name))].sort());
      const text = JSON.stringify(pod?.volumes);
      for (const part of [claim, 'backups', 'seal', 'firebreak-s3']) expect(text).toContain(`"${part}"`);
      expect(text).not.toMatch(/firebreak-alerts|account/);
    },
  );

  test.each([
    ['cluster', 'state-firebreak-desk-0', 'firebreak.yaml'],
    ['single', 'state-firebreak-0', 'desk.yaml'],
  ])('delivers reports next to the desk of profile %s, without rights in the cluster', async (profile, claim, config) => {
    const { documents, error } = await render({ ...least, ...reported, profile });
    expect(error).toBe('');
    const [job] = documents.filter(({ kind }) => kind === 'CronJob');
    const pod = job?.spec?.jobTemplate?.spec.template.spec;
    expect(pod).toMatchObject({ serviceAccountName: 'firebreak-desk', automountServiceAccountToken: false });
    const [container] = pod?.containers ?? [];
    expect(container).toMatchObject({ args: ['report', 'deliver', `--config=/etc/firebreak/config/${config}`, '--json'] });
    const volumes = pod?.volumes.map(({ name }) => name) ?? [];
    expect([...volumes].sort()).toEqual([...new Set(container?.volumeMounts.map(({ name }) => name))].sort());
    expect(JSON.stringify(pod?.volumes)).toContain(`"${claim}"`);
    expect(JSON.stringify(pod?.volumes)).not.toMatch(/account/);
  });

  const inSlack = {
    people: [{ id: 'ada', name: 'Ada', slack: 'U0ADA' }],
    slack: { appId: 'A0FIREBREAK', teamId: 'T0ACME', channel: 'C0SECURITY' },
  };
  test.each([
    ['with Slack', inSlack, {}, 'C0SECURITY'],
    ['with keys', { people: [{ id: 'ada', name: 'Ada' }] }, { ada: adasKey }, undefined],
    [
      'with a Temporal of the chart',
      { people: [{ id: 'ada', name: 'Ada' }], installTemporal: true, temporal: temporalHere },
      { ada: adasKey },
      undefined,
    ],
  ] as const)('takes the values that firebreak init writes, %s', async (_title, people, publicKeys, channel) => {
    const sensors = [{ sensor: 'falco', namespace: 'falco', name: 'falco' }];
    const place = { cluster: 'prod-eu', temporal: 'temporal:7233', url: 'https://firebreak.example', apiServerPort: 8443 };
    const made = newFiles({ ...place, sensors, ...people }, { token: 'token', publicKeys, schema: '{}', slackManifest: '' });
    const values = parse(made.find(({ name }) => name === 'values.yaml')?.text ?? '');
    const { documents, error } = await render(values);
    expect(error).toBe('');
    const file = join(folder, 'firebreak.yaml');
    writeFileSync(file, configOf(documents, 'cell.yaml'));
    const config = loadConfig({ path: file, env: {} });
    expect([config.cluster, config.slack?.channel]).toEqual(['prod-eu', channel]);
    const brings = 'installTemporal' in people;
    expect(config.temporal.address).toBe(brings ? 'firebreak-temporal.guard.svc:7233' : 'temporal:7233');
    expect(documents.some(({ metadata }) => metadata.name === 'firebreak-temporal')).toBe(brings);
    expect(config.roster.people[0]?.keys).toHaveLength(Object.keys(publicKeys).length);
    expect(portsOut(documents, 'cell')).toContain(8443);
  });

  test.each(['cluster', 'single', 'hub'])('gives profile %s a configuration that the service accepts', async (profile) => {
    const trust = { clusters: [{ cluster: 'prod-eu', keys: 'keys-of-prod-eu' }] };
    const { documents, error } = await render({ ...least, profile, ...(profile === 'hub' && { trust }) });
    expect(error).toBe('');
    const file = join(folder, 'firebreak.yaml');
    writeFileSync(file, configOf(documents, profile === 'single' ? 'cell.yaml' : 'firebreak.yaml'));
    const config = loadConfig({ path: file, env: {} });
    expect(config.stateDir).toBe('/var/lib/firebreak');
    expect(config.guardrails.protectedNamespaces).toContain('guard');
    expect(config.status?.listen.port).toBe(8767);
  });

  test('gives each of several cells and desks its own volume, and says how many cells share the caps', async () => {
    const audit = { url: { file: '/etc/firebreak/secrets/records/url' } };
    const several = { config: { ...least.config, audit }, cell: { replicas: 3 }, desk: { replicas: 2 } };
    const { documents, error } = await render(several);
    expect(error).toBe('');
    const of = (name: string) => workloads(documents).find(({ metadata }) => metadata.name === name);
    for (const [name, replicas] of [
      ['firebreak-cell', 3],
      ['firebreak-desk', 2],
    ] as const)
      expect(of(name)).toMatchObject({
        kind: 'StatefulSet',
        spec: { replicas, podManagementPolicy: 'Parallel', volumeClaimTemplates: [{ metadata: { name: 'state' } }] },
      });
    const file = join(folder, 'several.yaml');
    writeFileSync(file, configOf(documents));
    expect(loadConfig({ path: file, env: {} }).guardrails).toMatchObject({ cells: 3 });
  });

  test('runs all roles in one pod if asked to, each with the token of its own account', async () => {
    const { documents } = await render({ ...least, profile: 'single' });
    const [only, ...others] = workloads(documents);
    expect(others).toEqual([]);
    const containers = only?.spec?.template?.spec.containers ?? [];
    expect(containers.map(({ name }) => name)).toEqual(['cell', 'desk', 'secrets', 'forensics']);
    for (const { name, volumeMounts } of containers)
      expect(volumeMounts).toContainEqual(
        expect.objectContaining({ name: `${name}-account`, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' }),
      );
  });

  test.each([
    ['single', least],
    ['single', withItsOwn],
    ['cluster', withItsOwn],
  ])('replaces pods that never became ready, in profile %s', async (profile, values) => {
    const sets = (await render({ ...values, profile })).documents.filter(({ kind }) => kind === 'StatefulSet');
    expect(sets.length).toBeGreaterThan(0);
    for (const { spec } of sets) expect(spec?.podManagementPolicy).toBe('Parallel');
  });

  test.each(['single', 'cluster'])('opens the metrics of every role to Prometheus alone, in profile %s', async (profile) => {
    const metricsFrom = [
      { namespaceSelector: { matchLabels: { name: 'monitoring' } }, podSelector: { matchLabels: { app: 'vm' } } },
    ];
    const { documents, error } = await render({ ...least, profile, networkPolicy: { metricsFrom } });
    expect(error).toBe('');
    const policies = documents.filter(({ kind }) => kind === 'NetworkPolicy');
    const containers = workloads(documents).flatMap(({ spec }) => spec?.template?.spec.containers ?? []);
    expect(containers).toHaveLength(4);
    for (const { name: role, ports = [] } of containers) {
      const policy = policies.find(({ metadata }) => metadata.name === `firebreak-${role}`);
      const status = ports.find(({ name }) => name.startsWith('status-'))?.containerPort;
      expect(policy?.spec?.ingress?.filter(({ from }) => from)).toEqual([
        { from: metricsFrom, ports: [{ protocol: 'TCP', port: status }] },
      ]);
    }
  });

  test('has a hub trust the named clusters, and a cluster trust the desk of its hub', async () => {
    const clusters = ['prod-eu', 'prod-us'].map((cluster) => ({ cluster, keys: `keys-of-${cluster}` }));
    const loaded = async (values: object) => {
      const { documents, error } = await render({ ...least, ...values });
      expect(error).toBe('');
      const file = join(folder, 'trusting.yaml');
      writeFileSync(file, configOf(documents));
      const pods = workloads(documents).flatMap(({ spec }) => spec?.template?.spec ?? []);
      const mounts = pods.flatMap(({ containers }) => containers.flatMap(({ volumeMounts }) => volumeMounts));
      return { config: loadConfig({ path: file, env: {} }), places: new Set(mounts.map(({ mountPath }) => mountPath)) };
    };
    const hub = await loaded({ profile: 'hub', trust: { clusters } });
    expect(hub.config.trust.cells).toEqual(
      clusters.map(({ cluster, keys }) => ({ cluster, key: `/etc/firebreak/trust/${keys}/cell.pem.pub` })),
    );
    expect(hub.config.trust.forensics).toHaveLength(2);
    for (const { keys } of clusters) expect(hub.places).toContain(`/etc/firebreak/trust/${keys}`);
    const cell = await loaded({ desk: { enabled: false }, trust: { hub: 'keys-of-hub' } });
    expect(cell.config.desk.votePublicKeys).toEqual(['/etc/firebreak/trust/hub/vote.pem.pub']);
    expect(cell.places).toContain('/etc/firebreak/trust/hub');
  });

  test.each([
    ['the usual ones', {}, [443, 6443, 7233, 8200]],
    ['those that the configuration names', { temporal: 17233, endpoint: 'http://minio.storage.svc:9000' }, [9000, 17233]],
    ['that of an endpoint without one', { endpoint: 'http://minio.storage.svc' }, [80]],
    [
      'those that the values name, before all',
      { temporal: 17233, given: { temporalPort: 27233, evidencePort: 9443 } },
      [9443, 27233],
    ],
  ])('opens for the cell the ports of what it talks to: %s', async (_title, { temporal, endpoint, given }: Places, ports) => {
    const { documents, error } = await render({
      ...least,
      config: {
        ...least.config,
        temporal: { address: `temporal:${temporal ?? 7233}` },
        evidence: { s3: { ...least.config.evidence.s3, ...(endpoint && { endpoint }) } },
      },
      ...(given && { networkPolicy: given }),
    });
    expect(error).toBe('');
    expect(portsOut(documents, 'cell')).toEqual(expect.arrayContaining(ports));
    expect(portsOut(documents, 'cell').includes(17233)).toBe(ports.includes(17233));
  });

  test.each(['single', 'cluster'])(
    'brings a Temporal to profile %s where the values want one: known to the configuration, without rights, reached by Firebreak alone',
    async (profile) => {
      expect(JSON.stringify((await render({ ...least, profile })).documents)).not.toContain('firebreak-temporal');
      const { documents, error } = await render({ ...withItsOwn, profile });
      expect(error).toBe('');
      const file = join(folder, 'with-its-own.yaml');
      writeFileSync(file, configOf(documents));
      expect(loadConfig({ path: file, env: {} }).temporal).toMatchObject({
        address: 'firebreak-temporal.guard.svc:7233',
        namespace: 'default',
      });
      const named = documents.filter(({ metadata }) => metadata.name === 'firebreak-temporal');
      // In the order in which Helm lists them.
      const [policy, service, server] = named;
      expect(named.map(({ kind }) => kind)).toEqual(['NetworkPolicy', 'Service', 'StatefulSet']);
      const pod = server?.spec?.template?.spec;
      expect(pod).toMatchObject({ automountServiceAccountToken: false, securityContext: { runAsNonRoot: true } });
      const [container] = pod?.containers ?? [];
      expect(container).toMatchObject({
        securityContext: { readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        args: expect.arrayContaining([
          '--namespace=default',
          ...searchAttributes.map(({ name, type }) => `--search-attribute=${name}=${type}`),
        ]),
      });
      const labels = server?.spec?.selector?.matchLabels;
      expect([service?.spec?.selector, policy?.spec?.podSelector?.matchLabels]).toEqual([labels, labels]);
      const roles = ['cell', 'desk', 'secrets', 'forensics'];
      expect(policy?.spec).toMatchObject({
        policyTypes: ['Ingress', 'Egress'],
        egress: [],
        ingress: [
          {
            from: roles.map((role) => ({ podSelector: { matchLabels: { [`firebreak.dev/role-${role}`]: 'true' } } })),
            ports: [{ port: 7233 }],
          },
        ],
      });
      for (const role of roles) expect(portsOut(documents, role)).toContain(7233);
    },
  );

  test('opens further ports, and no others', async () => {
    const { documents } = await render({ ...least, networkPolicy: { morePorts: { desk: [8443] } } });
    const more = documents.filter(({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name.endsWith('-more'));
    expect(more).toEqual([expect.objectContaining({ metadata: expect.objectContaining({ name: 'firebreak-desk-more' }) })]);
    expect(more[0]?.spec?.egress).toEqual([{ ports: [{ protocol: 'TCP', port: 8443 }] }]);
  });
});
