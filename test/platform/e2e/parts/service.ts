import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection, WorkflowNotFoundError } from '@temporalio/client';
import { parse, stringify } from 'yaml';
import type { AuditRecord } from '../../../../core/audit/audit.ts';
import { incidentIdOf } from '../../../../core/incident/incident.ts';
import type { IncidentState } from '../../../../core/incident/incident-state.ts';
import { createAuditStore } from '../../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../../integrations/database/database.ts';
import { connect } from '../../../../service/commands/session.ts';
import { incidentState, type Session } from '../../../../service/incidents/session.ts';
import { serviceNodeFlags } from '../../../../service/launcher/node-flags.mjs';
import { startService } from '../../../../tools/demo/processes.ts';
import { type DemoSettings, writeSettings, writeStandIns } from '../../../../tools/demo/settings.ts';
import { type RunningServer, ServerGroup } from '../../../../tools/platform/server-group.ts';
import { ensureBuilt } from '../../../../tools/setup/build.mjs';
import { type GithubFake, startGithubFake } from '../../../fakes/github/server.ts';
import { type Delivery, type FakeMessage, patience, type SlackEmulator, startSlackEmulator } from '../../../fakes/slack/index.ts';
import type { FakeView } from '../../../fakes/slack/world.ts';
import { type AlertOptions, alertAbout, type Posted, postAlerts, type Sample } from './alerts.ts';
import { isAbout, podOf, until, type Workload, WorkloadMaker } from './cluster.ts';
import { type Effect, type EffectKind, Effects } from './effects.ts';
import { builtProgram, type Changes, compiled, copyProgram } from './program.ts';

export interface Servers {
  readonly temporalAddress: string;
  readonly temporalNamespace: string;
  readonly kubeconfig: string;
  readonly auditLog: string;
}

/** A process that runs next to the service. */
export interface SecondProcess {
  readonly configFile: string;
  log(): string;
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<unknown>;
}

export const labels = { release: 'Yes: release pod', remove: 'No: rotate secrets and delete pod' } as const;
export const ana = 'U0ADA';
export const ben = 'U0GRACE';

const others = [
  { id: 'U0ROBOT', name: 'robot', realName: 'Robot', title: 'a bot', isBot: true },
  { id: 'U0OTTO', name: 'otto', realName: 'Otto', title: 'on the roster, but asked nothing' },
];

/**
 * The whole service as people run it: `firebreak run` as a separate process, on real servers, with Slack and GitHub simulated in this process. Can be killed
 * and started again on the same folder, as after a crash.
 */
export class Service {
  readonly settings: DemoSettings;
  readonly slack: SlackEmulator;
  readonly github: GithubFake;
  readonly effects: Effects;
  readonly workloads: WorkloadMaker;
  readonly cluster: string;
  readonly folder: string;
  /** Folder of a pack that it watches from its next start on. */
  watched: string | undefined;
  readonly #group = new ServerGroup();
  readonly #servers: Servers;
  #program: string;
  #programs = 0;
  #process: RunningServer | undefined;
  #roles: string | undefined;
  #session: Session | undefined;

  private constructor(parts: {
    readonly settings: DemoSettings;
    readonly slack: SlackEmulator;
    readonly github: GithubFake;
    readonly servers: Servers;
    readonly cluster: string;
    readonly folder: string;
  }) {
    this.settings = parts.settings;
    this.slack = parts.slack;
    this.github = parts.github;
    this.cluster = parts.cluster;
    this.folder = parts.folder;
    this.#servers = parts.servers;
    this.effects = new Effects(parts.servers);
    this.workloads = new WorkloadMaker(parts.servers.kubeconfig);
    this.#program = builtProgram(join(parts.folder, 'program-0'));
  }

