import { randomBytes } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { createKubernetesApi, pathOf } from '../../integrations/kubernetes/client.ts';
import { accessFromKubeconfig } from '../../integrations/kubernetes/kubeconfig.ts';
import { runCommand } from '../../service/parts/command.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { writeSettings, writeStandIns } from '../../tools/demo/settings.ts';
import { missingForImages } from '../../tools/image/base.ts';
import { makeFirebreakImage } from '../../tools/image/firebreak-image.ts';
import { pack, writeLayout } from '../../tools/image/oci.ts';
import { helmBinary } from '../../tools/platform/helm-binary.ts';
import { importImage } from '../../tools/platform/nodes/real-nodes.ts';
import { type S3Server, startS3Server } from '../../tools/platform/s3-server.ts';
import { ServerGroup } from '../../tools/platform/server-group.ts';
import { temporalBinary } from '../../tools/platform/temporal-binary.ts';
import { startTemporal, type TemporalServer } from '../../tools/platform/temporal-server.ts';
import { ensureBuilt } from '../../tools/setup/build.mjs';
import { within } from '../eventually.ts';
import { type GithubFake, startGithubFake } from '../fakes/github/server.ts';
import { type SlackEmulator, startSlackEmulator } from '../fakes/slack/index.ts';
import { alertAbout, postAlerts } from '../platform/e2e/parts/alerts.ts';
import { until } from '../platform/e2e/parts/cluster.ts';
import { acceptedWords } from '../platform/e2e/parts/oracle.ts';
import { ana, ben, labels } from '../platform/e2e/parts/service.ts';
import { forwardFrom } from './lab/forwards.ts';
import { nodeLab } from './lab/lab.ts';

const lab = await nodeLab();
const { hostAddress, kubeconfig, namespace } = lab;
const missing = missingForImages();
const release = 'firebreak-by-chart';
const hub = 'firebreak-hub-by-chart';
const chartFolder = join(projectRoot(), 'deploy', 'helm', 'firebreak');
const folder = mkdtempSync(join(tmpdir(), 'firebreak-chart-'));
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const helm = (await helmBinary(say)) ?? '';
const admin = createKubernetesApi({ access: await accessFromKubeconfig({ file: kubeconfig }) });
let ways = new ServerGroup();
const forwards: Server[] = [];

let temporal: TemporalServer;
let s3: S3Server;
let slack: SlackEmulator;
let github: GithubFake;
let settings: ReturnType<typeof writeSettings>;

const firebreak = (...words: readonly string[]) => lab.kubectl('--namespace', release, ...words);
const chart = (namespace: string, ...words: readonly string[]) =>
  runCommand({ command: helm, args: [...words, '--kubeconfig', kubeconfig, '--namespace', namespace] });
const portOf = (url: string): number => Number(new URL(url).port);
const labelOf = async (pod: string): Promise<string> => {
  const { stdout } = await lab.kubectl('get', 'pod', pod, '--output', 'jsonpath={.metadata.labels.firebreak\\.dev/quarantine}');
  return stdout;
};

