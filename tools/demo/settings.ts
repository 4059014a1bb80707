import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePorts } from '../platform/ports.ts';

/** The people of the demo: one on call, one who leads, and one who may decide nothing. */
export const people = [
  { id: 'ada', name: 'Ada Byron', slack: 'U0ADA', title: 'on call' },
  { id: 'grace', name: 'Grace Murray', slack: 'U0GRACE', title: 'on call' },
  { id: 'margaret', name: 'Margaret Heafield', slack: 'U0MARGARET', title: 'lead' },
] as const;

const stranger = { id: 'U0TOM', name: 'tom', realName: 'Tom Riddle', title: 'not on the roster' };

/** Settings of the stand-ins for Slack and GitHub, passed in a file since they contain secrets. */
export interface StandInSettings {
  readonly slack: {
    readonly port: number;
    readonly signingSecret: string;
    readonly botToken: string;
    readonly appId: string;
    readonly teamId: string;
    readonly users: readonly { readonly id: string; readonly name: string; readonly realName: string; readonly title: string }[];
    readonly channels: readonly { readonly id: string; readonly name: string; readonly topic: string }[];
    readonly interactionsUrl: string;
  };
  readonly github: { readonly port: number; readonly repository: string; readonly token: string };
  /** An identity provider that lets anyone at the browser choose which of these people they are. Absent: no console. */
  readonly identity?: {
    readonly port: number;
    readonly clientId: string;
    readonly redirectUri: string;
    readonly people: readonly { readonly subject: string; readonly name: string; readonly groups: readonly string[] }[];
  };
}

export interface DemoSettings {
  /** Folder with configuration, keys, records, evidence and logs. */
  readonly folder: string;
  readonly configFile: string;
  readonly standIns: StandInSettings;
  readonly falcoToken: string;
  readonly intakeUrl: string;
  readonly deskUrl: string;
  /** Absent: there is no console. */
  readonly consoleUrl?: string;
  readonly channel: string;
}

interface DemoSettingsOptions {
  readonly folder: string;
  readonly standIns: StandIns;
  readonly cluster: string;
  readonly temporal: { readonly address: string; readonly namespace: string };
  readonly kubeconfig: string;
}

/** The stand-ins, and the ports of everything except the platform: they are known before it runs. */
export interface StandIns {
  readonly settings: StandInSettings;
  readonly file: string;
  readonly intakePort: number;
  readonly deskPort: number;
}

const random = (): string => randomBytes(20).toString('hex');
const url = (port: number): string => `http://127.0.0.1:${port}`;
const channel = { id: 'C0INCIDENTS', name: 'incidents', topic: 'What Firebreak does, and what it asks' };

function secretsFolder(folder: string): string {
  const secrets = join(folder, 'secrets');
  mkdirSync(secrets, { recursive: true, mode: 0o700 });
  return secrets;
}

const subjectOf = (id: string): string => `sub-${id}`;

/** Writes the settings of the stand-ins; with an identity provider if the desk is to have a console. */
export async function writeStandIns(folder: string, { console = false } = {}): Promise<StandIns> {
  const ports = await freePorts({ names: ['intake', 'desk', 'slack', 'github', 'identity'] });
  const settings: StandInSettings = {
    slack: {
      port: ports.slack,
      signingSecret: random(),
      botToken: `xoxb-demo-${random()}`,
      appId: 'A0FIREBREAK',
      teamId: 'T0ACME',
      users: [...people.map(({ slack, id, name, title }) => ({ id: slack, name: id, realName: name, title })), stranger],
      channels: [channel],
      interactionsUrl: `${url(ports.desk)}/slack/events`,
    },
    github: { port: ports.github, repository: 'acme/incidents', token: `demo-${random()}` },
    ...(console && {
      identity: {
        port: ports.identity,
        clientId: 'firebreak',
        redirectUri: `${url(ports.desk)}/sign-in/callback`,
        people: people.map(({ id, name, title }) => ({
          subject: subjectOf(id),
          name: `${name}, ${title}`,
          groups: ['response'],
        })),
      },
    }),
  };
  const file = join(secretsFolder(folder), 'stand-ins.json');
  writeFileSync(file, JSON.stringify(settings), { mode: 0o600 });
  return { settings, file, intakePort: ports.intake, deskPort: ports.desk };
}

/** Writes what an administrator would: `firebreak.yaml`, and each secret in its own file. */
export function writeSettings(options: DemoSettingsOptions): DemoSettings {
  const { folder, cluster, temporal, kubeconfig } = options;
  const { settings: standIns, intakePort, deskPort } = options.standIns;
  const secrets = secretsFolder(folder);
  const secret = (name: string, value: string) => {
    writeFileSync(join(secrets, name), `${value}\n`, { mode: 0o600 });
    return { file: `secrets/${name}` };
  };
  const falcoToken = random();
  const { identity } = standIns;
  const config = {
    cluster,
    stateDir: 'state',
    temporal,
    kubernetes: { kubeconfig },
    watch: { namespaces: ['shop'] },
    response: { mode: 'contain' },
    // Short, so that the end can be watched: an incident with nothing left to do waits that long for further alerts.
    incidents: { lingerSeconds: 3 },
    intake: { listen: { port: intakePort }, tokens: [{ name: 'falco', token: secret('falco-token', falcoToken) }] },
    desk: { listen: { port: deskPort } },
    roster: {
      people: people.map(({ id, name, slack }) => ({ id, name, slack: [slack], ...(identity && { subject: subjectOf(id) }) })),
      groups: { oncall: ['ada', 'grace'], leads: ['margaret'] },
    },
    slack: {
      appId: standIns.slack.appId,
      teamId: standIns.slack.teamId,
      channel: channel.id,
      botToken: secret('slack-bot-token', standIns.slack.botToken),
      signingSecrets: [secret('slack-signing-secret', standIns.slack.signingSecret)],
      apiUrl: `${url(standIns.slack.port)}/api/`,
    },
    tickets: {
      github: {
        repository: standIns.github.repository,
        token: secret('github-token', standIns.github.token),
        apiUrl: url(standIns.github.port),
      },
    },
    audit: { everySeconds: 2 },
    ...(identity && {
      // Votes in Slack are enough for what the demo does: the provider is only for the console.
      stepUp: { issuer: url(identity.port), clientId: identity.clientId, publicUrl: url(deskPort), reaches: ['cluster'] },
      console: { roles: { approver: ['response'], auditor: ['response'] } },
    }),
  };
  const configFile = join(folder, 'firebreak.yaml');
  writeFileSync(configFile, `# Written by \`firebreak demo\`.\n${stringify(config)}`, { mode: 0o600 });
  return {
    folder,
    configFile,
    standIns,
    falcoToken,
    intakeUrl: url(intakePort),
    deskUrl: url(deskPort),
    ...(identity && { consoleUrl: `${url(deskPort)}/console/` }),
    channel: channel.id,
  };
}
