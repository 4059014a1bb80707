import { incidentIdOf } from '../../../core/incident/incident.ts';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import { connect } from '../../../service/commands/session.ts';
import { incidentState, type Session } from '../../../service/incidents/session.ts';
import type { KubernetesServer } from '../../../tools/platform/kubernetes/kubernetes-api.ts';
import type { GithubFake } from '../../fakes/github/server.ts';
import type { Delivery, FakeMessage, SlackEmulator } from '../../fakes/slack/index.ts';
import { type Posted, postAlerts } from '../../platform/e2e/parts/alerts.ts';
import { isAbout, podOf, until, type Workload, WorkloadMaker } from '../../platform/e2e/parts/cluster.ts';
import { type Effect, type EffectKind, Effects } from '../../platform/e2e/parts/effects.ts';
import { isCard } from '../../platform/e2e/parts/service.ts';

interface SiteOptions {
  readonly cluster: string;
  readonly kubernetes: KubernetesServer;
  readonly slack: SlackEmulator;
  readonly github: GithubFake;
  /** URLs of its intakes; a sensor sends to the next if one does not answer. */
  readonly intakeUrls: readonly string[];
  readonly token: string;
  /** Configuration of one of its cells, for connecting from the command line. */
  readonly configFile: string;
}

/** One cluster seen from outside: its API server's objects, what was said in Slack, the tickets. */
export class Site {
  readonly cluster: string;
  readonly effects: Effects;
  readonly workloads: WorkloadMaker;
  readonly slack: SlackEmulator;
  /** Number of distinct alerts that an intake has answered with 200, by workload. */
  readonly accepted = new Map<Workload, number>();
  readonly #options: SiteOptions;
  #session: Promise<Session> | undefined;
  #turn = 0;

  constructor(options: SiteOptions) {
    const { cluster, kubernetes, slack } = options;
    this.#options = options;
    this.cluster = cluster;
    this.slack = slack;
    this.effects = new Effects({ auditLog: kubernetes.auditLog, kubeconfig: kubernetes.kubeconfig });
    this.workloads = new WorkloadMaker(kubernetes.kubeconfig);
  }

  /** As a sensor's forwarder does: to the next intake, repeatedly, until one has answered 200. */
  async send(workload: Workload, alert: object): Promise<void> {
    await until(`an intake of ${this.cluster} that takes an alert`, 120_000, async () => {
      const { status } = await this.#postToNext(alert);
      if (status === 200) return true;
      await new Promise((done) => setTimeout(done, 100));
      return false;
    });
    this.accepted.set(workload, (this.accepted.get(workload) ?? 0) + 1);
  }

  #postToNext(alert: object): Promise<Posted> {
    const { intakeUrls, token } = this.#options;
    this.#turn += 1;
    return postAlerts(intakeUrls[this.#turn % intakeUrls.length] ?? '', token, [alert]);
  }

  async contained(workload: Workload): Promise<Effect> {
    return this.effect('contain', workload);
  }

  async effect(kind: EffectKind, workload: Workload): Promise<Effect> {
    return until(`${kind} of ${workload.name} in ${this.cluster}`, 120_000, () => this.effects.of(kind, podOf(workload))[0]);
  }

  /** The cards with this workload's question. */
  cards({ pod }: Workload): readonly FakeMessage[] {
    return this.slack.world.messages.filter(
      (message) => message.ephemeralFor === undefined && JSON.stringify(message.blocks ?? []).includes(pod) && isCard(message),
    );
  }

  /** A person clicks on the question of this workload. */
  async click(workload: Workload, user: string, label: string): Promise<Delivery> {
    const { channel, ts } = await until(`the card of ${workload.name}`, 300_000, () => this.cards(workload)[0]);
    return this.slack.click({ user, channel, ts, buttonText: label });
  }

  ticketsOf(workload: Workload): number {
    return this.#options.github.store.all().filter((ticket) => isAbout(ticket, workload)).length;
  }

  /** Waits until the incident's state fits; a failure reports the current state. */
  async stateWhen(what: string, workload: Workload, fits: (state: IncidentState) => boolean): Promise<IncidentState> {
    this.#session ??= connect({ config: this.#options.configFile });
    const session = await this.#session;
    const { namespace, name } = workload;
    const id = incidentIdOf({ kind: 'workload', cluster: this.cluster, namespace, ownerKind: 'Deployment', name });
    let last: IncidentState | undefined;
    try {
      return await until(`${what} of ${name}`, 120_000, async () => {
        last = (await incidentState(session, { id }).catch(() => undefined)) ?? last;
        return last && fits(last) && last;
      });
    } catch (error) {
      const words = last?.timeline.map(({ at, kind, text }) => `${at.slice(11, 23)} ${kind}: ${text}`).join('\n');
      throw new Error(`${String(error)}\n${id}: ${last?.total} alerts\n${words ?? 'the incident does not answer'}`);
    }
  }

  async stop(): Promise<void> {
    await (await this.#session)?.close();
    this.effects.stop();
  }
}