/** What an administrator writes: the configuration without what the chart knows, secrets in a Secret. */
async function writeValues(image: { readonly name: string }) {
  const standIns = await writeStandIns(folder);
  settings = writeSettings({ folder, standIns, cluster: 'lab', temporal: { address: '', namespace: 'default' }, kubeconfig });
  const {
    stateDir: _state,
    kubernetes: _kubernetes,
    ...config
  } = parse(
    readFileSync(settings.configFile, 'utf8')
      .replaceAll('http://127.0.0.1', `http://${hostAddress}`)
      .replaceAll('file: secrets/', 'file: /etc/firebreak/secrets/lab/'),
  );
  const s3Secret = (name: string, value: string) => {
    writeFileSync(join(folder, 'secrets', name), value);
    return { file: `/etc/firebreak/secrets/lab/${name}` };
  };
  config.temporal = { address: temporal.address.replace('127.0.0.1', hostAddress), namespace: temporal.namespace };
  config.watch = { namespaces: [namespace] };
  const bucket = {
    endpoint: s3.endpoint.replace('127.0.0.1', hostAddress),
    region: s3.region,
    bucket: s3.bucket,
    accessKeyId: s3Secret('s3-id', s3.accessKeyId),
    secretAccessKey: s3Secret('s3-secret', s3.secretAccessKey),
  };
  config.evidence = { s3: bucket };
  config.backup = { s3: { ...bucket, prefix: 'backups' } };
  delete config.intake.listen;
  delete config.desk;
  const apiPort = String(portOf(admin.server));
  const [repository, tag] = image.name.split(/:(?=[^:]+$)/);
  return {
    image: { repository, tag, pullPolicy: 'Never' },
    config,
    secretFiles: [{ name: 'lab', secret: 'lab', roles: ['cell', 'desk', 'secrets', 'forensics'] }],
    cell: { persistence: { enabled: false }, resources: { requests: { cpu: '10m', memory: '64Mi' } } },
    desk: { persistence: { enabled: true, size: '1Gi' }, resources: { requests: { cpu: '10m', memory: '64Mi' } } },
    secrets: { resources: { requests: { cpu: '10m', memory: '64Mi' } } },
    forensics: { resources: { requests: { cpu: '10m', memory: '64Mi' } } },
    doctor: { schedule: '17 5 * * *' },
    backup: { schedule: '40 2 * * *', evidence: 'manifests' },
    // The configuration contains the ports of Temporal and of the buckets.
    networkPolicy: {
      apiServerPort: Number(apiPort),
      morePorts: { desk: [settings.standIns.slack.port, settings.standIns.github.port] },
    },
  };
}

type Values = Awaited<ReturnType<typeof writeValues>>;

/** Installs or upgrades, and waits until everything is ready. */
async function install(namespace: string, values: object): Promise<void> {
  const file = join(folder, `${namespace}.yaml`);
  writeFileSync(file, stringify(values));
  const words = ['upgrade', '--install', 'firebreak', chartFolder, '--values', file, '--wait', '--timeout', '280s'];
  const installed = await chart(namespace, ...words);
  if (installed.code === 0) return;
  const [pods, logs] = [
    await lab.kubectl('--namespace', namespace, 'describe', 'pods'),
    await lab.kubectl(
      ...['--namespace', namespace, 'logs', '--selector', 'app.kubernetes.io/name=firebreak'],
      ...['--all-containers', '--tail', '20', '--prefix'],
    ),
  ];
  throw new Error(`${installed.stderr}\n${pods.stdout.slice(-6_000)}\n${logs.stdout}`);
}

interface Doors {
  /** The pod with the intake, in the release's namespace. */
  readonly intake: string;
  readonly desk: { readonly namespace: string; readonly pod: string };
}

/** Makes both servers reachable where the settings say; closes the previous forwards. */
async function openDoors({ intake, desk }: Doors): Promise<void> {
  await ways.stop();
  ways = new ServerGroup();
  const doors = [
    { namespace: release, pod: intake, here: portOf(settings.intakeUrl), there: 8765 },
    { ...desk, here: portOf(settings.deskUrl), there: 8766 },
  ];
  const open = (door: (typeof doors)[number]) =>
    lab.forward({ group: ways, ...door, logFile: join(folder, `${door.there}.log`) });
  const opened = doors.map((door) => ({ door, way: open(door) }));
  for (const one of opened)
    await until(`port ${one.door.here}`, 120_000, async () => {
      // kubectl gives up if the pod does not listen yet, and on a slow node its connection may hang.
      if (!one.way.isRunning()) one.way = open(one.door);
      const answer = fetch(`http://127.0.0.1:${one.door.here}/healthz`, { signal: AbortSignal.timeout(10_000) });
      return answer.then(
        () => true,
        async ({ name }: Error) => {
          if (name === 'TimeoutError') await ways.end(one.way);
          return false;
        },
      );
    });
}