  /** Writes its configuration and simulates its surroundings; `start` runs it. */
  static async create(
    servers: Servers,
    change: (config: Record<string, unknown>) => void = () => {},
    /** If set, Slack is connected by Socket Mode, with this token. */
    appToken?: string,
  ): Promise<Service> {
    // `npm test` has built already. A file that runs alone would otherwise test an old build.
    if (process.env.FIREBREAK_TEST_PLATFORM === undefined) await ensureBuilt({ node: process.execPath });
    const folder = mkdtempSync(join(tmpdir(), 'firebreak-e2e-'));
    const cluster = `e2e-${randomBytes(3).toString('hex')}`;
    const home = join(folder, 'home');
    mkdirSync(home);
    const temporal = { address: servers.temporalAddress, namespace: servers.temporalNamespace };
    const standIns = await writeStandIns(home);
    const settings = writeSettings({ folder: home, standIns, cluster, temporal, kubeconfig: servers.kubeconfig });
    const config: Record<string, unknown> = parse(readFileSync(settings.configFile, 'utf8'));
    config.watch = {};
    // All files share one cluster.
    config.guardrails = { clusterCap: 1_000 };
    const { slack, github } = settings.standIns;
    if (appToken !== undefined) {
      const { signingSecrets: _, ...rest } = config.slack as Record<string, unknown>;
      writeFileSync(join(home, 'secrets', 'slack-app-token'), appToken, { mode: 0o600 });
      config.slack = { ...rest, mode: 'socket', appToken: { file: 'secrets/slack-app-token' } };
    }
    change(config);
    writeFileSync(settings.configFile, stringify(config));
    return new Service({
      settings,
      slack: await startSlackEmulator({
        ...slack,
        ...patience,
        users: [...slack.users, ...others],
        ...(appToken !== undefined && { appToken }),
      }),
      github: await startGithubFake({ ...github, private: true, push: true }),
      servers,
      cluster,
      folder,
    });
  }

  /** From now on runs another build, whose workflows differ. */
  changeProgram(changes: Changes, workflows?: Uint8Array): void {
    this.#programs += 1;
    this.#program = copyProgram(join(this.folder, `program-${this.#programs}`), changes, workflows);
  }

