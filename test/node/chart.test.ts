import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { createKubernetesApi, pathOf } from '../../integrations/kubernetes/client.ts';
import { accessFromKubeconfig } from '../../integrations/kubernetes/kubeconfig.ts';
import { runCommand } from '../../service/parts/command.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { writeSettings, writeStandIns } from '../../tools/demo/settings.ts';
import { missingForImages } from '../../tools/image/base.ts';
import { makeFirebreakImage } from '../../tools/image/firebreak-image.ts';
import { helmBinary } from '../../tools/platform/helm-binary.ts';
import { importImage } from '../../tools/platform/nodes/real-nodes.ts';
import { type S3Server, startS3Server } from '../../tools/platform/s3-server.ts';
import { ServerGroup } from '../../tools/platform/server-group.ts';
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

jest.setTimeout(300_000);

const lab = await nodeLab();
const { hostAddress, kubeconfig, namespace } = lab;
const missing = missingForImages();
const release = 'firebreak-by-chart';
const folder = mkdtempSync(join(tmpdir(), 'firebreak-chart-'));
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const helm = (await helmBinary(say)) ?? '';
const admin = createKubernetesApi({ access: await accessFromKubeconfig({ file: kubeconfig }) });
const group = new ServerGroup();
const forwards: Server[] = [];

let temporal: TemporalServer;
let s3: S3Server;
let slack: SlackEmulator;
let github: GithubFake;
let settings: ReturnType<typeof writeSettings>;

const firebreak = (...words: readonly string[]) => lab.kubectl('--namespace', release, ...words);
const chart = (...words: readonly string[]) =>
  runCommand({ command: helm, args: [...words, '--kubeconfig', kubeconfig, '--namespace', release] });
const portOf = (url: string): number => Number(new URL(url).port);
const labelOf = async (pod: string): Promise<string> => {
  const { stdout } = await lab.kubectl('get', 'pod', pod, '--output', 'jsonpath={.metadata.labels.firebreak\\.dev/quarantine}');
  return stdout;
};

/** What an administrator writes: the configuration without what the chart knows, secrets in a Secret. */
async function writeValues(image: { readonly name: string }): Promise<string> {
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
  config.evidence = {
    s3: {
      endpoint: s3.endpoint.replace('127.0.0.1', hostAddress),
      region: s3.region,
      bucket: s3.bucket,
      accessKeyId: s3Secret('s3-id', s3.accessKeyId),
      secretAccessKey: s3Secret('s3-secret', s3.secretAccessKey),
    },
  };
  delete config.intake.listen;
  delete config.desk;
  const apiPort = String(portOf(admin.server));
  const [repository, tag] = image.name.split(/:(?=[^:]+$)/);
  const values = {
    image: { repository, tag, pullPolicy: 'Never' },
    config,
    secretFiles: [{ name: 'lab', secret: 'lab', roles: ['cell', 'desk', 'secrets', 'forensics'] }],
    cell: { persistence: { enabled: false }, resources: { requests: { cpu: '10m', memory: '64Mi' } } },
    desk: { persistence: { enabled: false }, resources: { requests: { cpu: '10m', memory: '64Mi' } } },
    secrets: { resources: { requests: { cpu: '10m', memory: '64Mi' } } },
    forensics: { resources: { requests: { cpu: '10m', memory: '64Mi' } } },
    networkPolicy: {
      temporalPort: portOf(`http://${temporal.address}`),
      evidencePort: portOf(s3.endpoint),
      apiServerPort: Number(apiPort),
      morePorts: { desk: [settings.standIns.slack.port, settings.standIns.github.port] },
    },
  };
  const file = join(folder, 'values.yaml');
  writeFileSync(file, stringify(values));
  return file;
}

