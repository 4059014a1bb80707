import { setImmediate } from 'node:timers/promises';
import { type AuditRecord, recordLink } from '../../../core/audit/audit.ts';
import { provenOf } from '../../../core/audit/audit-check.ts';
import type { AuditStore, StoredRecord } from '../../../core/audit/audit-store.ts';
import { type AskedOnce, decisionKinds, questionsIn } from '../../../core/audit/decision-events.ts';
import { type DecisionReport, decisionReport } from '../../../core/audit/decision-report.ts';
import { percentile } from '../../../core/audit/percentile.ts';
import type { ConsoleOverview, ConsolePeople } from '../../../core/console/console.schema.ts';
import { chainOf, containedIn, type IncidentSummary, incidentKeyOf } from '../../../core/console/incident-summary.ts';
import { sees } from '../../../core/console/routes.ts';
import type { ControlState } from '../../../core/decide/control.ts';
import { isRestraint, isSuppression, kindOf } from '../../../core/decide/decision.ts';
import { subjectOfIncident } from '../../../core/incident/incident.ts';
import type { Trust } from '../../../core/messages/sender.ts';
import { restraintTitle } from '../../../core/orders/restraint.ts';
import { suppressedWorkload } from '../../../core/orders/suppression.ts';
import { personById } from '../../../core/people/roster.ts';
import { matchText } from '../../../core/playbook/match-text.ts';
import type { IncidentCounts, IncidentList } from '../../../integrations/database/incident-list.ts';
import type { Config } from '../../config/load.ts';
import { enabledPlaybooks, playbooksOf } from '../../config/packs.ts';
import type { SignedIn } from './sessions.ts';

const days = 30;
const dayMs = 86_400_000;
/** Newest first: so many tell enough, and are read in a moment. */
const mostIncidents = 3_000;
const mostContained = 200;
/** What else the desk has to do waits for no more signatures than these. */
const provenAtOnce = 25;
/** Many look at it, and it changes slowly. */
const rememberedMs = 5_000;

interface ConsoleOverviews {
  overview(who: SignedIn): Promise<ConsoleOverview>;
  people(): Promise<ConsolePeople>;
  /** Proves the records of a month, so that whoever looks first does not wait for their signatures. Never rejects. */
  prepare(): Promise<void>;
}

