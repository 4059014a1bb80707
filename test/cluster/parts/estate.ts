import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeKeySet } from '../../../service/process/keys/key-set.ts';
import { people } from '../../../tools/demo/settings.ts';
import type { ControlPlaneServer, KubernetesServer } from '../../../tools/platform/kubernetes/kubernetes-api.ts';
import { startKubernetes } from '../../../tools/platform/kubernetes/kubernetes-server.ts';
import { freePorts } from '../../../tools/platform/ports.ts';
import { startS3Server } from '../../../tools/platform/s3-server.ts';
import { kill, ServerGroup } from '../../../tools/platform/server-group.ts';
import { startTemporalCluster, temporalServices } from '../../../tools/platform/temporal-cluster.ts';
import { ensureBuilt } from '../../../tools/setup/build.mjs';
import { startGithubFake } from '../../fakes/github/server.ts';
import { type SlackEmulator, startSlackEmulator } from '../../fakes/slack/index.ts';
import { builtProgram } from '../../platform/e2e/parts/program.ts';
import { startPostgres } from '../../postgres-server.ts';
import { Member } from './member.ts';
import { Site } from './site.ts';

/** A part that is killed, and restarted in place. */
export interface Victim {
  /** By SIGKILL. */
  kill(): Promise<void>;
  /** Resolves when it is working again. */
  start(): Promise<void>;
}

/**
 * Two clusters as in production. `east` has two intakes (replicas of its cell, each with its own volume), `west` one; the pools are separate; two desks share a
 * PostgreSQL, and all share a Temporal with separate services, also on PostgreSQL. Evidence is in S3.
 */
export interface Estate {
  readonly east: Site;
  readonly west: Site;
  readonly members: ReadonlyMap<string, Member>;
  /** All separate parts, by name. */
  readonly victims: ReadonlyMap<string, Victim>;
  /** A desk's configuration: for the records and their proof. */
  readonly deskConfig: string;
  readonly slack: SlackEmulator;
  stop(): Promise<void>;
}

const slackApp = { appId: 'A0FIREBREAK', teamId: 'T0ACME', botToken: 'xoxb-cluster', appToken: 'xapp-cluster' };
const channel = { id: 'C0INCIDENTS', name: 'incidents', topic: 'What Firebreak does, and what it asks' };
const repository = 'acme/incidents';
const ticketToken = 'a-token-for-tickets';
const sites = ['east', 'west'] as const;
type SiteName = (typeof sites)[number];

/** Each process, with the parts of the keys that it may read. */
const processes = [
  { name: 'east-cell-1', site: 'east', roles: 'cell' },
  { name: 'east-cell-2', site: 'east', roles: 'cell' },
  { name: 'east-secrets', site: 'east', roles: 'secrets' },
  { name: 'east-forensics', site: 'east', roles: 'forensics' },
  { name: 'west-cell', site: 'west', roles: 'cell' },
  { name: 'west-pools', site: 'west', roles: 'secrets,forensics' },
  { name: 'desk-1', site: undefined, roles: 'desk' },
  { name: 'desk-2', site: undefined, roles: 'desk' },
] as const;
type ProcessName = (typeof processes)[number]['name'];

/** Files of the key set by the role that reads them, as the chart mounts them. */
const keyFiles: Readonly<Record<string, readonly string[]>> = {
  cell: ['codec.key', 'cell.key', 'cell.pem', 'evidence.pem', 'evidence-wrap.key'],
  secrets: ['codec.key', 'secrets.pem'],
  forensics: ['codec.key', 'forensics.pem', 'evidence.pem', 'evidence-wrap.key'],
  desk: ['codec.key', 'vote.pem', 'notary.pem'],
};