/** An alert about a new pod with this name is answered by a quarantine, and clicks of two people release the pod. `meanwhile` runs between the two. */
async function containAndRelease(name: string, meanwhile: () => Promise<void> = async () => {}): Promise<void> {
  await lab.runPod({ name });
  const posted = await postAlerts(settings.intakeUrl, settings.falcoToken, [
    alertAbout({ namespace, name, pod: name, secretValue: '' }),
  ]);
  expect(posted.status).toBe(200);
  await until('the quarantine', 120_000, async () => (await labelOf(name)) !== '');
  const card = await until('the card', 120_000, () =>
    slack.world.messages.find(({ blocks }) => {
      const text = JSON.stringify(blocks ?? []);
      return text.includes(labels.release) && text.includes(name);
    }),
  );
  await meanwhile();
  // Releasing a critical containment takes two people.
  for (const user of [ana, ben])
    await until(`the vote of ${user}`, 120_000, async () => {
      if ((await labelOf(name)) === '') return true;
      const before = slack.ephemerals(user).length;
      const { status } = await slack.click({ user, channel: card.channel, ts: card.ts, buttonText: labels.release });
      return (
        status === 200 &&
        within(4_000, () =>
          slack
            .ephemerals(user)
            .slice(before)
            .some(({ text }) => acceptedWords.test(text)),
        )
      );
    });
  await until('the release', 120_000, async () => (await labelOf(name)) === '');
}

interface Backup {
  /** The name that `restore.from` accepts. */
  readonly name: string;
  readonly records: number;
}

/** Runs the backup's CronJob now. */
async function backedUp(): Promise<Backup> {
  const made = await ranNow<{ readonly from: string; readonly verified: boolean; readonly records: number }>('firebreak-backup');
  expect(made.verified).toBe(true);
  expect(made.records).toBeGreaterThan(0);
  // A backup in a bucket is reported with the word by which `restore --from` knows it.
  return { name: basename(made.from).replace(/^s3:/, ''), records: made.records };
}

