import type { AuditRecord } from '../audit/audit.ts';
import { subjectOfIncident } from '../incident/incident.ts';
import { incidentOfChain } from '../incident/similar.ts';
import { compareTexts } from '../text/plain-json.ts';
import { type AssessedAlert, assessedAlertsIn, strongestByPod } from './assessed-alerts.ts';
import type { Mode, Profile } from './response.ts';
import { type Advice, adviceFor, snippetFor, type WouldHaveCounts } from './would-have-advice.ts';

export const wouldHaveKinds = ['incident.opened', 'alert.joined', 'incident.verdict', 'question.decided'] as const;

/** What people said of an incident. `open`: nobody has. */
export type Judged = 'right' | 'wrong' | 'open';

/** A pod, or another subject of an incident, that mode `contain` would have done more about. */
export interface WouldHave {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly incident: string;
  /** Of its records. */
  readonly chain: string;
  readonly cluster: string;
  readonly namespace: string | null;
  readonly pod: string | null;
  readonly rule: string;
  /** `held back`: no playbook that answers may contain it, or the guardrails would have refused to. */
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
  answered: boolean;
  verdict: Judged;
}

/** What mode `contain` would have done about the incidents of modes `observe` and `ask`, by their records. */
export class WouldHaveRecords {
  readonly #told = new Map<string, Told>();

  /** @param record proven, in the order of time */
  add({ kind, chain, at, body }: AuditRecord): void {
    const told = this.#told.get(chain) ?? { alerts: [], answered: false, verdict: 'open' as const };
    this.#told.set(chain, told);
    if (kind === 'incident.opened' || kind === 'alert.joined')
      told.alerts.push(...assessedAlertsIn(body).map((alert) => ({ ...alert, at })));
    if (kind === 'question.decided') told.answered = true;
    if (kind === 'incident.verdict') told.verdict = judgedBy(body, told.verdict);
  }

  /** @param period.since milliseconds since 1970; `until` is exclusive */
  report(
    { since, until }: { readonly since: number; readonly until: number },
    isShown: (namespace: string | null) => boolean = () => true,
  ): WouldHaveReport {
    const decisions = [...this.#told]
      .flatMap(([chain, told]) => decisionsOf(chain, told))
      .filter(({ namespace }) => isShown(namespace))
      .toSorted((a, b) => compareTexts(a.at, b.at));
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

function decisionsOf(chain: string, { alerts, answered, verdict }: Told): readonly WouldHave[] {
  const incident = incidentOfChain(chain)?.id ?? chain;
  const subject = subjectOfIncident(incident);
  const held = alerts.filter(({ assessment }) => assessment.mode !== 'contain');
  return strongestByPod(held).flatMap((alert) => {
    const { pod, rule, assessment } = alert;
    const { would, wouldPage, heldBack, mode, profile, scope, reasons } = assessment;
    if (would !== 'contain' && would !== 'ask') return [];
    const isHeldBack = would === 'contain' && heldBack !== undefined;
    return [
      {
        ...{ incident, chain, rule, mode, profile, scope },
        reasons: isHeldBack ? [heldBack, ...reasons] : reasons,
        at: held.find((one) => one.id === alert.id)?.at ?? '',
        cluster: subject?.cluster ?? '',
        namespace: pod?.namespace ?? (subject?.kind === 'workload' ? subject.namespace : null),
        pod: pod?.name ?? null,
        would: isHeldBack ? ('held back' as const) : would,
        pages: isHeldBack || wouldPage,
        // A playbook may say “attack” without people: only an answer makes it their judgement.
        judged: answered ? verdict : ('open' as const),
      },
    ];
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
