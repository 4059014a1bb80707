import { awayAfterMs, type IntakeReport, sensorStates } from '../../../core/alert/intake-report.ts';
import type { AuditStore } from '../../../core/audit/audit-store.ts';
import type { AskedOnce } from '../../../core/audit/decision-events.ts';
import { type DecisionReport, reportOfQuestions } from '../../../core/audit/decision-report.ts';
import { percentile } from '../../../core/audit/percentile.ts';
import type { ConsoleOverview, ConsolePeople } from '../../../core/console/console.schema.ts';
import { chainOf, containedIn, type IncidentSummary, incidentKeyOf } from '../../../core/console/incident-summary.ts';
import { sees, type VisibleNamespaces } from '../../../core/console/routes.ts';
import type { ControlState } from '../../../core/decide/control.ts';
import { isRestraint, isSuppression, kindOf } from '../../../core/decide/decision.ts';
import { subjectOfIncident } from '../../../core/incident/incident.ts';
import type { Trust } from '../../../core/messages/sender.ts';
import { type RestraintScope, restraintTitle } from '../../../core/orders/restraint.ts';
import { suppressedWorkload } from '../../../core/orders/suppression.ts';
import { personById } from '../../../core/people/roster.ts';
import { matchText } from '../../../core/playbook/match-text.ts';
import { matchesAnyName } from '../../../core/text/name-pattern.ts';
import { compareTexts } from '../../../core/text/plain-json.ts';
import type { IncidentCounts, IncidentList } from '../../../integrations/database/incident-list.ts';
import type { Config } from '../../config/load.ts';
import { enabledPlaybooks, playbooksOf } from '../../config/packs.ts';
import { QuestionsOnRecord } from './questions-on-record.ts';
import type { SignedIn } from './sessions.ts';

const days = 30;
const dayMs = 86_400_000;
/** Newest first: this many are informative, and can be read in a moment. */
const mostIncidents = 3_000;
const mostContained = 200;
/** Many people look at it, and it changes slowly. */
const rememberedMs = 5_000;

interface ConsoleOverviews {
  overview(who: SignedIn): Promise<ConsoleOverview>;
  people(): Promise<ConsolePeople>;
  /** Proves the records of a month, so that the first visitor does not wait for signatures. Never rejects. */
  prepare(): Promise<void>;
}

