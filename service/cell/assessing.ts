import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Alert } from '../../core/alert/alert.ts';
import type { ResponsePolicy } from '../../core/assessment/assessment.ts';
import { Assessor } from '../../core/assessment/assessor.ts';
import { type CountedPod, HeldBack } from '../../core/assessment/held-back.ts';
import { policyFor } from '../../core/assessment/policy.ts';
import type { OwnConfidence } from '../../core/assessment/rule-confidence.ts';
import { type Baseline, factsIn, type PodFacts, PodStories } from '../../core/assessment/stories.ts';
import type { Level } from '../../core/decide/approval.ts';
import type { CellKey } from '../../core/messages/sealed.ts';
import type { ActiveRestraint, Restrainable } from '../../core/orders/restraint.ts';
import { answering } from '../../core/playbook/answering.ts';
import type { AnyPlaybook } from '../../core/playbook/playbook.ts';
import { systemErrorCode } from '../../core/system-error.ts';
import type { Box } from '../../integrations/crypto-box/box.ts';
import type { ClusterView } from '../../integrations/kubernetes/watch/cluster-view.ts';
import { replaceFile } from '../../integrations/replace-file.ts';
import type { Config } from '../config/load.ts';
import { type Logger, reasonOf } from '../process/log.ts';
import { type RulesConfig, rulesOf } from '../process/rules.ts';

const saveEveryMs = 10 * 60_000;
const purpose = 'firebreak.pod-stories';

/** Assesses the alerts of a cell, by what is known of their pods. What it has learned outlives a restart; whatever a crash loses is new again. */
export class CellAssessor {
  readonly #stories: PodStories;
  readonly #assessor: Assessor;
  readonly #parts: Parts;
  readonly #file: string;
  #timer: NodeJS.Timeout | undefined;
  #isChanged = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#file = join(parts.stateDir, 'pod-stories');
    this.#stories = new PodStories({ own: parts.own, ...(parts.baseline && { baseline: parts.baseline }) });
    this.#restore();
    this.#assessor = new Assessor({
      stories: this.#stories,
      policyOf: parts.policyOf,
      key: parts.cellKey,
      heldBack: parts.heldBack,
      // Set by the cell: the people of the roster whom the alert names.
      personOf: ({ actors }) => actors?.[0],
    });
  }

  assessed(alert: Alert, nowMs: number): Alert {
    this.#isChanged = true;
    const { pod } = alert;
    const { podsOf, isContained, isRollingOut, answeredHarmless, observedRelease } = this.#parts;
    const observed = pod?.uid === undefined ? undefined : observedRelease(pod.uid);
    const replicas = podsOf(alert);
    const answers = answeredHarmless(alert);
    return this.#assessor.assessed(alert, {
      nowMs,
      facts: {
        ...factsIn(alert),
        ...(replicas !== undefined && { replicas }),
        ...(isRollingOut(alert, nowMs) && { rolloutUnderWay: true }),
        ...(answers > 0 && { answeredHarmless: answers }),
        ...(pod?.uid !== undefined && isContained(pod.uid) && { contained: true }),
        ...(observed && { observed }),
      },
    });
  }

  /** People have not called these harmless: what was seen on their pods is new again everywhere. */
  unlearn(alerts: readonly Alert[]): void {
    for (const { pod, cluster } of alerts) if (pod) this.#stories.unlearn(pod, cluster);
    this.#isChanged = true;
  }

  start(): void {
    this.#timer = setInterval(() => void this.#save(), saveEveryMs).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#save();
  }

  async #save(): Promise<void> {
    if (!this.#isChanged) return;
    this.#isChanged = false;
    const { box, log } = this.#parts;
    try {
      // It contains names of programs, and so an attacker's words and people's secrets.
      const content = box.seal(
        Buffer.from(JSON.stringify({ stories: this.#stories.state(), counted: this.#parts.heldBack.state() })),
        purpose,
      );
      await replaceFile({ path: this.#file, content });
    } catch (error) {
      this.#isChanged = true;
      log.error({ reason: reasonOf(error) }, 'cannot store what is usual on pods: after a crash it would be new again');
    }
  }

  #restore(): void {
    const { box, log } = this.#parts;
    try {
      const { stories, counted } = JSON.parse(Buffer.from(box.open(readFileSync(this.#file), purpose)).toString());
      this.#stories.restore(stories);
      this.#parts.heldBack.restore(counted);
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT')
        log.error({ reason: reasonOf(error) }, 'cannot read what was usual on pods: all of it is new again, and more is cut off');
    }
  }
}

interface Parts {
  readonly stateDir: string;
  /** What the configuration says of rules. */
  readonly own: readonly OwnConfidence[];
  readonly baseline?: Baseline | undefined;
  readonly policyOf: (alert: Alert) => ResponsePolicy;
  /** Number of pods of the alert's workload, if known. */
  readonly podsOf: (alert: Alert) => number | undefined;
  readonly isContained: (uid: string) => boolean;
  /** Who has released the pod under observation. */
  readonly observedRelease: (uid: string) => PodFacts['observed'];
  /** Whether a rollout of the alert's workload is under way, in the pod's own revision. */
  readonly isRollingOut: (alert: Alert, nowMs: number) => boolean;
  /** How often people answered "harmless" for such alerts. */
  readonly answeredHarmless: (alert: Alert) => number;
  /** What mode `contain` would not contain either. */
  readonly heldBack: HeldBack;
  readonly cellKey: CellKey;
  readonly box: Box;
  readonly log: Pick<Logger, 'error'>;
}

/** What the guardrails and the playbooks of this cell hold back. */
export function heldBackBy(
  config: RulesConfig,
  {
    playbooks,
    levels,
    podsOf,
    held,
    restraintOn,
  }: {
    readonly playbooks: readonly AnyPlaybook[];
    readonly levels: readonly Level[];
    readonly podsOf: (alert: Alert) => number | undefined;
    readonly held: () => readonly CountedPod[];
    readonly restraintOn: (step: Restrainable) => ActiveRestraint | undefined;
  },
): HeldBack {
  return new HeldBack({
    rules: rulesOf(config),
    windowMs: config.guardrails.capWindowMinutes * 60_000,
    playbooksOf: (alert) => answering(playbooks, alert),
    levels,
    podsOf,
    held,
    restraintOn: ({ pod }, playbook) => restraintOn({ namespaces: pod ? [pod.namespace] : [], playbook: playbook.id }),
  });
}

/** What the configuration says of each alert. */
export function policiesOf(
  { response, cluster }: Pick<Config, 'response' | 'cluster'>,
  { playbooks, view }: { readonly playbooks: readonly AnyPlaybook[]; readonly view: Pick<ClusterView, 'namespaceLabels'> },
): (alert: Alert) => ResponsePolicy {
  return (alert) => {
    const { pod, facts } = alert;
    return policyFor(response, {
      cluster,
      namespace: pod?.namespace,
      namespaceLabels: pod && view.namespaceLabels(pod.namespace),
      workloadLabels: facts?.labels,
      playbooks: answering(playbooks, alert).map(({ id }) => id),
    });
  };
}
