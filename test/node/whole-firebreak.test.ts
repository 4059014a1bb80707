import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { IncidentState } from '../../core/incident/incident-state.ts';
import { createKubernetesApi, pathOf } from '../../integrations/kubernetes/client.ts';
import { accessFromKubeconfig } from '../../integrations/kubernetes/kubeconfig.ts';
import type { PodJson } from '../../integrations/kubernetes/watch/projection.ts';
import { readPack } from '../../service/packs/pack-files.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { freePorts } from '../../tools/platform/ports.ts';
import { startTemporal } from '../../tools/platform/temporal-server.ts';
import { writePackFolder } from '../pack-folder.ts';
import { alertAbout } from '../platform/e2e/parts/alerts.ts';
import { AuditFeed, type Fed } from '../platform/e2e/parts/audit-feed.ts';
import { until, type Workload } from '../platform/e2e/parts/cluster.ts';
import { makePoolAccounts, removeBinding } from '../platform/e2e/parts/pool-accounts.ts';
import { ana, labels, type SecondProcess, Service } from '../platform/e2e/parts/service.ts';
import { echoesOf, echoServer, talkTo } from './lab/echoes.ts';
import { nodeLab } from './lab/lab.ts';

const lab = await nodeLab();
const { namespace, kubeconfig, auditLog, toolsImage } = lab;
const { echoes, grows } = echoesOf(lab);
/** Namespace in which Firebreak creates its own pods. */
const ownNamespace = 'firebreak';
const pools = ['cell', 'secrets', 'forensics'] as const;
const binding = `${namespace}-whole`;
const admin = createKubernetesApi({ access: await accessFromKubeconfig({ file: kubeconfig }) });
const accountOf = (pool: string): string => `system:serviceaccount:${namespace}:${pool}`;
const temporalFolder = mkdtempSync(join(tmpdir(), 'firebreak-temporal-'));
const temporal = await startTemporal({ stateDir: temporalFolder });
const statusPorts = await freePorts({ names: pools });

/** Actions that work inside a container. */
const looks = {
  captureProcesses: '{ pod: alert.pod }',
  snapshotFilesystem: '{ pod: alert.pod }',
  captureTraffic: '{ pod: alert.pod, seconds: 2 }',
  checkpointContainer: '{ pod: alert.pod }',
} as const;

/**
 * The shipped playbook for a dropped binary, extended to look with every other tool as well, as a user may do it: in a pack that comes before the shipped one.
 */