  /** From the next start on, sets the clocks of its processes ahead by this much, so that no test waits for a shift to end. */
  setClocksAhead(ms: number): void {
    this.changeProgram({}, readFileSync(join(this.#program, 'dist', 'workflows.bundle.js')));
    const cli = join(this.#program, 'dist', 'service', 'cli.js');
    const [shebang = '', ...lines] = readFileSync(cli, 'utf8').split('\n');
    const now = `Clock.now() + ${ms}`;
    const later = `class extends Clock { constructor(...of) { of.length ? super(...of) : super(${now}); } static now() { return ${now}; } }`;
    writeFileSync(cli, [shebang, `const Clock = Date; globalThis.Date = ${later};`, ...lines].join('\n'));
  }

  /** From the next start on it has only these roles. Other processes run the rest. */
  keepTo(roles: string): void {
    this.#roles = roles;
  }

  /** Starts another process of the same program, with a different configuration; resolves when it is at work. */
  async startProcess(options: {
    readonly name: string;
    readonly roles: string;
    readonly change: (config: Record<string, unknown>) => void;
  }): Promise<SecondProcess> {
    const { name, roles, change } = options;
    const config: Record<string, unknown> = parse(readFileSync(this.settings.configFile, 'utf8'));
    change(config);
    const configFile = join(this.settings.folder, `${name}.yaml`);
    writeFileSync(configFile, stringify(config), { mode: 0o600 });
    const logFile = join(this.settings.folder, `${name}.log`);
    const server = this.#group.start({
      name,
      command: process.execPath,
      args: [
        ...serviceNodeFlags,
        join(this.#program, 'dist', 'service', 'cli.js'),
        'run',
        '--role',
        roles,
        '--config',
        configFile,
      ],
      env: compiled(),
      logFile,
    });
    const log = (): string => readFileSync(logFile, 'utf8');
    await until(`${name} at work`, 120_000, () => {
      if (!server.isRunning()) throw new Error(`${name} has ended:\n${log()}`);
      return log().includes('ready: connected to Temporal');
    });
    return { configFile, log, end: (signal) => this.#group.end(server, signal) };
  }

  /** Resolves when intake and desk answer: the duration of a restart is measured from this moment. */
  async start(): Promise<number> {
    this.#process = await startService({
      group: this.#group,
      settings: this.settings,
      program: this.#program,
      env: compiled(),
      ...(this.#roles !== undefined && { roles: this.#roles }),
      ...(this.watched !== undefined && { watch: this.watched }),
    });
    return Date.now();
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#process?.isRunning() === true;
  }

  get log(): string {
    return readFileSync(join(this.settings.folder, 'firebreak.log'), 'utf8');
  }

  async kill(): Promise<void> {
    if (this.#process) await this.#group.end(this.#process, 'SIGKILL');
  }

  async killAfter(ms: number): Promise<void> {
    await sleep(ms);
    await this.kill();
  }

  /** Asks it to end. True if it ended by itself. */
  async end(): Promise<void> {
    if (this.#process) await this.#group.end(this.#process, 'SIGTERM');
  }

  async stop(): Promise<void> {
    await this.#session?.close();
    await this.kill();
    await this.#group.stop();
    // If the test has removed a server, there is nothing on it to clean up for the next file.
    await endWorkflows(this.#servers, this.cluster).catch(() => undefined);
    this.effects.stop();
    await Promise.all([this.slack.stop(), this.github.stop()]);
    if (process.env.FIREBREAK_KEEP_E2E === undefined) rmSync(this.folder, { recursive: true, force: true });
  }

  post(alerts: readonly object[]): Promise<Posted> {
    return postAlerts(this.settings.intakeUrl, this.settings.falcoToken, alerts);
  }

  /** Posts an alert of any sensor: which one, the intake sees. */
  postOfAny(alert: object): Promise<Posted> {
    return postAlerts(this.settings.intakeUrl, this.settings.falcoToken, [alert], '/v1/alerts');
  }

  alert(workload: Workload, sample: Sample = 'binary', options: AlertOptions = {}): Promise<Posted> {
    return this.post([alertAbout(workload, sample, options)]);
  }

  /** Connects like the command line: with the keys of the state directory. */
  async session(): Promise<Session> {
    this.#session ??= await connect({ config: this.settings.configFile });
    return this.#session;
  }

  incidentOf({ namespace, name }: Pick<Workload, 'namespace' | 'name'>): string {
    return incidentIdOf({ kind: 'workload', cluster: this.cluster, namespace, ownerKind: 'Deployment', name });
  }

  async state(workload: Workload): Promise<IncidentState | undefined> {
    return incidentState(await this.session(), { id: this.incidentOf(workload) }).catch(() => undefined);
  }

  /** Waits until the incident's state fits; the message of a failure includes the current state. */
  async stateWhen(
    what: string,
    workload: Workload,
    withinMs: number,
    fits: (state: IncidentState) => boolean,
  ): Promise<IncidentState> {
    let last: IncidentState | undefined;
    try {
      return await until(what, withinMs, async () => {
        last = (await this.state(workload)) ?? last;
        if (last && fits(last)) return last;
        await sleep(75);
        return undefined;
      });
    } catch (error) {
      const words = last?.timeline.map(({ at, kind, text }) => `${at.slice(11, 23)} ${kind}: ${text}`).join('\n');
      throw new Error(`${String(error)}\n${workload.name}:\n${words ?? 'the incident does not answer'}`);
    }
  }

  /** Waits until the cell knows the decisions above all incidents that it should, by their ids: it looks every few seconds, and logs what has changed. */
  cellKnows(holds: (ids: string) => boolean): Promise<boolean> {
    return until('the cell to know it', 120_000, () => {
      const changes = this.log.split('\n').filter((line) => line.includes('freezes, observe modes or suppressions have changed'));
      return changes.length > 0 && holds(changes.at(-1) ?? '');
    });
  }

  /** Waits for the label on its pod. */
  contained(workload: Workload, withinMs: number): Promise<Effect> {
    return this.effect('contain', workload, withinMs);
  }

  /** Waits for an effect on its pod; the message of a failure says what Firebreak did meanwhile. */
  async effect(kind: EffectKind, workload: Workload, withinMs: number): Promise<Effect> {
    try {
      return await until(`${kind} of ${workload.name}`, withinMs, () => this.effects.of(kind, podOf(workload))[0]);
    } catch (error) {
      throw new Error([String(error), ...(await this.#story(workload))].join('\n'));
    }
  }

  /** The timeline of its incident, and the last lines of the log about it. */
  async #story(workload: Workload): Promise<readonly string[]> {
    const timeline = (await this.state(workload))?.timeline.map(({ at, kind, text }) => `${at.slice(11, 23)} ${kind}: ${text}`);
    const logged = this.log.split('\n').filter((line) => line.includes(this.incidentOf(workload)) || !line.includes('incident/'));
    return [...(timeline ?? ['the incident does not answer']), ...logged.slice(-40)];
  }

  /** The cards with this workload's question. */
  cards({ pod }: Workload): readonly FakeMessage[] {
    return this.slack.world.messages.filter(
      (message) => message.ephemeralFor === undefined && JSON.stringify(message.blocks ?? []).includes(pod) && isCard(message),
    );
  }

  async cardOf(workload: Workload, withinMs = 60_000): Promise<FakeMessage> {
    try {
      return await until(`the card of ${workload.name}`, withinMs, () => this.cards(workload)[0]);
    } catch (error) {
      throw new Error([String(error), ...(await this.#story(workload))].join('\n'));
    }
  }

  /** A person clicks on the question of this workload. */
  async click(workload: Workload, user: string, label: string): Promise<Delivery> {
    const { channel, ts } = await this.cardOf(workload);
    return this.slack.click({ user, channel, ts, buttonText: label });
  }

  /** Does `done`, and returns the dialog that it opens for this person, which was not open before. */
  async dialogAfter(user: string, done: () => Promise<unknown>): Promise<FakeView> {
    const before = this.slack.world.openView(user)?.id;
    await done();
    return until('the dialog', 120_000, () => {
      const open = this.slack.world.openView(user);
      return open && open.id !== before ? open : undefined;
    });
  }

  /** Deletes its incident's run in Temporal, as if it had never existed. */
  async deleteRun(workload: Workload): Promise<void> {
    const { temporalAddress: address, temporalNamespace: namespace } = this.#servers;
    const connection = await Connection.connect({ address });
    try {
      const { workflow, workflowService } = new Client({ connection, namespace });
      const handle = workflow.getHandle(this.incidentOf(workload));
      const { runId } = await handle.describe();
      await workflowService.deleteWorkflowExecution({ namespace, workflowExecution: { workflowId: handle.workflowId, runId } });
      await until('its end', 120_000, () =>
        handle.describe().then(
          (now) => now.runId !== runId,
          (error: unknown) => error instanceof WorkflowNotFoundError,
        ),
      );
    } finally {
      await connection.close();
    }
  }

  ticketsOf(workload: Workload): number {
    return this.github.store.all().filter((ticket) => isAbout(ticket, workload)).length;
  }
}

/** Ends this cluster's open workflows, which would call the desk of the next file: desks in one Temporal namespace share a queue. */
async function endWorkflows({ temporalAddress, temporalNamespace }: Servers, cluster: string): Promise<void> {
  const connection = await Connection.connect({ address: temporalAddress });
  try {
    const { workflow } = new Client({ connection, namespace: temporalNamespace });
    for await (const { workflowId, runId } of workflow.list({ query: "ExecutionStatus = 'Running'" }))
      if (workflowId.split('/').includes(cluster))
        await workflow
          .getHandle(workflowId, runId)
          .terminate('the test is over')
          .catch(() => undefined);
  } finally {
    await connection.close();
  }
}

/** Records of the desk's own chain. */
export function deskRecords({ settings, cluster }: Pick<Service, 'settings' | 'cluster'>): Promise<readonly AuditRecord[]> {
  return withDatabase(settings, async (database) => {
    const { records } = await createAuditStore(database).storedChain(`desk/${cluster}`);
    return records.flatMap(({ signed }) => signed?.record ?? []);
  });
}

/** Whether the desk knows the id that Slack gave a dialog. Until then, the random id that the dialog carries has to suffice. */
export function knowsDialog({ settings }: Pick<Service, 'settings'>, viewId: string): Promise<boolean> {
  return withDatabase(settings, async (database) => {
    const rows = await database.all('SELECT modal_id FROM card_modals WHERE modal_json LIKE $1', [`%"${viewId}"%`]);
    return rows.length > 0;
  });
}

async function withDatabase<T>(
  { folder }: Service['settings'],
  work: (database: Awaited<ReturnType<typeof openDatabase>>) => Promise<T>,
): Promise<T> {
  const database = await openDatabase({ url: `sqlite:${join(folder, 'state', 'audit.db')}` });
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

/** Recognises a card by the key in its metadata: a question's id, rather than the start of a thread or a line in one. */
export function isCard({ metadata }: FakeMessage): boolean {
  return /^[0-9a-f]+-q$/.test(String(metadata?.event_payload.key));
}

/** Minimum, median, 95th percentile and maximum: `min 1, p50 2, p95 3, max 4 (n 5)`. */
export function spread(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
  return `min ${at(0)}, p50 ${at(0.5)}, p95 ${at(0.95)}, max ${at(1)} (n ${sorted.length})`;
}
