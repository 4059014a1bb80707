import { randomBytes } from 'node:crypto';
import { stringify } from 'yaml';
import type { Mode } from '../../core/assessment/response.ts';
import { usualNamespace } from '../config/fields.ts';
import type { SightedSensor } from './cluster-sight.ts';

export interface NewPerson {
  readonly id: string;
  readonly name: string;
  /** Absent: the person signs on the command line, with a key. */
  readonly slack?: string;
}

export interface NewInstallation {
  readonly cluster: string;
  /** Address of its frontend, as a Firebreak outside the cluster reaches it. */
  readonly temporal: string;
  /** The chart installs one, for a trial. */
  readonly installTemporal?: true;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly people: readonly NewPerson[];
  /** What it does by itself at first. Absent: it observes. */
  readonly mode?: Mode;
  readonly sensors: readonly SightedSensor[];
  readonly slack?: { readonly appId: string; readonly teamId: string; readonly channel: string };
  /** Port of the API server's own hosts. Absent: unknown. */
  readonly apiServerPort?: number;
  /** Where sensors outside the cluster, and Slack, reach it. */
  readonly url: string;
}

export interface NewFile {
  readonly name: string;
  readonly text: string;
  /** Readable by its owner only. */
  readonly isSecret?: true;
}

/** A first day without risk. */
export const firstMode: Mode = 'observe';
/** Address of the chart's own Temporal through `kubectl port-forward`, and of `temporal server start-dev`. */
export const temporalHere = '127.0.0.1:7233';
export const configFile = 'firebreak.yaml';
/** The token that sensors send with. It is kept when everything else is rewritten, because senders already have it. */
export const tokenFile = 'alerts-token';
const schemaFile = 'firebreak.schema.json';
const inCluster = `http://firebreak-intake.${usualNamespace}.svc:8765`;

/**
 * Returns all files of a new installation. `token` is what sensors send with; `publicKeys` has the keys of people who answer without Slack, as PEM, by the
 * person's id; `schema` and `slackManifest` are texts of this version.
 */
export function newFiles(
  wanted: NewInstallation,
  {
    token,
    publicKeys,
    schema,
    slackManifest,
  }: {
    readonly token: string;
    readonly publicKeys: Readonly<Record<string, string>>;
    readonly schema: string;
    readonly slackManifest: string;
  },
): readonly NewFile[] {
  return [
    { name: configFile, text: firebreakYaml(wanted) },
    { name: schemaFile, text: schema },
    { name: tokenFile, text: `${token}\n`, isSecret: true },
    { name: 'values.yaml', text: chartValues(wanted, publicKeys) },
    { name: 'secrets.yaml', text: secretManifest(token), isSecret: true },
    { name: 'falco-values.yaml', text: falcoValues(token), isSecret: true },
    { name: 'falcosidekick-values.yaml', text: falcosidekickValues(token), isSecret: true },
    {
      name: 'slack-manifest.yaml',
      text: slackManifest.replaceAll('https://firebreak.example.com', wanted.url.replace(/\/$/, '')),
    },
  ];
}

/** In a form that Falco accepts in a path: letters and digits only. */
export function newToken(): string {
  return randomBytes(24).toString('hex');
}

export function publicKeyFile({ id }: Pick<NewPerson, 'id'>): string {
  return `${id}.pem.pub`;
}

/** Returns whether this address of Temporal refers to the machine that Firebreak runs on, which no pod can reach. */
export function isOnThisMachine(address: string): boolean {
  return /^(localhost|127\.[\d.]+|\[::1\])(:\d+)?$/.test(address);
}

function yaml(value: unknown, comment: string): string {
  const lines = comment.split('\n').map((line) => (line === '' ? '#' : `# ${line}`));
  return `${lines.join('\n')}\n${stringify(value, { lineWidth: 0 })}`;
}

/** Returns the people who answer with their own key: they have no Slack account, or Slack is not used. */
export function withoutSlack({ people, slack: app }: Pick<NewInstallation, 'people' | 'slack'>): readonly NewPerson[] {
  return people.filter(({ slack }) => slack === undefined || app === undefined);
}

/** `keyOf` returns a person's key, as its file or its text; undefined if they need none. */
function rosterOf(people: readonly NewPerson[], keyOf: (person: NewPerson) => string | undefined): object {
  return {
    people: people.map((person) => {
      const key = keyOf(person);
      return {
        id: person.id,
        name: person.name,
        ...(person.slack !== undefined && { slack: [person.slack] }),
        ...(key !== undefined && { keys: [key] }),
      };
    }),
    groups: { oncall: people.map(({ id }) => id), leads: people.map(({ id }) => id) },
  };
}