/** Starts everything; resolves when all of it is working. */
export async function startEstate(say: (message: string) => void = () => {}): Promise<Estate> {
  const folder = mkdtempSync(join(tmpdir(), 'fb-cluster-'));
  const group = new ServerGroup();
  const ends: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true }), () => group.stop()];
  const stop = async (): Promise<void> => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    return { ...(await build({ folder, group, ends, say })), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function build(options: {
  readonly folder: string;
  readonly group: ServerGroup;
  readonly ends: (() => unknown)[];
  readonly say: (message: string) => void;
}): Promise<Omit<Estate, 'stop'>> {
  const { folder, group, ends, say } = options;
  // `npm test` has already built. A file that runs alone would otherwise test an old build.
  if (process.env.FIREBREAK_TEST_RUN === undefined) await ensureBuilt({ node: process.execPath });
  const postgres = await startPostgres();
  ends.push(() => postgres.stop());
  const { hostname, port, username, password } = new URL(postgres.url);
  const place = { host: hostname, port: Number(port), user: username, password };
  const kubernetes = (name: SiteName) =>
    startKubernetes({ stateDir: join(folder, name), kubernetes: { auditLevel: 'RequestResponse' }, group });
  const s3Folder = join(folder, 'bucket');
  const started = [
    startTemporalCluster({ stateDir: folder, postgres: place, group, onProgress: say }),
    kubernetes('east'),
    kubernetes('west'),
    startS3Server({ stateDir: s3Folder, group, onProgress: say }),
  ] as const;
  await Promise.allSettled(started);
  const [temporal, east, west, s3] = await Promise.all(started);
  const planes = { east, west };
  const slack = await startSlackEmulator({
    ...slackApp,
    signingSecret: 'not used by Socket Mode',
    users: people.map(({ slack: id, id: name, name: realName, title }) => ({ id, name, realName, title })),
    channels: [channel],
  });
  ends.push(() => slack.stop());
  const github = await startGithubFake({ repository, token: ticketToken, private: true, push: true });
  ends.push(() => github.stop());

  const keySets = await makeKeySets(folder);
  const program = builtProgram(join(folder, 'program'));
  const status = await freePorts({ names: processes.map(({ name }) => name) });
  const doors = await freePorts({ names: ['east-cell-1', 'east-cell-2', 'west-cell', 'desk-1', 'desk-2'] });
  const falcoToken = randomBytes(20).toString('hex');
  const secret = secretFiles(join(folder, 'secrets'));
  const clusterOf = { east: `east-${randomBytes(3).toString('hex')}`, west: `west-${randomBytes(3).toString('hex')}` };

  const shared = {
    temporal: { address: temporal.address, namespace: temporal.namespace },
    response: { mode: 'contain' },
    // Short, so that the end can be observed: an incident with nothing left to do waits this long for further alerts.
    incidents: { lingerSeconds: 3 },
    roster: {
      people: people.map(({ id, name, slack: user }) => ({ id, name, slack: [user] })),
      groups: { oncall: ['ada', 'grace'], leads: ['margaret'] },
    },
  };
  const ofSite = (site: SiteName) => ({
    ...shared,
    cluster: clusterOf[site],
    kubernetes: { kubeconfig: planes[site].kubeconfig },
    guardrails: { clusterCap: 1_000, namespaceCap: 1_000, cells: site === 'east' ? 2 : 1 },
    evidence: {
      s3: {
        endpoint: s3.endpoint,
        region: s3.region,
        bucket: s3.bucket,
        prefix: `${site}/`,
        accessKeyId: secret('s3-id', s3.accessKeyId),
        secretAccessKey: secret('s3-key', s3.secretAccessKey),
      },
    },
  });
  const publicOf = (site: SiteName, name: string): string => join(keySets[site], `${name}.pem.pub`);
  const ofDesk = {
    ...shared,
    cluster: clusterOf.east,
    audit: { url: secret('records-url', postgres.url), everySeconds: 2 },
    trust: {
      cells: sites.map((site) => ({ cluster: clusterOf[site], key: publicOf(site, 'cell') })),
      secrets: sites.map((site) => publicOf(site, 'secrets')),
      forensics: sites.map((site) => publicOf(site, 'forensics')),
    },
    slack: {
      mode: 'socket',
      appId: slackApp.appId,
      teamId: slackApp.teamId,
      channel: channel.id,
      botToken: secret('slack-bot', slackApp.botToken),
      appToken: secret('slack-app', slackApp.appToken),
      apiUrl: slack.apiUrl,
    },
    tickets: { github: { repository, token: secret('github', ticketToken), apiUrl: github.url } },
  };
  const configOf = (name: ProcessName, site: SiteName | undefined): Record<string, unknown> => {
    const door = name in doors ? { listen: { port: doors[name as keyof typeof doors] } } : {};
    const tokens = [{ name: 'falco', token: secret('falco', falcoToken) }];
    if (site === undefined) return { ...ofDesk, intake: { tokens }, desk: door };
    return { ...ofSite(site), intake: { ...door, tokens } };
  };
  const members = new Map(
    processes.map(({ name, site, roles }) => {
      const keys = keysFor(keySets[site ?? 'east'], roles.split(','));
      const config = configOf(name, site);
      return [name, new Member({ name, roles, folder, program, group, config, keys, statusPort: status[name] })];
    }),
  );
  const memberOf = (name: ProcessName): Member => {
    const found = members.get(name);
    if (!found) throw new Error(`there is no ${name}`);
    return found;
  };
  // Two at a time: each compiles and bundles for some seconds.
  const names = processes.map(({ name }) => name);
  for (let next = 0; next < names.length; next += 2)
    await Promise.all(names.slice(next, next + 2).map((name) => memberOf(name).start()));
  say('all processes of Firebreak are at work');

  const siteOf = (site: SiteName, intakes: readonly (keyof typeof doors)[]): Site => {
    const made = new Site({
      cluster: clusterOf[site],
      kubernetes: planes[site],
      slack,
      github,
      intakeUrls: intakes.map((name) => `http://127.0.0.1:${doors[name]}`),
      token: falcoToken,
      configFile: memberOf(intakes[0] as ProcessName).configFile,
    });
    ends.push(() => made.stop());
    return made;
  };
  const controlPlanePart = (plane: KubernetesServer, part: ControlPlaneServer): Victim => ({
    kill: async () => kill(plane.pids()[part] ?? 0, 'SIGKILL'),
    start: () => plane.restart(part),
  });
  let bucket = s3;
  const victims = new Map<string, Victim>([
    ...members,
    ...temporalServices.map((service): [string, Victim] => [
      `temporal-${service}`,
      { kill: () => temporal.kill(service), start: () => temporal.start(service) },
    ]),
    ['postgres', { kill: () => postgres.kill(), start: () => postgres.restart() }],
    [
      's3',
      {
        kill: async () => kill(bucket.pid, 'SIGKILL'),
        start: async () => {
          await bucket.stop();
          bucket = await startS3Server({ stateDir: s3Folder, group });
        },
      },
    ],
    ['east-kube-apiserver', controlPlanePart(east, 'kube-apiserver')],
    ['east-etcd', controlPlanePart(east, 'etcd')],
  ]);
  return {
    east: siteOf('east', ['east-cell-1', 'east-cell-2']),
    west: siteOf('west', ['west-cell']),
    members,
    victims,
    deskConfig: memberOf('desk-1').configFile,
    slack,
  };
}

/** Each cluster has its own keys; the shared public ones and the desks' signing keys are the same in both. */
async function makeKeySets(folder: string): Promise<Readonly<Record<SiteName, string>>> {
  const sets = { east: join(folder, 'keys-east'), west: join(folder, 'keys-west') };
  await makeKeySet(sets.east);
  mkdirSync(sets.west, { mode: 0o700 });
  for (const name of ['codec.key', 'vote.pem', 'vote.pem.pub', 'notary.pem', 'notary.pem.pub'])
    writeFileSync(join(sets.west, name), readFileSync(join(sets.east, name)), { mode: 0o600 });
  await makeKeySet(sets.west);
  return sets;
}

function keysFor(folder: string, roles: readonly string[]): Readonly<Record<string, string>> {
  const secrets = roles.flatMap((role) => keyFiles[role] ?? []);
  const halves = ['cell', 'secrets', 'forensics', 'packs', 'vote', 'evidence', 'notary'].map((name) => `${name}.pem.pub`);
  return Object.fromEntries(
    [...new Set([...secrets, ...halves])].map((name) => [name, readFileSync(join(folder, name), 'utf8')]),
  );
}

/** Writes a secret into its own file, and returns how a configuration refers to it. */
function secretFiles(folder: string): (name: string, value: string) => { readonly file: string } {
  mkdirSync(folder, { mode: 0o700 });
  return (name, value) => {
    const file = join(folder, name);
    if (!existsSync(file)) writeFileSync(file, `${value}\n`, { mode: 0o600 });
    return { file };
  };
}