function writePackThatLooks(folder: string): string {
  const asPack = (file: string): string =>
    readFileSync(join(projectRoot(), 'playbooks', file), 'utf8')
      .replaceAll(/'(\.\.\/)+core\/actions\/index\.ts'/g, "'firebreak/actions'")
      .replaceAll(/'(\.\.\/)+core\/(playbook\/playbook|alert\/alert)\.ts'/g, "'firebreak/playbook'");
  // The playbook itself uses the first.
  const names = Object.keys(looks).filter((name) => name !== 'captureProcesses');
  const looking = Object.entries(looks).map(([action, input]) => `${action}: steps.${action}(${input})`);
  const changes = {
    'import { captureProcesses, deletePod': `import { captureProcesses, ${names.join(', ')}, deletePod`,
    // What a pack cannot import.
    "import { actsOf } from './fragments/acts.ts';\n": '',
    "          actsOf('new-binary'),\n": '',
    'openTicket },': `openTicket, ${names.join(', ')} },`,
    "contains: 'pod',": "contains: 'pod',\n    priority: 100,\n    exclusive: true,",
    'await kept;': `await kept;\n    await settle({ ${looking.join(', ')} });`,
  };
  let playbook = asPack('contain-dropped-binary.ts');
  for (const [before, after] of Object.entries(changes)) {
    expect(playbook).toContain(before);
    playbook = playbook.replace(before, after);
  }
  return writePackFolder(folder, {
    'package.json': '{ "name": "looking", "version": "1.0.0", "type": "module" }\n',
    'firebreak.pack.ts': `import { definePack } from 'firebreak/playbook';
import { containDroppedBinary } from './playbooks/contain-dropped-binary.ts';

export default definePack({ name: 'looking', version: '1.0.0', playbooks: [containDroppedBinary] });
`,
    'playbooks/contain-dropped-binary.ts': playbook,
    'playbooks/fragments/pod.ts': asPack('fragments/pod.ts'),
    'playbooks/fragments/words.ts': asPack('fragments/words.ts')
      .replace(/^import .*\/(subject|what-ran)\.ts';\n/gm, '')
      .replace(`\`\${otherwise}: \${placeText(subjectOf(alert))}\``, 'otherwise')
      .replace('whatRanIn(alert).title', 'programOf(alert)')
      .replace('whatRanIn(alert).sentence', 'programOf(alert)'),
  });
}

let service: Service;
let feed: AuditFeed;
let cart: Workload;
const processes: SecondProcess[] = [];

/** Creates a Deployment of one pod that keeps a connection to the server open, with its own Secret. */
async function deployCart(server: PodJson): Promise<Workload> {
  await admin.json({
    method: 'POST',
    path: pathOf({ resource: 'secrets', namespace }),
    body: { metadata: { name: 'cart-db' }, stringData: { password: 'canary' } },
    what: 'set up',
  });
  const container = {
    name: 'main',
    image: lab.image,
    imagePullPolicy: 'IfNotPresent',
    command: talkTo(server),
    env: [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'cart-db', key: 'password' } } }],
  };
  const template = { metadata: { labels: { app: 'cart' } }, spec: { terminationGracePeriodSeconds: 0, containers: [container] } };
  await admin.json({
    method: 'POST',
    path: pathOf({ group: 'apps', resource: 'deployments', namespace }),
    body: { metadata: { name: 'cart' }, spec: { selector: { matchLabels: { app: 'cart' } }, template } },
    what: 'set up',
  });
  const pod = await until('a pod', 120_000, async () => {
    const { stdout } = await lab.kubectl(
      'get',
      'pods',
      '--selector',
      'app=cart',
      '--output',
      'jsonpath={.items[0].metadata.name}',
    );
    return stdout !== '' && (await echoes(stdout)) > 2 && stdout;
  });
  return { namespace, name: 'cart', pod, secretValue: 'canary' };
}

const stepIn = (state: IncidentState, action: string) => state.steps.find((step) => step.action === action);