/** What the restore started by the chart has restored. */
function restored(): Promise<unknown> {
  return until('what the restore says', 300_000, async () => {
    const { stdout: jobs } = await firebreak('get', 'jobs', '--output', 'name');
    const job = jobs.split('\n').find((name) => name.includes('firebreak-restore-'));
    const { stdout } = await firebreak('logs', job ?? '');
    // What it replaces is reported on the other stream, before the answer.
    return stdout.endsWith('}\n') && JSON.parse(stdout.slice(stdout.search(/^\{/m)));
  });
}

interface Found {
  readonly ok: boolean;
  readonly findings: readonly { readonly state: string; readonly text: string }[];
}

/** Runs a CronJob now, until its only container has printed everything: one line of JSON. */
async function ranNow<T>(cronJob: string): Promise<T> {
  const job = `${cronJob}-now`;
  await firebreak('delete', 'job', job, '--ignore-not-found');
  await firebreak('create', 'job', job, '--from', `cronjob/${cronJob}`);
  return until(`what ${job} says`, 120_000, async () => {
    const { stdout } = await firebreak('logs', `job/${job}`);
    return stdout.endsWith('}\n') && JSON.parse(stdout);
  });
}

(missing === undefined && helm !== '' ? describe : describe.skip)('installed by its chart', () => {
  let values: Values;
  let inOnePod: object;
  let backup: Backup;

  beforeAll(async () => {
    // `npm test` has already built.
    if (process.env.FIREBREAK_TEST_LAB === undefined) await ensureBuilt({ node: process.execPath });
    const image = await makeFirebreakImage({
      folder,
      architectures: [process.arch === 'arm64' ? 'arm64' : 'amd64'],
      repository: 'firebreak.local/firebreak',
      onProgress: say,
      compress: true,
    });
    // As a registry and a node store it.
    expect(image.size).toBeLessThan(200e6);
    expect(image.unpacked).toBeLessThan(230e6);
    await importImage({ ...lab.node, image });
    rmSync(image.file);
    [temporal, s3] = await Promise.all([startTemporal({ stateDir: folder }), startS3Server({ stateDir: folder })]);
    values = await writeValues(image);
    slack = await startSlackEmulator(settings.standIns.slack);
    github = await startGithubFake({ ...settings.standIns.github, private: true, push: true });
    for (const port of [
      portOf(`http://${temporal.address}`),
      portOf(s3.endpoint),
      settings.standIns.slack.port,
      settings.standIns.github.port,
    ])
      forwards.push(await forwardFrom(hostAddress, port));
    await lab.kubectl('create', 'namespace', release);
    const files = readdirSync(join(folder, 'secrets')).map((name) => `--from-file=${name}=${join(folder, 'secrets', name)}`);
    await firebreak('create', 'secret', 'generic', 'lab', ...files);
  });

  afterAll(async () => {
    await chart(release, 'uninstall', 'firebreak', '--wait', '--timeout', '60s');
    await chart(hub, 'uninstall', 'firebreak', '--ignore-not-found');
    await lab.kubectl('delete', 'namespace', release, hub, '--wait=false');
    for (const claim of ['state-firebreak-desk-0', 'state-firebreak-0', 'backups', 'data-firebreak-temporal-0'])
      await lab.kubectl('delete', 'persistentvolume', `${release}-${claim}`, '--ignore-not-found', '--wait=false');
    await ways.stop();
    for (const one of forwards) one.close();
    await Promise.all([slack?.stop(), github?.stop(), s3?.stop(), temporal?.stop()]);
    admin.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('generates its keys, runs each role separately, and is ready with all the rights that it needs', async () => {
    await volumeFor('state-firebreak-desk-0');
    await install(release, values);
    const { stdout } = await firebreak(
      'get',
      'pods',
      '--output',
      'jsonpath={range .items[*]}{.metadata.labels.app\\.kubernetes\\.io/component}={.status.phase} {end}',
    );
    expect(stdout.trim().split(' ').sort()).toEqual(['cell=Running', 'desk=Running', 'forensics=Running', 'secrets=Running']);
    const secrets = await firebreak('get', 'secrets', '--output', 'name');
    for (const part of ['shared', 'cell', 'evidence', 'desk', 'secrets', 'forensics'])
      expect(secrets.stdout).toContain(`secret/firebreak-keys-${part}\n`);
    // The rights to create them have ended with the job.
    expect((await firebreak('get', 'serviceaccounts', '--output', 'name')).stdout).not.toContain('firebreak-keys');
  });

  test('contains the pod of an alert, asks in Slack, and releases it when somebody says so', async () => {
    await openDoors({ intake: 'firebreak-cell-0', desk: { namespace: release, pod: await podOf('desk') } });
    await containAndRelease('cart');
  });

  test('passes the doctor’s checks from a pod of each role', async () => {
    // An overloaded machine may not answer in time: then it reports that, and is asked again.
    for (const role of ['cell', 'desk', 'secrets', 'forensics'])
      await until(`the role ${role} in order`, 300_000, async () => (await ranNow<Found>(`firebreak-doctor-${role}`)).ok);
  });

  test('backs itself up to a bucket, and restores everything from there when the volume of its desk is lost', async () => {
    const { name, records } = await backedUp();
    // What an administrator keeps elsewhere.
    const { stdout: notary } = await firebreak(
      ...['get', 'configmap', 'firebreak-keys-public', '--output', 'jsonpath={.data.notary\\.pem\\.pub}'],
    );
    await chart(release, 'uninstall', 'firebreak', '--wait', '--timeout', '60s');
    const volume = join(folder, 'state-firebreak-desk-0');
    await until('no pod has the volume', 120_000, async () => (await firebreak('get', 'pods', '--output', 'name')).stdout === '');
    for (const file of readdirSync(volume)) rmSync(join(volume, file), { recursive: true });
    await firebreak('create', 'configmap', 'notary-of-all', `--from-literal=notary.pem.pub=${notary}`);
    await install(release, { ...values, restore: { from: name, publicKey: 'notary-of-all' } });
    expect(await restored()).toMatchObject({ records, audit: { ok: true } });
    await install(release, values);
    await openDoors({ intake: 'firebreak-cell-0', desk: { namespace: release, pod: await podOf('desk') } });
    await containAndRelease('cart-of-restored');
    const verified = await until('the records of before and after in order', 120_000, async () => {
      const { stdout } = await firebreak(
        ...['exec', 'firebreak-desk-0', '--container', 'desk', '--', 'firebreak', 'audit', 'verify', '--json'],
      );
      const report: { readonly ok: boolean; readonly records: number } | undefined =
        stdout === '' ? undefined : JSON.parse(stdout);
      return report?.ok && report;
    });
    expect(verified.records).toBeGreaterThan(records);
  });

  test('keeps its keys across an upgrade, and takes decisions from the desk of a hub', async () => {
    const keys = async () => (await firebreak('get', 'secret', 'firebreak-keys-cell', '--output', 'jsonpath={.data}')).stdout;
    const before = await keys();
    await lab.kubectl('create', 'namespace', hub);
    await copied('secret', 'lab', { from: release, to: hub });
    await copied('secret', 'firebreak-keys-shared', { from: release, to: hub });
    await copied('configmap', 'firebreak-keys-public', { from: release, to: hub, as: 'keys-of-lab' });
    const { image, config, secretFiles, networkPolicy } = values;
    await install(hub, {
      ...{ profile: 'hub', image, config, secretFiles, networkPolicy },
      desk: { ...values.desk, persistence: { enabled: false } },
      trust: { clusters: [{ cluster: 'lab', keys: 'keys-of-lab' }] },
      // It belongs to the cluster, which has one: usually a hub is in another.
      priorityClass: { create: false },
    });
    await copied('configmap', 'firebreak-keys-public', { from: hub, to: release, as: 'keys-of-hub' });
    await install(release, { ...values, desk: { enabled: false }, backup: {}, trust: { hub: 'keys-of-hub' } });
    expect(await keys()).toBe(before);
    const status = await admin.json<{ readonly data?: object }>({
      method: 'GET',
      path: pathOf({ resource: 'configmaps', namespace: release, name: 'firebreak-keys-public' }),
      what: 'look',
    });
    expect(Object.keys(status.data ?? {})).toContain('cell.pem.pub');
    await openDoors({ intake: 'firebreak-cell-0', desk: { namespace: hub, pod: await podOf('desk', hub) } });
    await containAndRelease('cart-of-hub');
  });

  test('does the same in one pod, with evidence in a folder, a database in a file and the Temporal of the chart', async () => {
    await chart(release, 'uninstall', 'firebreak', '--wait', '--timeout', '60s');
    await chart(hub, 'uninstall', 'firebreak', '--wait', '--timeout', '60s');
    const { evidence: _evidence, temporal: _temporal, ...config } = values.config;
    const ownTemporal = await temporalImage();
    await importImage({ ...lab.node, image: ownTemporal });
    for (const claim of ['state-firebreak-0', 'backups', 'data-firebreak-temporal-0']) await volumeFor(claim);
    await firebreak('create', 'secret', 'generic', 'seal', `--from-literal=backup.key=${randomBytes(32).toString('base64')}`);
    inOnePod = {
      ...values,
      profile: 'single',
      config: { ...config, cluster: 'lab-in-one-pod' },
      // Its stand-in here has a different digest.
      temporal: { install: true, image: ownTemporal.name, resources: { requests: { cpu: '10m', memory: '64Mi' } } },
      cell: { ...values.cell, persistence: { enabled: true, size: '1Gi' } },
      backup: { schedule: '40 2 * * *', existingClaim: 'backups', sealKeysWith: 'seal' },
    };
    await install(release, inOnePod);
    await openDoors({ intake: 'firebreak-0', desk: { namespace: release, pod: 'firebreak-0' } });
    await containAndRelease('cart-of-one');
    const inOrder = (role: string): Promise<Found> =>
      until(`the role ${role} in order`, 300_000, async () => {
        const found = await ranNow<Found>(`firebreak-doctor-${role}`);
        return found.ok && found;
      });
    await inOrder('desk');
    expect((await inOrder('cell')).findings).toContainEqual(
      expect.objectContaining({ state: 'warning', text: expect.stringContaining('for a trial') }),
    );
  });

  test('is brought back by `helm rollback` after an upgrade whose pods never become ready', async () => {
    const { config } = values;
    const [token] = config.intake.tokens;
    const bad = join(folder, 'bad.yaml');
    // What the check of the configuration cannot see: a secret that is not there, and an image that nobody has.
    const tokens = [{ ...token, token: { file: '/etc/firebreak/secrets/lab/not-there' } }];
    const { evidence: _evidence, temporal: _temporal, ...rest } = config;
    const temporal = { install: true, image: 'firebreak.local/no-temporal:1' };
    const broken = { ...rest, cluster: 'lab-in-one-pod', intake: { ...config.intake, tokens } };
    writeFileSync(bad, stringify({ ...inOnePod, config: broken, temporal }));
    const upgraded = await chart(release, 'upgrade', 'firebreak', chartFolder, '--values', bad);
    expect({ code: upgraded.code, stderr: upgraded.stderr }).toMatchObject({ code: 0 });
    const waiting = async (pod: string) => {
      const path = '{.status.containerStatuses[*].state.waiting.reason}';
      return (await firebreak('get', 'pod', pod, '--output', `jsonpath=${path}`)).stdout;
    };
    await until('the pod in a crash loop', 300_000, async () => (await waiting('firebreak-0')).includes('CrashLoopBackOff'));
    await until('no image for Temporal', 120_000, async () =>
      (await waiting('firebreak-temporal-0')).includes('ErrImageNeverPull'),
    );

    const began = performance.now();
    expect(await chart(release, 'rollback', 'firebreak')).toMatchObject({ code: 0 });
    const path = '{range .items[*]}{.metadata.name}={.status.updatedReplicas}/{.status.readyReplicas} {end}';
    await until('both ready', 300_000, async () => {
      const { stdout } = await firebreak('get', 'statefulsets', '--output', `jsonpath=${path}`);
      return stdout.trim() === 'firebreak=1/1 firebreak-temporal=1/1';
    });
    say(`helm rollback: ready after ${Math.round((performance.now() - began) / 1_000)} s`);
    await openDoors({ intake: 'firebreak-0', desk: { namespace: release, pod: 'firebreak-0' } });
    await containAndRelease('cart-of-rolled-back');
  });

  test('loses nothing when the chart’s Temporal is killed between alert and answer, and lets nobody else reach it', async () => {
    const temporalPod = async (path: string) =>
      (await firebreak('get', 'pod', 'firebreak-temporal-0', '--output', `jsonpath={${path}}`)).stdout;
    await containAndRelease('cart-of-killed', async () => {
      const before = await temporalPod('.metadata.uid');
      await firebreak('delete', 'pod', 'firebreak-temporal-0', '--grace-period', '0', '--force');
      await until('a Temporal that is ready anew', 120_000, async () => {
        const [uid, ready] = (await temporalPod('.metadata.uid} {.status.containerStatuses[0].ready')).split(' ');
        return uid !== before && ready === 'true';
      });
    });
    const address = await temporalPod('.status.podIP');
    await lab.runPod({ name: 'stranger' });
    // From a pod that is allowed to: so it is the policy that blocks the other one, and not an address at which nobody answers.
    await firebreak(
      ...['run', 'friend', '--image', lab.image, '--image-pull-policy', 'IfNotPresent', '--restart', 'Never'],
      ...['--labels', 'firebreak.dev/role-secrets=true'],
    );
    await firebreak('wait', '--for', 'condition=Ready', 'pod/friend', '--timeout', '120s');
    // An HTTP/2 server speaks first.
    const greeted = async (of: string, pod: string): Promise<boolean> =>
      (await lab.kubectl('--namespace', of, 'exec', pod, '--', 'nc', '-w', '2', address, '7233')).stdout !== '';
    await until('Temporal answers who may', 120_000, () => greeted(release, 'friend'));
    expect(await greeted(namespace, 'stranger')).toBe(false);
    await firebreak('delete', 'pod', 'friend', '--grace-period', '0', '--force');
  });

  test('backs itself up on a schedule, from its volume to another, and reads the backup back', async () => {
    backup = await backedUp();
    expect(readdirSync(join(folder, 'backups', backup.name))).toEqual(expect.arrayContaining(['backup.json', 'keys.sealed']));
  });

  test('is restored from there by a job while nothing else runs, and goes on with the records of the backup', async () => {
    const notary = join(folder, 'state-firebreak-0', 'keys', 'notary.pem.pub');
    await firebreak('create', 'configmap', 'notary', `--from-file=notary.pem.pub=${notary}`);
    await install(release, { ...inOnePod, restore: { from: backup.name, publicKey: 'notary', replace: true } });
    expect(await restored()).toMatchObject({ records: backup.records, audit: { ok: true } });
    expect((await firebreak('get', 'pods', '--output', 'name')).stdout).not.toContain('pod/firebreak-0');
    await install(release, inOnePod);
    await until('the desk in order', 300_000, async () => (await ranNow<Found>('firebreak-doctor-desk')).ok);
  });
});

/** Temporal's own program under the name and with the layout of Temporal's own image: the program, an account without rights, and nothing else. */
async function temporalImage(): Promise<{ readonly name: string; readonly file: string }> {
  const name = `docker.io/${parse(readFileSync(join(chartFolder, 'values.yaml'), 'utf8')).temporal.image.replace(/@.*$/, '')}`;
  const root = join(folder, 'temporal-root');
  const layer = join(folder, 'temporal-layer.tar');
  const layout = join(folder, 'temporal-layout');
  mkdirSync(root);
  copyFileSync(await temporalBinary(say), join(root, 'temporal'));
  await pack(root, layer);
  const config = { Entrypoint: ['/temporal'], User: '1000:1000' };
  const images = [{ architecture: process.arch === 'arm64' ? 'arm64' : 'amd64', layers: [layer], config }];
  writeLayout({ folder: layout, images, names: () => [name] });
  const file = join(folder, 'temporal.tar');
  await pack(layout, file);
  for (const path of [root, layer, layout]) rmSync(path, { recursive: true });
  return { name, file };
}

/** A volume in a folder of the node, and its claim, as a storage provisioner would create both. */
async function volumeFor(claim: string): Promise<void> {
  const path = join(folder, claim);
  mkdirSync(path);
  // Needed only here: a real volume belongs to its pod's group.
  chmodSync(path, 0o777);
  const same = { accessModes: ['ReadWriteOnce'], storageClassName: '' };
  const size = { storage: '1Gi' };
  const name = `${release}-${claim}`;
  const file = join(folder, `${claim}.json`);
  const items = [
    {
      ...{ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name } },
      spec: { ...same, capacity: size, hostPath: { path }, claimRef: { namespace: release, name: claim } },
    },
    {
      ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: claim } },
      spec: { ...same, resources: { requests: size }, volumeName: name },
    },
  ];
  writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  const { code, stderr } = await firebreak('apply', '--filename', file);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
}

/** Copies a Secret or a ConfigMap into another namespace, as when joining a cluster to a hub. */
async function copied(
  kind: 'secret' | 'configmap',
  name: string,
  { from, to, as = name }: { readonly from: string; readonly to: string; readonly as?: string },
): Promise<void> {
  const { stdout } = await lab.kubectl('--namespace', from, 'get', kind, name, '--output', 'json');
  const { apiVersion, kind: written, type, data } = JSON.parse(stdout);
  const file = join(folder, `${as}.json`);
  writeFileSync(file, JSON.stringify({ apiVersion, kind: written, type, metadata: { name: as }, data }));
  const { code, stderr } = await lab.kubectl('--namespace', to, 'apply', '--filename', file);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
}

async function podOf(component: string, of = release): Promise<string> {
  const { stdout } = await lab.kubectl(
    '--namespace',
    of,
    'get',
    'pods',
    '--selector',
    `app.kubernetes.io/component=${component}`,
    '--output',
    'jsonpath={.items[0].metadata.name}',
  );
  return stdout;
}
