import { checkContainment } from '../action/containment-check.ts';
import type { GuardrailRules } from '../action/guardrail.ts';
import type { AuditRecord } from '../audit/audit.ts';
import { subjectOfIncident } from '../incident/incident.ts';
import { incidentOfChain } from '../incident/similar.ts';
import { compareTexts } from '../text/plain-json.ts';
import { type AssessedAlert, assessedAlertsIn, strongestByPod } from './assessed-alerts.ts';
import type { Mode, Profile } from './response.ts';
import { type Advice, adviceFor, snippetFor, type WouldHaveCounts } from './would-have-advice.ts';

export const wouldHaveKinds = [
  'incident.opened',
  'alert.joined',
  'playbook.started',
  'incident.verdict',
  'question.decided',
] as const;

/** What people said of an incident. `open`: nobody has. */
export type Judged = 'right' | 'wrong' | 'open';

/** A pod, or another subject of an incident, that mode `contain` would have done more about. */
export interface WouldHave {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly incident: string;
  readonly cluster: string;
  readonly namespace: string | null;
  readonly pod: string | null;
  readonly rule: string;
  /** `held back`: the guardrails would have refused to contain it, and people would have been asked. */
  readonly would: 'contain' | 'held back' | 'ask';
  readonly pages: boolean;
  readonly mode: Mode;
  readonly profile: Profile;
  readonly scope: string;
  readonly reasons: readonly string[];
  readonly judged: Judged;
}

interface WouldHaveRow extends WouldHaveCounts {
  readonly scope: string;
  readonly heldBack: number;
  readonly ask: number;
  readonly pages: number;
  readonly advice: Advice;
}

export interface WouldHaveReport {
  readonly since: string;
  readonly until: string;
  readonly rows: readonly WouldHaveRow[];
  /** Newest first. */
  readonly decisions: readonly WouldHave[];
  /** For the configuration. Null: the numbers call for no change. */
  readonly snippet: string | null;
}

interface Told {
  readonly alerts: (AssessedAlert & { readonly at: string })[];
  /** Subjects of the playbooks that may contain a pod. */
  readonly containable: Set<string>;
  answered: boolean;
  verdict: Judged;
}

interface Judging {
  /** Ids of the playbooks that may contain a pod. */
  readonly containing: ReadonlySet<string>;
  readonly rules: GuardrailRules;
  readonly capWindowMinutes: number;
}

/** What mode `contain` would have done about the incidents of modes `observe` and `ask`, by their records. */
export class WouldHaveRecords {
  readonly #told = new Map<string, Told>();
  readonly #judging: Judging;

  constructor(judging: Judging) {
    this.#judging = judging;
  }