/** A sensor that is silent on a node raises an alert: it is watched if its DaemonSet is known. */
function sensorsOf(sensors: readonly SightedSensor[]): object {
  return Object.fromEntries(sensors.map(({ sensor, namespace, name }) => [sensor, { daemonSet: { namespace, name } }]));
}

function firebreakYaml(wanted: NewInstallation): string {
  const { cluster, temporal, kubeconfig, context, people, mode = firstMode, sensors, slack } = wanted;
  const haveKeys = withoutSlack(wanted);
  const config = {
    cluster,
    temporal: { address: temporal },
    ...(kubeconfig !== undefined && { kubernetes: { kubeconfig, ...(context !== undefined && { context }) } }),
    response: { mode },
    intake: { tokens: [{ name: 'sensors', token: { file: tokenFile } }] },
    ...(sensors.length > 0 && { sensors: sensorsOf(sensors) }),
    roster: rosterOf(people, (person) => (haveKeys.includes(person) ? publicKeyFile(person) : undefined)),
    ...(slack && {
      slack: { mode: 'socket', ...slack, botToken: { file: 'slack-bot-token' }, appToken: { file: 'slack-app-token' } },
    }),
    status: { listen: { host: '127.0.0.1' } },
  };
  return yaml(
    config,
    `yaml-language-server: $schema=./${schemaFile}\nTo run Firebreak outside of the cluster, and for its command line. firebreak docs configuration prints every key.`,
  );
}

function chartValues(
  { cluster, temporal, installTemporal, people, mode = firstMode, sensors, slack, apiServerPort }: NewInstallation,
  publicKeys: Readonly<Record<string, string>>,
): string {
  // No pod can reach what runs on this machine.
  const ofChart = installTemporal || isOnThisMachine(temporal);
  const values = {
    profile: 'single',
    ...(ofChart && { temporal: { install: true } }),
    config: {
      cluster,
      ...(!ofChart && { temporal: { address: temporal } }),
      response: { mode },
      intake: { tokens: [{ name: 'sensors', token: { file: '/etc/firebreak/secrets/alerts/token' } }] },
      ...(sensors.length > 0 && { sensors: sensorsOf(sensors) }),
      // The keys themselves, because no file of this folder is in the pod.
      roster: rosterOf(people, ({ id }) => publicKeys[id]),
      ...(slack && {
        slack: {
          mode: 'socket',
          ...slack,
          botToken: { file: '/etc/firebreak/secrets/slack/bot-token' },
          appToken: { file: '/etc/firebreak/secrets/slack/app-token' },
        },
      }),
    },
    // Ports that the chart opens anyway are left out.
    ...(apiServerPort !== undefined && ![443, 6443].includes(apiServerPort) && { networkPolicy: { apiServerPort } }),
    secretFiles: [
      { name: 'alerts', secret: 'firebreak-alerts', roles: ['cell'] },
      ...(slack ? [{ name: 'slack', secret: 'firebreak-slack', roles: ['desk'] }] : []),
    ],
  };
  return yaml(
    values,
    'Values of the chart deploy/helm/firebreak: all roles in one pod. `profile: cluster` needs a bucket as well, see firebreak docs install.\nThe image is yours: image.repository and image.digest.',
  );
}

function secretManifest(token: string): string {
  const metadata = { name: 'firebreak-alerts', namespace: usualNamespace };
  return stringify({ apiVersion: 'v1', kind: 'Secret', metadata, type: 'Opaque', stringData: { token } });
}

function falcoValues(token: string): string {
  const falco = {
    json_output: true,
    json_include_output_property: true,
    json_include_output_fields_property: true,
    json_include_tags_property: true,
    http_output: { enabled: true, url: `${inCluster}/v1/alerts/falco/${token}`, keep_alive: true },
    append_output: [{ match: { source: 'syscall' }, extra_fields: ['k8s.pod.uid'] }],
  };
  return yaml(
    { falco },
    'Values of the chart falcosecurity/falco, where Falco sends itself. firebreak docs sensors/falco says what is lost when.',
  );
}

function falcosidekickValues(token: string): string {
  const webhook = {
    address: `${inCluster}/v1/alerts/falcosidekick`,
    method: 'POST',
    customHeaders: `Authorization:Bearer ${token}`,
    minimumpriority: 'notice',
  };
  return yaml(
    { config: { webhook } },
    'Values of the chart falcosecurity/falcosidekick (below `falcosidekick.` in falcosecurity/falco). Use this or falco-values.yaml, not both.',
  );
}