export function createOverviews(parts: {
  readonly config: Config;
  readonly list: Pick<IncidentList, 'since' | 'contained' | 'counts'>;
  readonly store: Pick<AuditStore, 'eachOfKinds'>;
  readonly trust: Trust;
  /** What is decided above all incidents of a cluster; undefined while its cell does not answer. */
  readonly control: (cluster: string) => Promise<ControlState | undefined>;
  /** Number of questions that wait now, as the page of questions lists them. Absent: this desk shows none, and the records are counted. */
  readonly openQuestions?: ((who: Pick<SignedIn, 'visible'>) => Promise<number>) | undefined;
  readonly now?: () => number;
}): ConsoleOverviews {
  const { config, list, store, trust, control, openQuestions, now = Date.now } = parts;
  const cells = [...new Set(config.trust.cells.map(({ cluster }) => cluster))];
  const enabled = new Set(enabledPlaybooks(config).map(({ id }) => id));
  const remembered = new Map<string, { readonly at: number; readonly made: Promise<ConsoleOverview> }>();
  const questionsOnRecord = new QuestionsOnRecord({ store, trust, keptMs: days * dayMs, now });

  const sinceMs = (): number => now() - days * dayMs;

  /** For the incidents that this person may see. */
  const questionsFor = async (visible: SignedIn['visible']): Promise<readonly AskedOnce[]> => {
    const all = await questionsOnRecord.read();
    if (visible === 'all') return all;
    return all.filter(({ chain }) => {
      const subject = subjectOfIncident(chain.slice(0, chain.lastIndexOf('@')));
      return subject?.kind === 'workload' && visible.includes(subject.namespace);
    });
  };
  const reportOf = (questions: readonly AskedOnce[]): DecisionReport =>
    reportOfQuestions({ questions, roster: config.roster, since: sinceMs(), until: now() });

  const make = async ({ visible }: SignedIn): Promise<ConsoleOverview> => {
    const since = new Date(sinceMs()).toISOString();
    const [counts, incidents, contained, questions, waiting, states] = await Promise.all([
      list.counts(since, visible),
      list.since(since, visible, mostIncidents),
      list.contained(visible, mostContained),
      questionsFor(visible),
      openQuestions?.({ visible }),
      Promise.all(cells.map(async (cluster) => ({ cluster, state: await control(cluster) }))),
    ]);
    const decided = reportOf(questions);
    const { asked, decided: answered, expired, open: recorded, quickApprovals, secondsToAnswer: toDecide } = decided.all;
    const answering = states.flatMap(({ cluster, state }) => (state ? [{ cluster, state }] : []));
    const active = answering.flatMap(({ cluster, state: { decisions } }) =>
      decisions.filter(({ status }) => status.state === 'active').map((decision) => ({ cluster, decision })),
    );
    const intakes = answering.map(({ cluster, state }) => ({ cluster, reports: state.intakes ?? [] }));
    const askedBy = Map.groupBy(questions, ({ requester }) => requester);
    const nameOf = (id: string): string => personById(config.roster, id)?.name ?? id;
    return {
      at: new Date(now()).toISOString(),
      days,
      reckoned: { incidents: incidents.length, of: Math.max(incidents.length, sum([...counts.days.values()])) },
      clusters: clustersOf({ counts, incidents, states }),
      sensors: sensorsOf({ incidents, intakes: visible === 'all' ? intakes : [], now: now() }),
      intakes: visible === 'all' ? intakesOf(intakes, now()) : null,
      containments: contained.map((summary) => ({
        incident: incidentKeyOf(chainOf(summary.incident)),
        title: summary.title,
        namespace: summary.namespace,
        severity: summary.severity,
        contained: containedIn(summary),
        since: summary.containedAt ?? summary.openedAt,
      })),
      guardrails: {
        protectedNamespaces: config.guardrails.protectedNamespaces.filter(
          (pattern) => visible === 'all' || visible.some((namespace) => matchesAnyName([pattern], namespace)),
        ),
        restraints:
          answering.length > 0
            ? active.flatMap(({ cluster, decision }) => {
                if (!isRestraint(decision)) return [];
                const { terms } = decision.proposal.order;
                const { id, mode, scope, owner, reason, until } = terms;
                if (!seesScope(visible, scope)) return [];
                return { id, cluster, mode, scope, title: restraintTitle(terms), owner: nameOf(owner), reason, until };
              })
            : null,
      },
      suppressions:
        answering.length > 0
          ? active.flatMap(({ cluster, decision }) => {
              if (!isSuppression(decision)) return [];
              const { order } = decision.proposal;
              const { id, match, owner, reason, until, upTo } = order.terms;
              if (!sees(visible, match.namespace)) return [];
              const about = { title: kindOf(order).title, rule: match.rule, workload: suppressedWorkload(match) };
              const reports = intakes.find((one) => one.cluster === cluster)?.reports ?? [];
              const hidden = reports.length === 0 ? null : sum(reports.map((report) => report.hidden[id] ?? 0));
              return { id, cluster, ...about, owner: nameOf(owner), reason, upTo, until, hidden };
            })
          : null,
      playbooks: playbooksOf(config).map(({ id, title, on }) => {
        const runs = incidents.filter(({ playbooks }) => playbooks.includes(id));
        const verdicts = { true_positive: 0, benign: 0, suspicious: 0, unknown: 0 };
        for (const { verdict } of runs) verdicts[verdict] += 1;
        const text = on.match === undefined ? '' : typeof on.match === 'string' ? on.match : matchText(on.match);
        return {
          ...{ id, title, enabled: enabled.has(id), rules: text === '' ? [] : [text], runs: runs.length, verdicts },
          toContain: rangeOf(secondsToContain(runs.flatMap(({ playbookTimes }) => playbookTimes?.[id] ?? []))),
          toDecide: rangeOf(secondsToAnswer(askedBy.get(`playbook/${id}`) ?? [])),
        };
      }),
      times: { toContain: rangeOf(secondsToContain(incidents.map(toContainmentOf))), toDecide },
      history: historyOf({ incidents, opened: counts.days, questions, now: now() }),
      questions: { asked, decided: answered, expired, open: waiting ?? recorded, quickApprovals },
    };
  };

  return {
    prepare: async () => void (await questionsOnRecord.read().catch(() => undefined)),
    overview: (who) => {
      const key = JSON.stringify(who.visible);
      const known = remembered.get(key);
      if (known && now() - known.at < rememberedMs) return known.made;
      if (remembered.size > 100) remembered.clear();
      const made = make(who);
      remembered.set(key, { at: now(), made });
      made.catch(() => remembered.delete(key));
      return made;
    },
    people: async () => {
      const { since, people } = reportOf(await questionsFor('all'));
      return {
        since,
        people: people.map((one) => ({ ...one, name: personById(config.roster, one.person)?.name ?? one.person })),
      };
    },
  };
}