(missing === undefined && helm !== '' ? describe : describe.skip)('installed by its chart', () => {
  let values: string;

  beforeAll(async () => {
    // `npm test` has built.
    if (process.env.FIREBREAK_TEST_LAB === undefined) await ensureBuilt({ node: process.execPath });
    const image = await makeFirebreakImage({
      folder,
      architectures: [process.arch === 'arm64' ? 'arm64' : 'amd64'],
      repository: 'firebreak.local/firebreak',
      onProgress: say,
    });
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
    await chart('uninstall', release, '--wait', '--timeout', '60s');
    await lab.kubectl('delete', 'namespace', release, '--wait=false');
    await group.stop();
    for (const one of forwards) one.close();
    await Promise.all([slack?.stop(), github?.stop(), s3?.stop(), temporal?.stop()]);
    admin.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('makes its keys, runs each role apart, and is ready with all rights that it needs', async () => {
    const installed = await chart(
      'install',
      release,
      join(projectRoot(), 'deploy', 'helm', 'firebreak'),
      '--values',
      values,
      '--wait',
      '--timeout',
      '280s',
    );
    if (installed.code !== 0) {
      const [pods, logs] = [
        await firebreak('describe', 'pods'),
        await firebreak('logs', '--selector', 'app.kubernetes.io/name=firebreak', '--tail', '20', '--prefix'),
      ];
      throw new Error(`${installed.stderr}\n${pods.stdout.slice(-6_000)}\n${logs.stdout}`);
    }
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
    // The rights to make them have ended with the job.
    expect((await firebreak('get', 'serviceaccounts', '--output', 'name')).stdout).not.toContain('firebreak-keys');
  });

  test('contains the pod of an alert, asks in Slack, and releases it when somebody says so', async () => {
    await lab.runPod({ name: 'cart' });
    const ports = [
      ['firebreak-cell-0', portOf(settings.intakeUrl), 8765],
      [await podOf('desk'), portOf(settings.deskUrl), 8766],
    ] as const;
    for (const [pod, here, there] of ports)
      lab.forward({ group, namespace: release, pod, here, there, logFile: join(folder, `${pod}.log`) });
    for (const [, here] of ports)
      await until(
        `port ${here}`,
        60_000,
        async () => (await fetch(`http://127.0.0.1:${here}/healthz`).catch(() => undefined)) !== undefined,
      );
    const cart = { namespace, name: 'cart', pod: 'cart', secretValue: '' };
    const posted = await postAlerts(settings.intakeUrl, settings.falcoToken, [alertAbout(cart)]);
    expect(posted.status).toBe(200);
    await until('the quarantine', 120_000, async () => (await labelOf('cart')) !== '');
    const card = await until('the card', 120_000, () =>
      slack.world.messages.find((message) => JSON.stringify(message.blocks ?? []).includes(labels.release)),
    );
    // A critical containment is given back by two.
    for (const user of [ana, ben])
      await until(`the vote of ${user}`, 120_000, async () => {
        if ((await labelOf('cart')) === '') return true;
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
    await until('the release', 120_000, async () => (await labelOf('cart')) === '');
  });

  test('keeps its keys and goes on when it is upgraded', async () => {
    const keys = async () => (await firebreak('get', 'secret', 'firebreak-keys-cell', '--output', 'jsonpath={.data}')).stdout;
    const before = await keys();
    const upgraded = await chart(
      'upgrade',
      release,
      join(projectRoot(), 'deploy', 'helm', 'firebreak'),
      '--values',
      values,
      '--set',
      'podAnnotations.upgraded=yes',
      '--wait',
      '--timeout',
      '280s',
    );
    expect(upgraded).toMatchObject({ code: 0 });
    expect(await keys()).toBe(before);
    const status = await admin.json<{ readonly data?: object }>({
      method: 'GET',
      path: pathOf({ resource: 'configmaps', namespace: release, name: 'firebreak-keys-public' }),
      what: 'look',
    });
    expect(Object.keys(status.data ?? {})).toContain('cell.pem.pub');
  });
});

async function podOf(component: string): Promise<string> {
  const { stdout } = await firebreak(
    'get',
    'pods',
    '--selector',
    `app.kubernetes.io/component=${component}`,
    '--output',
    'jsonpath={.items[0].metadata.name}',
  );
  return stdout;
}
