import type { Alert } from '../alert/alert.ts';
import { type Severity, severities, worse } from '../alert/severity.ts';
import type { AuditRecord } from '../audit/audit.ts';
import { type Subject, subjectOfIncident, type Verdict } from '../incident/incident.ts';
import { workloadText } from '../orders/suppression.ts';
import type { Match } from './match.ts';
import { matchAlert } from './match-alert.ts';

interface TuneSample {
  readonly id: string;
  readonly time: string;
  readonly severity: Severity;
  readonly title: string;
  readonly incident: string;
}

/** How noisy a rule or a workload is. */
export interface Noise {
  readonly name: string;
  readonly alerts: number;
  readonly incidents: number;
  readonly benign: number;
  /** `true_positive` or `suspicious`. */
  readonly bad: number;
  /** Share of benign incidents among those that people or playbooks have judged; null if none was. */
  readonly falsePositiveRate: number | null;
}

type WorkloadName = Extract<Subject, { readonly kind: 'workload' }>;

interface ProposalBase {
  readonly rule: string;
  readonly why: string;
  /** The highest severity among the alerts that it would have hidden. */
  readonly upTo: Severity;
  /** Exactly the alerts in question: used in `not`, what a playbook no longer answers. */
  readonly match: Match;
  /** How many alerts it would have hidden, with samples of those whose text is on record. */
  readonly wouldHaveHidden: { readonly alerts: number; readonly atLeast: boolean; readonly samples: readonly TuneSample[] };
}

export type TuneProposal =
  | (ProposalBase & { readonly kind: 'suppression'; readonly workload: WorkloadName; readonly digest: string })
  | (ProposalBase & { readonly kind: 'playbook-condition'; readonly workloads: readonly string[]; readonly condition: string });

/** A rule of serious alerts that no playbook answers: people were asked what it was. */
interface UnansweredRule {
  readonly rule: string;
  /** The highest severity that they were asked about. */
  readonly upTo: Severity;
  readonly incidents: number;
  /** How many of these incidents were harmless, and how many were not. */
  readonly benign: number;
  readonly bad: number;
}

export interface TuneReport {
  readonly incidents: number;
  readonly alerts: number;
  /** Noisiest first. */
  readonly rules: readonly Noise[];
  readonly workloads: readonly Noise[];
  readonly proposals: readonly TuneProposal[];
  /** Rules for which a playbook is missing, those with the most incidents first. */
  readonly unanswered: readonly UnansweredRule[];
}

/** One incident, as its records show it. */
interface Judged {
  readonly subject: Subject;
  readonly verdict: Verdict;
  readonly rules: ReadonlyMap<string, { readonly count: number; readonly upTo: Severity }>;
  readonly samples: readonly Sample[];
  /** Rules that no playbook answered, with the worst severity of each. */
  readonly unanswered: ReadonlyMap<string, Severity>;
}

type Sample = TuneSample & { readonly rule: string; readonly digest?: string };

const mostSamples = 20;
const mostNamed = 20;

/**
 * Finds what is noisy, and what could be done about it. It proposes only what was benign each time somebody judged it, and often enough; it applies nothing.
 * `chains`: the records of incidents, one list per incident; only counts are kept, no records.
 */
export async function tune(options: {
  readonly chains: AsyncIterable<readonly AuditRecord[]>;
  /** Minimum number of benign incidents before anything is proposed. */
  readonly minBenign: number;
  /** Maximum number of rules and workloads listed. */
  readonly top: number;
}): Promise<TuneReport> {
  const { chains, minBenign, top } = options;
  const counts = new Counts();
  for await (const records of chains) {
    const one = judged(records);
    if (one) counts.add(one);
  }
  const rules = [...counts.rules];
  const workloads = [...counts.workloads].map(([name, sums]) => noise(name, [sums]));
  return {
    incidents: counts.incidents,
    alerts: workloads.reduce((sum, { alerts }) => sum + alerts, 0),
    rules: noisiest(
      rules.map(([rule, at]) => noise(rule, [...at.values()])),
      top,
    ),
    workloads: noisiest(workloads, top),
    proposals: rules
      .flatMap(([rule, at]) => proposalsOf(rule, at, minBenign))
      .sort((one, other) => other.wouldHaveHidden.alerts - one.wouldHaveHidden.alerts),
    unanswered: [...counts.unanswered]
      .map(([rule, { upTo, incidents, benign, bad }]) => ({ rule, upTo, incidents, benign, bad }))
      .sort((one, other) => other.incidents - one.incidents || (one.rule < other.rule ? -1 : 1))
      .slice(0, top),
  };
}

/** Sums over incidents. */
class Sums {
  incidents = 0;
  benign = 0;
  bad = 0;
  alerts = 0;
  upTo: Severity = 'unknown';

  add(verdict: Verdict, alerts: number, upTo: Severity): void {
    this.incidents += 1;
    if (verdict === 'benign') this.benign += 1;
    if (verdict === 'true_positive' || verdict === 'suspicious') this.bad += 1;
    this.alerts += alerts;
    this.upTo = worse(this.upTo, upTo);
  }
}