function latest(times: readonly (string | null)[]): string | null {
  return times.reduce((last, one) => (one !== null && (last === null || one > last) ? one : last), null);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}

/** Everybody may see a freeze of everything; a freeze of one namespace or one incident, only people who may see that. */
function seesScope(visible: VisibleNamespaces, scope: RestraintScope): boolean {
  if (scope.kind === 'namespace') return sees(visible, scope.name);
  if (scope.kind !== 'incident') return true;
  const subject = subjectOfIncident(scope.name);
  return sees(visible, subject?.kind === 'workload' ? subject.namespace : null);
}

/** Counted by the database, so this includes incidents open for months, and more than are read here. */
function clustersOf({
  counts: { clusters },
  incidents,
  states,
}: {
  readonly counts: IncidentCounts;
  readonly incidents: readonly IncidentSummary[];
  readonly states: readonly { readonly cluster: string; readonly state: ControlState | undefined }[];
}): ConsoleOverview['clusters'] {
  const ofCluster = Map.groupBy(incidents, ({ cluster }) => cluster);
  const known = [...states, ...clusters].map(({ cluster }) => cluster);
  return [...new Set([...known, ...ofCluster.keys()])].sort().map((name) => {
    const { open = 0, critical = 0, contained = 0 } = clusters.find(({ cluster }) => cluster === name) ?? {};
    const lastAlertAt = latest((ofCluster.get(name) ?? []).map((one) => one.lastAlertAt));
    const cell = states.find(({ cluster }) => cluster === name);
    return { name, open, critical, contained, lastAlertAt, answers: cell ? cell.state !== undefined : null };
  });
}

interface ClusterIntakes {
  readonly cluster: string;
  readonly reports: readonly IntakeReport[];
}

function isAway({ at }: IntakeReport, now: number): boolean {
  return now - Date.parse(at) > awayAfterMs;
}

function intakesOf(clusters: readonly ClusterIntakes[], now: number): NonNullable<ConsoleOverview['intakes']> {
  return clusters.flatMap(({ cluster, reports }) =>
    reports.map((report) => ({
      ...{ cluster, source: report.source, at: report.at, since: report.since, isAway: isAway(report, now) },
      ...{ accepted: report.accepted, duplicates: report.duplicates },
      refused: Object.entries(report.refused).map(([reason, count]) => ({ reason, count })),
      unauthorized: (report.unauthorized ?? []).map(({ from, sensor = null, count, since, lastAt }) => ({
        ...{ from, sensor, count, since, lastAt },
      })),
    })),
  );
}