  /** @param record proven, in the order of time */
  add({ kind, chain, at, actor, body }: AuditRecord): void {
    const told = this.#told.get(chain) ?? { alerts: [], containable: new Set(), answered: false, verdict: 'open' };
    this.#told.set(chain, told);
    if (kind === 'incident.opened' || kind === 'alert.joined')
      told.alerts.push(...assessedAlertsIn(body).map((alert) => ({ ...alert, at })));
    if (kind === 'playbook.started' && this.#judging.containing.has(actor.replace(/^playbook\//, '')))
      told.containable.add(String(body.subject));
    if (kind === 'question.decided') told.answered = true;
    if (kind === 'incident.verdict') told.verdict = judgedBy(body, told.verdict);
  }

  /** @param period.since milliseconds since 1970; `until` is exclusive */
  report(
    { since, until }: { readonly since: number; readonly until: number },
    isShown: (namespace: string | null) => boolean = () => true,
  ): WouldHaveReport {
    const all = [...this.#told].flatMap(([chain, told]) => decisionsOf(chain, told));
    const decisions = withGuardrails(all, this.#judging).filter(({ namespace }) => isShown(namespace));
    const days = (until - since) / 86_400_000;
    const groups = Map.groupBy(decisions, (one) => JSON.stringify([one.cluster, one.namespace, one.mode, one.scope]));
    const rows = [...groups.values()]
      .map((ones) => rowOf(ones, days))
      .sort((a, b) => b.contain - a.contain || b.ask - a.ask || compareTexts(a.namespace ?? '', b.namespace ?? ''));
    return {
      since: new Date(since).toISOString(),
      until: new Date(until).toISOString(),
      rows,
      decisions: decisions.toReversed(),
      snippet: snippetFor(rows),
    };
  }
}

/** `benign` counts only with the question whose answer said so. */
function judgedBy({ incident, question }: AuditRecord['body'], before: Judged): Judged {
  if (incident === 'true_positive' || incident === 'suspicious') return 'right';
  return incident === 'benign' && typeof question === 'string' ? 'wrong' : before;
}

interface Decided extends WouldHave {
  readonly alert: AssessedAlert;
}

function decisionsOf(chain: string, { alerts, containable, answered, verdict }: Told): readonly Decided[] {
  const incident = incidentOfChain(chain)?.id ?? chain;
  const subject = subjectOfIncident(incident);
  const held = alerts.filter(({ assessment }) => assessment.mode !== 'contain');
  return strongestByPod(held).flatMap((alert) => {
    const { pod, rule, assessment, doubt } = alert;
    const { would, wouldPage, mode, profile, scope, reasons } = assessment;
    if (would !== 'contain' && would !== 'ask') return [];
    const mayContain = pod?.uid !== undefined && doubt === undefined && containable.has(`pod:${pod.uid}`);
    return [
      {
        ...{ alert, incident, rule, mode, profile, scope, reasons },
        at: held.find((one) => one.id === alert.id)?.at ?? '',
        cluster: subject?.cluster ?? '',
        namespace: pod?.namespace ?? (subject?.kind === 'workload' ? subject.namespace : null),
        pod: pod?.name ?? null,
        would: would === 'contain' && mayContain ? ('contain' as const) : ('ask' as const),
        pages: would === 'contain' ? !mayContain : wouldPage,
        // A playbook may say “attack” without people: only an answer makes it their judgement.
        judged: answered ? verdict : ('open' as const),
      },
    ];
  });
}

/** What the guardrails would have refused, with what would have been contained by then. */
function withGuardrails(all: readonly Decided[], { rules, capWindowMinutes }: Judging): readonly WouldHave[] {
  const contained: Decided[] = [];
  return all
    .toSorted((a, b) => compareTexts(a.at, b.at))
    .map((one) => {
      const { alert, ...told } = one;
      if (told.would !== 'contain' || !alert.pod) return told;
      const from = Date.parse(one.at) - capWindowMinutes * 60_000;
      const recent = contained.filter(({ at, cluster }) => cluster === one.cluster && Date.parse(at) >= from);
      const counts = {
        owner: recent.filter(({ incident }) => incident === one.incident).length,
        namespace: recent.filter(({ namespace }) => namespace === one.namespace).length,
        cluster: recent.length,
      };
      const answer = checkContainment(rules, { alert, pod: alert.pod, counts });
      if (!answer.ok) return { ...told, would: 'held back' as const, pages: true, reasons: [answer.reason, ...told.reasons] };
      contained.push(one);
      return told;
    });
}

function rowOf(ones: readonly WouldHave[], days: number): WouldHaveRow {
  const [first] = ones;
  if (!first) throw new TypeError('a row without a decision');
  const contained = ones.filter(({ would }) => would === 'contain');
  const judged = (as: Judged): number => contained.filter((one) => one.judged === as).length;
  const byDay = [...Map.groupBy(ones, ({ at }) => at.slice(0, 10)).values()];
  const { cluster, namespace, mode, scope } = first;
  const row = {
    ...{ cluster, namespace, mode, scope, contain: contained.length },
    ...{ right: judged('right'), wrong: judged('wrong'), open: judged('open') },
    heldBack: ones.filter(({ would }) => would === 'held back').length,
    ask: ones.filter(({ would }) => would === 'ask').length,
    pages: ones.filter(({ pages }) => pages).length,
    mostADay: Math.max(...byDay.map(({ length }) => length)),
  };
  return { ...row, advice: adviceFor(row, days) };
}
