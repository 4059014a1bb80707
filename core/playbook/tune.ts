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
  /** Benign among those that people or playbooks have judged; null where none was. */
  readonly falsePositiveRate: number | null;
}

type WorkloadName = Extract<Subject, { readonly kind: 'workload' }>;

interface ProposalBase {
  readonly rule: string;
  readonly why: string;
  /** The worst alert among those that it would have hidden. */
  readonly upTo: Severity;
  /** Exactly the alerts that it is about: within `not`, what a playbook no longer answers. */
  readonly match: Match;
  /** How many it would have hidden, and those of them whose text is on record. */
  readonly wouldHaveHidden: { readonly alerts: number; readonly atLeast: boolean; readonly samples: readonly TuneSample[] };
}

export type TuneProposal =
  | (ProposalBase & { readonly kind: 'suppression'; readonly workload: WorkloadName; readonly digest: string })
  | (ProposalBase & { readonly kind: 'playbook-condition'; readonly workloads: readonly string[]; readonly condition: string });

/** A rule of serious alerts that no playbook answers: people were asked what it was. */
interface UnansweredRule {
  readonly rule: string;
  /** The worst that they were asked about. */
  readonly upTo: Severity;
  readonly incidents: number;
  /** Of these incidents the harmless ones, and those that were not. */
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
  /** For which a playbook is missing; in most incidents first. */
  readonly unanswered: readonly UnansweredRule[];
}

/** One incident, as its records tell it. */
interface Judged {
  readonly id: string;
  readonly subject: Subject;
  readonly verdict: Verdict;
  readonly rules: ReadonlyMap<string, { readonly count: number; readonly upTo: Severity }>;
  readonly samples: readonly (TuneSample & { readonly rule: string; readonly digest?: string })[];
  /** Rules that no playbook answered, with the worst severity of each. */
  readonly unanswered: ReadonlyMap<string, Severity>;
}

const mostSamples = 20;
const mostNamed = 20;

/**
 * What is noisy, and what could be done about it. Proposals are only for what was benign each time somebody judged it, and often enough; nothing
 * is applied. `chains`: the records of incidents, one list an incident; of each is kept what is counted of it.
 */
export async function tune(options: {
  readonly chains: AsyncIterable<readonly AuditRecord[]>;
  /** Benign incidents that are needed before anything is proposed. */
  readonly minBenign: number;
  /** Rules and workloads that are listed. */
  readonly top: number;
}): Promise<TuneReport> {
  const { chains, minBenign, top } = options;
  const incidents: Judged[] = [];
  for await (const records of chains) {
    const one = judged(records);
    if (one) incidents.push(one);
  }
  const alerts = incidents.reduce((sum, one) => sum + countOf(one), 0);
  const rules = [...new Set(incidents.flatMap(({ rules: own }) => [...own.keys()]))];
  const names = [...new Set(incidents.map(({ subject }) => subjectText(subject)))];
  const ofRule = (rule: string): readonly Judged[] => incidents.filter((one) => one.rules.has(rule));
  return {
    incidents: incidents.length,
    alerts,
    rules: noisiest(
      rules.map((rule) => noise(rule, ofRule(rule), (one) => one.rules.get(rule)?.count ?? 0)),
      top,
    ),
    workloads: noisiest(
      names.map((name) =>
        noise(
          name,
          incidents.filter(({ subject }) => subjectText(subject) === name),
          countOf,
        ),
      ),
      top,
    ),
    proposals: rules
      .flatMap((rule) => proposalsOf(rule, ofRule(rule), minBenign))
      .sort((a, b) => b.wouldHaveHidden.alerts - a.wouldHaveHidden.alerts),
    unanswered: unansweredIn(incidents).slice(0, top),
  };
}

function unansweredIn(incidents: readonly Judged[]): readonly UnansweredRule[] {
  const rules = [...new Set(incidents.flatMap(({ unanswered }) => [...unanswered.keys()]))];
  return rules
    .map((rule) => {
      const asked = incidents.filter(({ unanswered }) => unanswered.has(rule));
      return {
        rule,
        upTo: asked.reduce<Severity>((worst, one) => worse(worst, one.unanswered.get(rule) ?? 'unknown'), 'unknown'),
        incidents: asked.length,
        benign: asked.filter(({ verdict }) => verdict === 'benign').length,
        bad: asked.filter(isBad).length,
      };
    })
    .sort((a, b) => b.incidents - a.incidents || (a.rule < b.rule ? -1 : 1));
}

function countOf({ rules }: Judged): number {
  return [...rules.values()].reduce((sum, { count }) => sum + count, 0);
}

function noisiest(noises: readonly Noise[], top: number): readonly Noise[] {
  return [...noises].sort((a, b) => b.alerts - a.alerts || (a.name < b.name ? -1 : 1)).slice(0, top);
}

function isBad({ verdict }: Judged): boolean {
  return verdict === 'true_positive' || verdict === 'suspicious';
}

function noise(name: string, incidents: readonly Judged[], count: (one: Judged) => number): Noise {
  const benign = incidents.filter(({ verdict }) => verdict === 'benign').length;
  const bad = incidents.filter(isBad).length;
  return {
    name,
    alerts: incidents.reduce((sum, one) => sum + count(one), 0),
    incidents: incidents.length,
    benign,
    bad,
    falsePositiveRate: benign + bad === 0 ? null : benign / (benign + bad),
  };
}