describe('a whole Firebreak on a real node', () => {
  // Defined here, so that it ends before the lab does when this file runs alone.
  beforeAll(async () => {
    await lab.kubectl('create', 'namespace', ownNamespace);
    const servers = { temporalAddress: temporal.address, temporalNamespace: temporal.namespace, kubeconfig, auditLog };
    const kubeconfigOf = (pool: string): string => join(temporalFolder, `${pool}.kubeconfig`);
    await makePoolAccounts({ admin, kubeconfig, namespace, binding, pools, kubeconfigOf });
    const pack = writePackThatLooks(join(temporalFolder, 'pack'));
    service = await Service.create(servers, (config) => {
      config.watch = { namespaces: [namespace] };
      config.kubernetes = { kubeconfig: kubeconfigOf('cell') };
      config.status = { listen: { port: statusPorts.cell } };
      config.forensics = { toolsImage };
      config.packs = [{ folder: pack, integrity: readPack({ folder: pack }).integrity }];
      config.actions = { optIn: ['cutConnections', 'countConnections', 'probeQuarantine', 'checkpointContainer'] };
      // Half a minute later, when the open connections have been cut.
      config.incidents = { lingerSeconds: 3, effectChecks: [0.5] };
    });
    service.keepTo('cell,desk');
    await service.start();
    for (const pool of ['secrets', 'forensics'] as const)
      processes.push(
        await service.startProcess({
          name: `${pool}-pool`,
          roles: pool,
          change: (config) => {
            config.kubernetes = { kubeconfig: kubeconfigOf(pool) };
            config.status = { listen: { port: statusPorts[pool] } };
          },
        }),
      );
    const server = await lab.runPod({ name: 'server', command: echoServer });
    cart = await deployCart(server);
    const namespaces = [namespace, ownNamespace];
    feed = new AuditFeed({ file: auditLog, namespaces, url: service.settings.intakeUrl, token: service.settings.falcoToken });
  });

  afterAll(async () => {
    await feed?.stop();
    for (const one of processes) await one.end('SIGTERM');
    await service?.stop();
    await removeBinding(admin, binding);
    admin.close();
    await temporal.stop();
    rmSync(temporalFolder, { recursive: true, force: true });
  });

  test('reports each of its processes ready, with all the rights that its actions need', async () => {
    const readiness = async (pool: (typeof pools)[number]): Promise<string> => {
      const response = await fetch(`http://127.0.0.1:${statusPorts[pool]}/readyz`);
      return response.text();
    };
    for (const pool of pools)
      await until(`readiness of ${pool}`, 120_000, async () => (await readiness(pool).catch(String)) === '{"status":"ready"}\n');
  });

  test('contains the pod of an alert, probes the quarantine and cuts open connections, all without a person', async () => {
    const { stdout } = await lab.kubectl(
      'get',
      'pod',
      cart.pod,
      '--output',
      'jsonpath={.status.containerStatuses[0].containerID}',
    );
    const alert = alertAbout(cart) as { readonly output_fields: object };
    const container = { 'container.id': stdout.replace('containerd://', '').slice(0, 12) };
    const posted = await service.post([{ ...alert, output_fields: { ...alert.output_fields, ...container } }]);
    expect(posted.status).toBe(200);

    const state = await service.stateWhen('the verified quarantine', cart, 120_000, (now) =>
      ['verified', 'partial'].includes(stepIn(now, 'quarantinePod')?.state ?? ''),
    );
    expect(stepIn(state, 'quarantinePod')).toMatchObject({
      state: 'verified',
      detail: expect.stringMatching(/^new connections are dropped, as a probe showed: .*; what was open has been cut$/),
    });
    expect(stepIn(state, 'cutConnections')).toMatchObject({ state: 'verified' });
    expect(stepIn(state, 'probeQuarantine')).toMatchObject({ state: 'verified' });
    expect(state.reached).toBe('contained');
    expect(await grows(cart.pod)).toBe(false);
    const own = await lab.kubectl('--namespace', ownNamespace, 'get', 'pods', '--output', 'name');
    expect(own.stdout).not.toMatch(/firebreak-(cut|probe)-/);
  });

  test('then checks that the open connections are gone, by counting on the node', async () => {
    const state = await service.stateWhen('the look', cart, 180_000, (now) => stepIn(now, 'quarantinePod')?.effect !== undefined);
    const { connections, unknown = [] } = stepIn(state, 'quarantinePod')?.effect?.look ?? {};
    expect(stepIn(state, 'countConnections')?.state).toMatch(/^(applied|unverified)$/);
    // If no other pod on the node has an open connection at that moment, the count is unknown, and that is reported.
    if (connections) expect(connections).toMatchObject({ open: 0, pods: 1, of: 1 });
    else
      expect(unknown).toContainEqual(
        expect.stringMatching(/^whether it has open connections: the connection table of node real-1 has no entry/),
      );
  });

  test('with the API server’s audit as a sensor, adds what its own pools do to the incident and starts nothing', async () => {
    const looked = await service.stateWhen('the looks', cart, 120_000, (now) =>
      Object.keys(looks).every((action) => !['running', 'applied', undefined].includes(stepIn(now, action)?.state)),
    );
    const found = Object.keys(looks).map((action) => `${action}: ${stepIn(looked, action)?.state}`);
    // CRIU refuses a container with an open connection, such as this one; the request is in the audit all the same.
    expect(found).toEqual([
      'captureProcesses: verified',
      'snapshotFilesystem: verified',
      'captureTraffic: verified',
      'checkpointContainer: failed',
    ]);
    await service.click(cart, ana, labels.remove);
    const end = await service.stateWhen('the deletion', cart, 120_000, (now) => stepIn(now, 'deletePod')?.state === 'verified');
    expect(stepIn(end, 'rotateSecret')?.state).toBe('verified');
    const events = (): readonly Fed[] =>
      feed.fed.filter(({ event }) => pools.some((pool) => event.user.username === accountOf(pool)));
    await until('the audit of the deletion', 120_000, () => events().some((fed) => nameOf(fed) === 'delete pods'));

    expect(events().filter(({ answer }) => !['own-step', 'ignored'].includes(answer.status))).toEqual([]);
    const joined = events().filter(({ answer }) => answer.status === 'own-step');
    expect(new Set(joined.map(({ answer }) => answer.incident))).toEqual(new Set([service.incidentOf(cart)]));
    const seen = [...new Set(joined.map((fed) => `${nameOf(fed)} by ${fed.event.user.username.split(':').at(-1)}`))];
    expect(seen).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/ pods\/exec by forensics$/),
        'patch pods/ephemeralcontainers by forensics',
        'create pods by forensics',
        'get secrets by secrets',
      ]),
    );
    const { timeline, total } = await service.stateWhen('the lines', cart, 120_000, (now) =>
      [...Object.keys(looks), 'probeQuarantine', 'cutConnections', 'rotateSecret'].every((action) =>
        now.timeline.some(({ kind, text }) => kind === 'step.seen' && text.includes(action)),
      ),
    );
    expect(timeline.some(({ kind, text }) => kind === 'step.seen' && text.includes('Pod that opens the node'))).toBe(true);
    expect(total).toBe(1);
  });

  test('starts incidents when another account does the same', async () => {
    const since = feed.fed.length;
    await lab.runPod({ name: 'other' });
    await lab.exec('other', 'true');
    const ephemeralContainers = [{ name: 'debug', image: lab.image, targetContainerName: 'main' }];
    await admin.json({
      method: 'PATCH',
      patch: 'strategic',
      path: pathOf({ resource: 'pods', namespace, name: 'other', subresource: 'ephemeralcontainers' }),
      body: { spec: { ephemeralContainers } },
      what: 'try',
    });
    await lab.runPod({ name: 'opens-the-node', container: { securityContext: { privileged: true } } });
    await admin.json({ method: 'GET', path: pathOf({ resource: 'secrets', namespace, name: 'cart-db' }), what: 'try' });
    const accepted = () =>
      feed.fed
        .slice(since)
        .filter(({ event, answer }) => answer.status === 'accepted' && !event.user.username.startsWith('system:'))
        .map((fed) => ({ what: nameOf(fed), incident: fed.answer.incident ?? '' }));
    const wanted = [/pods\/exec$/, /^patch pods\/ephemeralcontainers$/, /^create pods$/, /^get secrets$/];
    const found = await until('the alerts', 120_000, () => {
      const matching = wanted.map((one) => accepted().find(({ what }) => one.test(what)));
      return matching.every((one) => one !== undefined) && matching;
    });
    const { client } = await service.session();
    // An accepted alert is only on disk: its incident begins when its turn comes.
    for (const one of found)
      await until(`the incident ${one?.incident}`, 120_000, () =>
        client.workflow
          .getHandle(one?.incident ?? '')
          .describe()
          .then(Boolean, () => false),
      );
  });
});

function nameOf({ event: { verb, objectRef } }: Fed): string {
  return `${verb} ${[objectRef?.resource, objectRef?.subresource].filter(Boolean).join('/')}`;
}