export function createOverviews(parts: {
  readonly config: Config;
  readonly list: Pick<IncidentList, 'since' | 'contained' | 'counts'>;
  readonly store: Pick<AuditStore, 'recordsOf'>;
  readonly trust: Trust;
  /** What is decided above all incidents; undefined while the cell does not say. */
  readonly control: () => Promise<ControlState | undefined>;
  readonly now?: () => number;
}): ConsoleOverviews {
  const { config, list, store, trust, control, now = Date.now } = parts;
  const enabled = new Set(enabledPlaybooks(config).map(({ id }) => id));
  const remembered = new Map<string, { readonly at: number; readonly made: Promise<ConsoleOverview> }>();
  let report: { readonly at: number; readonly made: ReturnType<typeof readRecords> } | undefined;

  const sinceMs = (): number => now() - days * dayMs;

  /** By what was signed: so that each is proven once, and not with every look. */
  let proven = new Map<string, AuditRecord>();

  async function readRecords(): Promise<readonly AuditRecord[]> {
    const since = new Date(sinceMs()).toISOString();
    const rows = await store.recordsOf({ kinds: decisionKinds, since });
    const known = new Map<string, AuditRecord>();
    // A record that was proven is so as long as its key is believed: one record of each key tells.
    const believed = new Map<string, boolean>();
    const isBelieved = (row: StoredRecord, keyId: string): boolean => {
      const is = believed.get(keyId) ?? provenOf([row], trust).records.length === 1;
      believed.set(keyId, is);
      return is;
    };
    for (let start = 0; start < rows.length; start += provenAtOnce) {
      for (const row of rows.slice(start, start + provenAtOnce)) {
        if (!row.signed) continue;
        const what = recordLink(row.signed);
        const before = proven.get(what);
        const record = before && isBelieved(row, row.signed.keyId) ? before : provenOf([row], trust).records[0];
        if (record) known.set(what, record);
      }
      await setImmediate();
    }
    proven = known;
    return [...known.values()];
  }

  const records = (): ReturnType<typeof readRecords> => {
    if (!report || now() - report.at > rememberedMs) {
      const made = readRecords();
      made.catch(() => {
        report = undefined;
      });
      report = { at: now(), made };
    }
    return report.made;
  };

  /** Of the incidents that somebody may see. */
  const recordsFor = async (visible: SignedIn['visible']): Promise<Awaited<ReturnType<typeof readRecords>>> => {
    const all = await records();
    if (visible === 'all') return all;
    return all.filter(({ chain }) => {
      const subject = subjectOfIncident(chain.slice(0, chain.lastIndexOf('@')));
      return subject?.kind === 'workload' && visible.includes(subject.namespace);
    });
  };
  const reportOf = (own: Awaited<ReturnType<typeof readRecords>>): DecisionReport =>
    decisionReport({ records: own, roster: config.roster, since: sinceMs(), until: now() });

  const make = async ({ visible }: SignedIn): Promise<ConsoleOverview> => {
    const since = new Date(sinceMs()).toISOString();
    const [counts, incidents, contained, own, state] = await Promise.all([
      list.counts(since, visible),
      list.since(since, visible, mostIncidents),
      list.contained(visible, mostContained),
      recordsFor(visible),
      control(),
    ]);
    const decided = reportOf(own);
    const { asked, decided: answered, expired, open, quickApprovals, secondsToAnswer } = decided.all;
    const active = state?.decisions.filter(({ status }) => status.state === 'active') ?? [];
    const hides = active.filter(isSuppression).filter(({ proposal: { order } }) => sees(visible, order.terms.match.namespace));
    const nameOf = (id: string): string => personById(config.roster, id)?.name ?? id;
    return {
      at: new Date(now()).toISOString(),
      days,
      reckoned: { incidents: incidents.length, of: Math.max(incidents.length, sum([...counts.days.values()])) },
      clusters: clustersOf(counts, incidents, config.cluster),
      sensors: sensorsOf(incidents),
      containments: contained.map((summary) => ({
        incident: incidentKeyOf(chainOf(summary.incident)),
        title: summary.title,
        namespace: summary.namespace,
        severity: summary.severity,
        contained: containedIn(summary),
        since: summary.containedAt ?? summary.openedAt,
      })),
      guardrails: {
        protectedNamespaces: config.guardrails.protectedNamespaces.filter((namespace) => sees(visible, namespace)),
        restraints: state
          ? active.filter(isRestraint).map(({ proposal: { order } }) => {
              const { id, mode, scope, owner, reason, until } = order.terms;
              return { id, mode, scope, title: restraintTitle(order.terms), owner: nameOf(owner), reason, until };
            })
          : null,
      },
      suppressions: state
        ? hides.map(({ proposal: { order } }) => {
            const { id, match, owner, reason, until, upTo } = order.terms;
            const about = { title: kindOf(order).title, rule: match.rule, workload: suppressedWorkload(match) };
            return { id, ...about, owner: nameOf(owner), reason, upTo, until, hidden: null };
          })
        : null,
      playbooks: playbooksOf(config).map(({ id, title, on }) => {
        const runs = incidents.filter(({ playbooks }) => playbooks.includes(id));
        const verdicts = { true_positive: 0, benign: 0, suspicious: 0, unknown: 0 };
        for (const { verdict } of runs) verdicts[verdict] += 1;
        const text = on.match === undefined ? '' : typeof on.match === 'string' ? on.match : matchText(on.match);
        return { id, title, enabled: enabled.has(id), rules: text === '' ? [] : [text], runs: runs.length, verdicts };
      }),
      times: { toContain: containTimes(incidents), toDecide: secondsToAnswer },
      history: historyOf({ incidents, opened: counts.days, questions: questionsIn(own), now: now() }),
      questions: { asked, decided: answered, expired, open, quickApprovals },
    };
  };

  return {
    prepare: async () => void (await records().catch(() => undefined)),
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
      const { since, people } = reportOf(await recordsFor('all'));
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

/** Counted by the database: of an incident that is open for months, and of more than are read here, too. */
function clustersOf(
  { clusters }: IncidentCounts,
  incidents: readonly IncidentSummary[],
  own: string,
): ConsoleOverview['clusters'] {
  const ofCluster = Map.groupBy(incidents, ({ cluster }) => cluster);
  const names = [...new Set([own, ...clusters.map(({ cluster }) => cluster), ...ofCluster.keys()])].sort();
  return names.map((name) => {
    const { open = 0, critical = 0, contained = 0 } = clusters.find(({ cluster }) => cluster === name) ?? {};
    const lastAlertAt = latest((ofCluster.get(name) ?? []).map((one) => one.lastAlertAt));
    return { name, open, critical, contained, lastAlertAt };
  });
}

function sensorsOf(incidents: readonly IncidentSummary[]): ConsoleOverview['sensors'] {
  const found = new Map<string, ConsoleOverview['sensors'][number]>();
  for (const { cluster, sensors, lastAlertAt, openedAt } of incidents)
    for (const [name, alerts] of Object.entries(sensors)) {
      const key = `${cluster}\n${name}`;
      const known = found.get(key);
      const last = latest([lastAlertAt, openedAt, known?.lastAlertAt ?? null]) ?? openedAt;
      found.set(key, { cluster, name, alerts: (known?.alerts ?? 0) + alerts, lastAlertAt: last });
    }
  return [...found.values()].sort((a, b) => a.cluster.localeCompare(b.cluster) || a.name.localeCompare(b.name));
}

/** How long each took, in seconds, ascending. */
function secondsToContain(incidents: readonly IncidentSummary[]): readonly number[] {
  return incidents
    .flatMap(({ openedAt, containedAt }) =>
      containedAt === null ? [] : [Math.max(0, Date.parse(containedAt) - Date.parse(openedAt)) / 1_000],
    )
    .sort((a, b) => a - b);
}

function containTimes(incidents: readonly IncidentSummary[]): ConsoleOverview['times']['toContain'] {
  const seconds = secondsToContain(incidents);
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
    const answered = askedThen
      .flatMap(({ askedAt, answeredAt }) => (answeredAt === undefined ? [] : [Math.max(0, answeredAt - askedAt) / 1_000]))
      .sort((a, b) => a - b);
    return {
      day,
      incidents: opened.get(day) ?? 0,
      questions: askedThen.length,
      toContain: medianOf(secondsToContain(ofDay)),
      toDecide: medianOf(answered),
    };
  });
}