/** Alerts whose text is on record: their number, and the first few. */
class Samples {
  count = 0;
  upTo: Severity = 'unknown';
  readonly first: TuneSample[] = [];

  add({ id, time, severity, title, incident }: Sample): void {
    this.count += 1;
    this.upTo = worse(this.upTo, severity);
    if (this.first.length < mostSamples) this.first.push({ id, time, severity, title, incident });
  }
}

/** Sums of one rule at one workload. */
class RuleSums extends Sums {
  readonly subject: Subject;
  readonly samples = new Samples();
  /** By image digest, if it is known. */
  readonly byDigest = new Map<string | undefined, Samples>();

  constructor(subject: Subject) {
    super();
    this.subject = subject;
  }

  sample(one: Sample): void {
    this.samples.add(one);
    entryOf(this.byDigest, one.digest, () => new Samples()).add(one);
  }
}

class Counts {
  incidents = 0;
  readonly rules = new Map<string, Map<string, RuleSums>>();
  readonly workloads = new Map<string, Sums>();
  readonly unanswered = new Map<string, Sums>();

  add({ subject, verdict, rules, samples, unanswered }: Judged): void {
    const workload = subjectText(subject);
    this.incidents += 1;
    let all = 0;
    for (const [rule, { count, upTo }] of rules) {
      all += count;
      const at = entryOf(this.rules, rule, () => new Map<string, RuleSums>());
      entryOf(at, workload, () => new RuleSums(subject)).add(verdict, count, upTo);
    }
    entryOf(this.workloads, workload, () => new Sums()).add(verdict, all, 'unknown');
    for (const one of samples) if (rules.has(one.rule)) this.rules.get(one.rule)?.get(workload)?.sample(one);
    for (const [rule, upTo] of unanswered) entryOf(this.unanswered, rule, () => new Sums()).add(verdict, 0, upTo);
  }
}

function entryOf<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

function noisiest(noises: readonly Noise[], top: number): readonly Noise[] {
  return [...noises].sort((a, b) => b.alerts - a.alerts || (a.name < b.name ? -1 : 1)).slice(0, top);
}

function noise(name: string, sums: readonly Sums[]): Noise {
  const sum = (of: (one: Sums) => number): number => sums.reduce((all, one) => all + of(one), 0);
  const [benign, bad] = [sum((one) => one.benign), sum((one) => one.bad)];
  return {
    name,
    alerts: sum(({ alerts }) => alerts),
    incidents: sum(({ incidents }) => incidents),
    benign,
    bad,
    falsePositiveRate: benign + bad === 0 ? null : benign / (benign + bad),
  };
}

function proposalsOf(rule: string, at: ReadonlyMap<string, RuleSums>, minBenign: number): readonly TuneProposal[] {
  const harmless = [...at].filter(([, { bad, benign }]) => bad === 0 && benign >= minBenign);
  const found = harmless.map(([name, sums]) => ({ name, sums, suppressions: suppressionsOf(rule, sums) }));
  const without = found.filter(({ suppressions }) => suppressions.length === 0);
  // Harmless everywhere, or without an image that could be named: this belongs in the playbook.
  const everywhere = harmless.length >= 3 && harmless.length === at.size;
  const general = everywhere ? found : without;
  return [
    ...(everywhere ? [] : found.flatMap(({ suppressions }) => suppressions)),
    ...(general.length === 0 ? [] : [conditionOf(rule, general, everywhere)]),
  ];
}

function suppressionsOf(rule: string, sums: RuleSums): readonly TuneProposal[] {
  const { subject, byDigest } = sums;
  if (subject.kind !== 'workload') return [];
  return [...byDigest].flatMap(([digest, own]): readonly TuneProposal[] => {
    if (digest === undefined) return [];
    // Repetitions are counted without their image: with more than one image, only the samples are certain.
    const { alerts, upTo } = byDigest.size === 1 ? sums : { alerts: own.count, upTo: own.upTo };
    return [
      {
        kind: 'suppression',
        rule,
        workload: subject,
        digest,
        upTo,
        match: { ...matchOfRule(rule, upTo), ...matchOfSubject(subject), image: { digest } },
        why: whyOf(sums),
        wouldHaveHidden: { alerts, atLeast: byDigest.size > 1, samples: own.first },
      },
    ];
  });
}

function conditionOf(
  rule: string,
  found: readonly { readonly name: string; readonly sums: RuleSums }[],
  everywhere: boolean,
): TuneProposal {
  const sum = (of: (one: RuleSums) => number): number => found.reduce((all, { sums }) => all + of(sums), 0);
  const upTo = found.reduce<Severity>((worst, { sums }) => worse(worst, sums.upTo), 'unknown');
  const names = found.map(({ name }) => name);
  return {
    kind: 'playbook-condition',
    rule,
    workloads: names.slice(0, mostNamed),
    condition: everywhere
      ? `a minSeverity above ${upTo} for “${rule}”, or no playbook for it`
      : `no question about “${rule}” for ${names.slice(0, mostNamed).join(', ')}`,
    upTo,
    match: {
      ...matchOfRule(rule, upTo),
      ...(!everywhere && { any: found.slice(0, mostNamed).map(({ sums }) => matchOfSubject(sums.subject)) }),
    },
    why: whyOf({ incidents: sum(({ incidents }) => incidents), benign: sum(({ benign }) => benign) }),
    wouldHaveHidden: {
      alerts: sum(({ alerts }) => alerts),
      atLeast: false,
      samples: found.flatMap(({ sums }) => sums.samples.first).slice(0, mostSamples),
    },
  };
}

