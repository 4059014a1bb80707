import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePorts } from '../platform/ports.ts';

/** The people of the demo: who is on call, who leads, and somebody who may decide nothing. */
export const people = [
  { id: 'ada', name: 'Ada Byron', slack: 'U0ADA', title: 'on call' },
  { id: 'grace', name: 'Grace Murray', slack: 'U0GRACE', title: 'on call' },
  { id: 'margaret', name: 'Margaret Heafield', slack: 'U0MARGARET', title: 'lead' },
] as const;

const stranger = { id: 'U0TOM', name: 'tom', realName: 'Tom Riddle', title: 'not on the roster' };

/** What the stand-ins for Slack and GitHub are started with: a file, since it holds their secrets. */
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
}

export interface DemoSettings {
  /** Folder of configuration, keys, records, evidence and logs. */
  readonly folder: string;
  readonly configFile: string;
  readonly standInFile: string;
  readonly standIns: StandInSettings;
  readonly falcoToken: string;
  readonly intakeUrl: string;
  readonly deskUrl: string;
  readonly channel: string;
}

export interface DemoSettingsOptions {
  readonly folder: string;
  readonly cluster: string;
  readonly temporal: { readonly address: string; readonly namespace: string };
  readonly kubeconfig: string;
}

/** Writes what an administrator would: `firebreak.yaml`, and each secret in a file of its own. */
export async function writeSettings(options: DemoSettingsOptions): Promise<DemoSettings> {
  const { folder, cluster, temporal, kubeconfig } = options;
  const secrets = join(folder, 'secrets');
  mkdirSync(secrets, { recursive: true, mode: 0o700 });
  const secret = (name: string, value: string) => {
    writeFileSync(join(secrets, name), `${value}\n`, { mode: 0o600 });
    return { file: `secrets/${name}` };
  };
  const ports = await freePorts({ names: ['intake', 'desk', 'slack', 'github'] });
  const random = (): string => randomBytes(20).toString('hex');
  const url = (port: number): string => `http://127.0.0.1:${port}`;
  const channel = { id: 'C0INCIDENTS', name: 'incidents', topic: 'What Firebreak does, and what it asks' };
  const falcoToken = random();
  const standIns: StandInSettings = {
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
  };
  const config = {
    cluster,
    stateDir: 'state',
    temporal,
    kubernetes: { kubeconfig },
    watch: { namespaces: ['shop'] },
    // Short, so that the end can be watched: an incident with nothing left to do waits that long for further alerts.
    incidents: { lingerSeconds: 3 },
    intake: { listen: { port: ports.intake }, tokens: [{ name: 'falco', token: secret('falco-token', falcoToken) }] },
    desk: { listen: { port: ports.desk } },
    roster: {
      people: people.map(({ id, name, slack }) => ({ id, name, slack: [slack] })),
      groups: { oncall: ['ada', 'grace'], leads: ['margaret'] },
    },
    slack: {
      appId: standIns.slack.appId,
      teamId: standIns.slack.teamId,
      channel: channel.id,
      botToken: secret('slack-bot-token', standIns.slack.botToken),
      signingSecrets: [secret('slack-signing-secret', standIns.slack.signingSecret)],
      apiUrl: `${url(ports.slack)}/api/`,
    },
    tickets: {
      github: {
        repository: standIns.github.repository,
        token: secret('github-token', standIns.github.token),
        apiUrl: url(ports.github),
      },
    },
    audit: { everySeconds: 2 },
  };
  const configFile = join(folder, 'firebreak.yaml');
  const standInFile = join(secrets, 'stand-ins.json');
  writeFileSync(configFile, `# Written by \`firebreak demo\`.\n${stringify(config)}`, { mode: 0o600 });
  writeFileSync(standInFile, JSON.stringify(standIns), { mode: 0o600 });
  return {
    folder,
    configFile,
    standInFile,
    standIns,
    falcoToken,
    intakeUrl: url(ports.intake),
    deskUrl: url(ports.desk),
    channel: channel.id,
  };
}