/** What incidents report about sensors, and the state of the intakes that are running. */
function sensorsOf({
  incidents,
  intakes,
  now,
}: {
  readonly incidents: readonly IncidentSummary[];
  readonly intakes: readonly ClusterIntakes[];
  readonly now: number;
}): ConsoleOverview['sensors'] {
  const states = intakes.flatMap(({ cluster, reports }) =>
    sensorStates(reports.filter((report) => !isAway(report, now))).map(({ sensor, ...health }) => ({ cluster, sensor, health })),
  );
  const heard = alertsOf(incidents).map((one) => {
    const state = states.find(({ cluster, sensor }) => cluster === one.cluster && sensor === one.name);
    return { ...one, health: state?.health ?? null };
  });
  const quiet = states
    .filter(({ cluster, sensor }) => !heard.some((one) => one.cluster === cluster && one.name === sensor))
    .map(({ cluster, sensor, health }) => ({ cluster, name: sensor, alerts: 0, lastAlertAt: null, health }));
  return [...heard, ...quiet].sort((a, b) => compareTexts(a.cluster, b.cluster) || compareTexts(a.name, b.name));
}

function alertsOf(incidents: readonly IncidentSummary[]): readonly Omit<ConsoleOverview['sensors'][number], 'health'>[] {
  const found = new Map<string, Omit<ConsoleOverview['sensors'][number], 'health'>>();
  for (const { cluster, sensors, lastAlertAt, openedAt } of incidents)
    for (const [name, alerts] of Object.entries(sensors)) {
      const key = `${cluster}\n${name}`;
      const known = found.get(key);
      const last = latest([lastAlertAt, openedAt, known?.lastAlertAt ?? null]) ?? openedAt;
      found.set(key, { cluster, name, alerts: (known?.alerts ?? 0) + alerts, lastAlertAt: last });
    }
  return [...found.values()];
}

interface ToContainment {
  readonly alertAt: string;
  readonly containedAt?: string | null;
}

/** From the alert that called for it, not from a lower one that opened the incident before. */
function toContainmentOf({ openedAt, calledAt, containedAt }: IncidentSummary): ToContainment {
  return { alertAt: calledAt ?? openedAt, containedAt };
}

/** For each incident that reached a containment, the time it took, in seconds, ascending. */
function secondsToContain(ways: readonly ToContainment[]): readonly number[] {
  return ways
    .flatMap(({ alertAt, containedAt }) =>
      containedAt ? [Math.max(0, Date.parse(containedAt) - Date.parse(alertAt)) / 1_000] : [],
    )
    .sort((a, b) => a - b);
}

/** For each question that was answered, the time people took, in seconds, ascending. */
function secondsToAnswer(questions: readonly AskedOnce[]): readonly number[] {
  return questions
    .flatMap(({ askedAt, answeredAt }) => (answeredAt === undefined ? [] : [Math.max(0, answeredAt - askedAt) / 1_000]))
    .sort((a, b) => a - b);
}

function rangeOf(seconds: readonly number[]): ConsoleOverview['times']['toContain'] {
  return seconds.length === 0 ? null : { p50: percentile(seconds, 0.5), p90: percentile(seconds, 0.9) };
}

function medianOf(ascending: readonly number[]): number | null {
  return ascending.length === 0 ? null : percentile(ascending, 0.5);
}

function historyOf({
  incidents,
  opened,
  questions,
  now,
}: {
  readonly incidents: readonly IncidentSummary[];
  readonly opened: IncidentCounts['days'];
  readonly questions: readonly AskedOnce[];
  readonly now: number;
}): ConsoleOverview['history'] {
  const dayOf = (at: number | string): string => new Date(at).toISOString().slice(0, 10);
  const read = Map.groupBy(incidents, ({ openedAt }) => dayOf(openedAt));
  const asked = Map.groupBy(questions, ({ askedAt }) => dayOf(askedAt));
  return Array.from({ length: days }, (_, index) => {
    const day = dayOf(now - (days - 1 - index) * dayMs);
    const [ofDay, askedThen] = [read.get(day) ?? [], asked.get(day) ?? []];
    return {
      day,
      incidents: opened.get(day) ?? 0,
      questions: askedThen.length,
      toContain: medianOf(secondsToContain(ofDay.map(toContainmentOf))),
      toDecide: medianOf(secondsToAnswer(askedThen)),
    };
  });
}