/** Matches nothing more severe than what was harmless. */
function matchOfRule(rule: string, upTo: Severity): Match {
  return { rule, severity: severities.filter((one) => worse(one, upTo) === upTo) };
}

function matchOfSubject(subject: Subject): Match {
  if (subject.kind === 'workload')
    return { namespace: subject.namespace, workload: { kind: subject.ownerKind, name: subject.name } };
  return subject.kind === 'node' ? { place: 'node', node: subject.node } : { place: 'cluster' };
}

/** What a proposal would have hidden among past alerts, by the verdicts of their incidents. */
export interface ProposalBacktest extends Readonly<Record<Verdict, number>> {
  readonly alerts: number;
  /** Alerts of this rule that cannot be decided, because the fields that the match needs are not known. */
  readonly undecided: number;
}

/** Tests proposals against alerts, one after another. */
export class ProposalBacktests {
  readonly #of: readonly { readonly match: Match; readonly found: { -readonly [Name in keyof ProposalBacktest]: number } }[];

  constructor(proposals: readonly Pick<TuneProposal, 'match'>[]) {
    const nothing = { alerts: 0, undecided: 0, true_positive: 0, benign: 0, suspicious: 0, unknown: 0 };
    this.#of = proposals.map(({ match }) => ({ match, found: { ...nothing } }));
  }

  add(alert: Alert, verdict: Verdict): void {
    for (const { match, found } of this.#of) {
      const isAbout = matchAlert(match, alert);
      if (isAbout === undefined) found.undecided += 1;
      if (isAbout !== true) continue;
      found.alerts += 1;
      found[verdict] += 1;
    }
  }

  /** In the order of the proposals. */
  get all(): readonly ProposalBacktest[] {
    return this.#of.map(({ found }) => found);
  }
}

function whyOf({ benign, incidents }: Pick<Sums, 'benign' | 'incidents'>): string {
  return `${benign} of ${incidents} incidents were benign, and none was anything else`;
}

function subjectText(subject: Subject): string {
  if (subject.kind === 'workload') return workloadText({ ...subject, kind: subject.ownerKind });
  return subject.kind === 'node' ? `node/${subject.node}` : `cluster/${subject.cluster}`;
}

function judged(records: readonly AuditRecord[]): Judged | undefined {
  const id = records[0]?.chain.split('@')[0] ?? '';
  const subject = subjectOfIncident(id);
  if (!subject) return undefined;
  const rules = new Map<string, { readonly count: number; readonly upTo: Severity }>();
  const samples: Sample[] = [];
  const unanswered = new Map<string, Severity>();
  let verdict: Verdict = 'unknown';
  for (const { kind, body } of records) {
    if (kind === 'incident.verdict') verdict = verdictIn(body) ?? verdict;
    if (kind === 'playbook.started' && body.unanswered === true && typeof body.rule === 'string')
      unanswered.set(body.rule, worse(unanswered.get(body.rule) ?? 'unknown', severityOf(body.severity)));
    if (kind !== 'incident.opened' && kind !== 'alert.joined') continue;
    for (const entry of listIn(body.counts)) {
      const { rule, count, severity } = entry;
      if (typeof rule !== 'string' || typeof count !== 'number') continue;
      const before = rules.get(rule);
      rules.set(rule, { count: (before?.count ?? 0) + count, upTo: worse(before?.upTo ?? 'unknown', severityOf(severity)) });
    }
    for (const entry of listIn(body.alerts)) {
      const { id: alert, rule, time, title, severity, digest } = entry;
      if (typeof alert !== 'string' || typeof rule !== 'string') continue;
      samples.push({
        id: alert,
        rule,
        time: String(time ?? ''),
        title: String(title ?? ''),
        severity: severityOf(severity),
        incident: id,
        ...(typeof digest === 'string' && { digest }),
      });
    }
  }
  return { subject, verdict, rules, samples, unanswered };
}

const verdicts: readonly Verdict[] = ['true_positive', 'benign', 'suspicious', 'unknown'];

/** `benign` counts only with the question whose answer said so: nothing is proposed on a playbook's word alone. */
function verdictIn({ incident, verdict, question }: Readonly<Record<string, unknown>>): Verdict | undefined {
  if (verdict === 'benign' && typeof question !== 'string') return undefined;
  return verdicts.find((one) => one === incident);
}

function severityOf(value: unknown): Severity {
  return severities.find((one) => one === value) ?? 'unknown';
}

function listIn(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'object' && entry !== null) : [];
}