function proposalsOf(rule: string, incidents: readonly Judged[], minBenign: number): readonly TuneProposal[] {
  const byWorkload = new Map<string, readonly Judged[]>();
  for (const one of incidents) {
    const name = subjectText(one.subject);
    byWorkload.set(name, [...(byWorkload.get(name) ?? []), one]);
  }
  const harmless = [...byWorkload].filter(([, group]) => isHarmless(group, minBenign));
  const found = harmless.map(([name, group]) => ({ name, group, suppressions: suppressionsOf(rule, group) }));
  const without = found.filter(({ suppressions }) => suppressions.length === 0);
  // Harmless everywhere, or of no image that could be named: that is for the playbook to know.
  const everywhere = harmless.length >= 3 && harmless.length === byWorkload.size;
  const general = everywhere ? found : without;
  return [
    ...(everywhere ? [] : found.flatMap(({ suppressions }) => suppressions)),
    ...(general.length === 0 ? [] : [conditionOf(rule, general, everywhere)]),
  ];
}

function isHarmless(group: readonly Judged[], minBenign: number): boolean {
  return !group.some(isBad) && group.filter(({ verdict }) => verdict === 'benign').length >= minBenign;
}

function suppressionsOf(rule: string, group: readonly Judged[]): readonly TuneProposal[] {
  const { subject } = group[0] ?? {};
  if (subject?.kind !== 'workload') return [];
  const samples = group.flatMap((one) => one.samples.filter((sample) => sample.rule === rule));
  const digests = [...new Set(samples.flatMap(({ digest }) => digest ?? []))];
  const isOnlyOne = digests.length === 1 && samples.every(({ digest }) => digest !== undefined);
  return digests.map((digest) => {
    const own = samples.filter((sample) => sample.digest === digest);
    const ownWorst = own.reduce<Severity>((worst, { severity }) => worse(worst, severity), 'unknown');
    const upTo = isOnlyOne ? upToOf(rule, group) : ownWorst;
    return {
      kind: 'suppression',
      rule,
      workload: subject,
      digest,
      upTo,
      match: { ...matchOfRule(rule, upTo), ...matchOfSubject(subject), image: { digest } },
      why: whyOf(group),
      wouldHaveHidden: {
        // Repetitions are counted without their image: where there was more than one, only the samples are sure.
        alerts: isOnlyOne ? alertsOf(rule, group) : own.length,
        atLeast: !isOnlyOne,
        samples: own.slice(0, mostSamples).map(plainSample),
      },
    };
  });
}

function conditionOf(
  rule: string,
  found: readonly { readonly name: string; readonly group: readonly Judged[] }[],
  everywhere: boolean,
): TuneProposal {
  const group = found.flatMap((one) => one.group);
  const upTo = upToOf(rule, group);
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
      ...(!everywhere && { any: found.slice(0, mostNamed).map((one) => matchOfSubject(one.group[0]?.subject)) }),
    },
    why: whyOf(group),
    wouldHaveHidden: {
      alerts: alertsOf(rule, group),
      atLeast: false,
      samples: group
        .flatMap((one) => one.samples.filter((sample) => sample.rule === rule))
        .slice(0, mostSamples)
        .map(plainSample),
    },
  };
}

/** Nothing worse than what was harmless. */
function matchOfRule(rule: string, upTo: Severity): Match {
  return { rule, severity: severities.filter((one) => worse(one, upTo) === upTo) };
}

function matchOfSubject(subject: Subject | undefined): Match {
  if (subject?.kind === 'workload')
    return { namespace: subject.namespace, workload: { kind: subject.ownerKind, name: subject.name } };
  return subject?.kind === 'node' ? { place: 'node', node: subject.node } : { place: 'cluster' };
}

/** What a proposal would have been about among alerts that came: by what their incidents were found to be. */
export interface ProposalBacktest extends Readonly<Record<Verdict, number>> {
  readonly alerts: number;
  /** Alerts of this rule of which it cannot be said: what they are compared by is not known of them. */
  readonly undecided: number;
}

/** Tries proposals on alerts, one after another. */
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

function plainSample({ id, time, severity, title, incident }: TuneSample): TuneSample {
  return { id, time, severity, title, incident };
}

function alertsOf(rule: string, group: readonly Judged[]): number {
  return group.reduce((sum, one) => sum + (one.rules.get(rule)?.count ?? 0), 0);
}

function upToOf(rule: string, group: readonly Judged[]): Severity {
  return group.reduce<Severity>((worst, one) => worse(worst, one.rules.get(rule)?.upTo ?? 'unknown'), 'unknown');
}

function whyOf(group: readonly Judged[]): string {
  const benign = group.filter(({ verdict }) => verdict === 'benign').length;
  return `${benign} of ${group.length} incidents were benign, and none was anything else`;
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
  const samples: Judged['samples'][number][] = [];
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
  return { id, subject, verdict, rules, samples, unanswered };
}

const verdicts: readonly Verdict[] = ['true_positive', 'benign', 'suspicious', 'unknown'];

/** `benign` counts with the question whose answer said so: nothing is proposed on a playbook's own word. */
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
