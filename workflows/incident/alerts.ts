import type { Alert, WorkloadRef } from '../../core/alert/alert.ts';
import { asksAgainFrom } from '../../core/alert/coverage.ts';
import { atLeast } from '../../core/alert/severity.ts';
import { whatRanIn } from '../../core/alert/what-ran.ts';
import type { Assessment } from '../../core/assessment/response.ts';
import { storedAlerts } from '../../core/audit/alert-archive.ts';
import type { AlertBatch, AlertCount } from '../../core/incident/incident.ts';
import type { RanState } from '../../core/incident/incident-state.ts';
import { matchOf, type UnsuppressibleReason } from '../../core/orders/suppression.ts';
import { nowMs, uuid4 } from '../world.ts';
import { commandLineLimit } from './cards.ts';
import { countKey, type IncidentModel } from './model.ts';

/** A card is updated when the count has grown tenfold, not with every alert. */
function magnitude(count: number): number {
  return Math.floor(Math.log10(Math.max(1, count)));
}

export interface Joined {
  /** Alerts of the batch that are new to the incident. */
  readonly fresh: readonly Alert[];
  /** Repetitions that the batch only counts. */
  readonly repeated: readonly AlertCount[];
  /** Whether the cards now show something else: ten times as many alerts, or worse ones. */
  readonly showsOnCards: boolean;
}

const nothing: Joined = { fresh: [], repeated: [], showsOnCards: false };

/** Beyond this many kinds, alerts are counted by rule alone. */
const mostCounts = 2_000;
const mostCountsOnRecord = 50;
const mostTagsOnRecord = 20;

/** Takes in a batch once, however often it is delivered. Returns which alerts are new, so that playbooks can be evaluated for them. */
export function joinBatch(model: IncidentModel, batch: AlertBatch): Joined {
  if (!model.firstSight(`batch:${batch.id}`)) return nothing;
  const named = nameActors(model, batch);
  nameRequesters(model, batch);
  const before = model.total;
  model.lastAlertAt = nowMs();
  const fresh = batch.alerts.filter((alert) => model.firstSight(`alert:${alert.id}`));
  for (const { pod, assessment } of fresh)
    if (pod?.uid !== undefined && assessment?.seal !== undefined && assessment.response === 'contain')
      model.assessed.set(pod.uid, assessment.seal);
  const counts = withoutSeen(batch, fresh);
  if (counts.length === 0 && batch.counts.length > 0) return nothing;
  let raised = false;
  for (const count of counts) {
    addCount(model, count);
    raised = model.raise(count.severity) || raised;
  }
  const worst = fresh.find(({ severity }) => severity === model.severity) ?? fresh[0];
  if (worst && (raised || !model.ran)) model.ran = ranIn(worst);
  const added = counts.reduce((sum, count) => sum + count.count, 0);
  const rules = [...new Set(counts.map((count) => count.rule))].join(', ');
  const first = before === 0;
  const { configuration } = model.settings;
  const novelties = fresh.flatMap(({ facts }) => facts?.novelty ?? []);
  const novelty = (novelties.find(({ state }) => state === 'novel') ?? novelties[0])?.text;
  const doubt = fresh.find((alert) => alert.doubt !== undefined)?.doubt;
  const kept = fresh.length > 0 ? storedAlerts(fresh, uuid4()) : undefined;
  model.record(
    first ? 'incident.opened' : 'alert.joined',
    `sensor/${fresh[0]?.sensor ?? 'intake'}`,
    `${added} × ${rules.slice(0, 300)}${doubt === undefined ? '' : `; in doubt: ${doubt.slice(0, 300)}`}${novelty === undefined ? '' : `. ${novelty.slice(0, 500)}`}`,
    {
      counts: counts.slice(0, mostCountsOnRecord),
      ...(counts.length > mostCountsOnRecord ? { furtherCounts: counts.length - mostCountsOnRecord } : {}),
      alerts: fresh.map((alert) => ({
        id: alert.id,
        rule: alert.rule,
        severity: alert.severity,
        time: alert.time,
        title: alert.title,
        what: whatRanIn(alert).title,
        sensor: alert.sensor,
        // Recorded so that playbooks can be tried on the alert later.
        ...(alert.pod && { pod: alert.pod }),
        ...(alert.node !== undefined && { node: alert.node }),
        ...(alert.tags.length > 0 && { tags: alert.tags.slice(0, mostTagsOnRecord) }),
        ...(alert.mitre.length > 0 && { mitre: alert.mitre.slice(0, mostTagsOnRecord) }),
        ...(alert.doubt !== undefined && { doubt: alert.doubt }),
        ...(alert.facts?.novelty && { novelty: alert.facts.novelty }),
        ...(alert.assessment && { assessment: onRecord(alert.assessment) }),
        ...(alert.container?.image && { image: alert.container.image }),
        ...(alert.container?.digest && { digest: alert.container.digest }),
        // An alert that came too rarely starts nothing: the record says what it was counted for.
        ...(alert.countedFor && { countedFor: alert.countedFor }),
        ...hidableBy(alert),
      })),
      ...(kept && { kept: kept.digest }),
      // Applies to the whole incident, even if the configuration changes meanwhile.
      ...(first && configuration !== undefined && { configuration }),
    },
    kept?.text,
  );
  if (raised || counts.some(({ severity }) => atLeast(severity, asksAgainFrom))) model.lastNewsAt = model.lastAlertAt;
  const repeated = counts.flatMap((count) => {
    const only = count.count - fresh.filter((alert) => kindOf(alert) === countKey(count)).length;
    return only > 0 ? [{ ...count, count: only }] : [];
  });
  return { fresh, repeated, showsOnCards: !first && (raised || named || magnitude(model.total) > magnitude(before)) };
}

function ranIn(alert: Alert): RanState {
  const commandLine = alert.process?.commandLine?.slice(0, commandLineLimit);
  return { sentence: whatRanIn(alert).sentence, rule: alert.rule, ...(commandLine ? { commandLine } : {}) };
}

/** The seal is for the cell alone. */
function onRecord({ seal: _, ...assessment }: Assessment): Omit<Assessment, 'seal'> {
  return assessment;
}

/** For people who propose to hide such alerts: the workload they certainly belong to, or why they cannot be hidden. */
function hidableBy(
  alert: Alert,
): { readonly workload: Omit<WorkloadRef, 'guessed'> } | { readonly unsuppressible: UnsuppressibleReason } {
  const match = matchOf(alert);
  return 'unsuppressible' in match ? match : { workload: { namespace: match.namespace, ...match.workload } };
}

/** The actor of an alert may not decide on it: even if the alert that names them is one of thousands, and only counted. */
function nameActors(model: IncidentModel, { alerts, actors = [] }: AlertBatch): boolean {
  const known = model.actors.size;
  const named = new Set([...actors, ...alerts.flatMap((alert) => alert.actors ?? [])]);
  for (const person of named) {
    if (model.actors.has(person)) continue;
    model.actors.add(person);
    model.record('actor.named', 'engine', `an alert names ${person} as the actor: ${person} may not decide on this incident`, {
      person,
    });
  }
  return model.actors.size > known;
}

/** A person who ordered it leaves the decision to others. */
function nameRequesters(model: IncidentModel, { alerts, requesters = [] }: AlertBatch): void {
  for (const person of new Set([...requesters, ...alerts.flatMap(({ requester }) => requester ?? [])])) {
    if (model.requesters.has(person)) continue;
    model.requesters.add(person);
    model.record('requester.named', `person/${person}`, `${person} has ordered it: the others are asked`, { person });
  }
}

/** An alert of an earlier batch was already counted with it: after a power cut its sender, and so the intake, may send it again. */
function withoutSeen({ alerts, counts }: AlertBatch, fresh: readonly Alert[]): readonly AlertCount[] {
  const seen = alerts.filter((alert) => !fresh.includes(alert));
  if (seen.length === 0) return counts;
  return counts.flatMap((entry) => {
    const again = seen.filter(({ rule, severity, pod }) => {
      return countKey(entry) === kindOf({ rule, severity, ...(pod && { pod }) });
    }).length;
    return entry.count > again ? [{ ...entry, count: entry.count - again }] : [];
  });
}

function kindOf({ rule, severity, pod }: Pick<Alert, 'rule' | 'severity' | 'pod'>): string {
  return countKey({ rule, severity, ...(pod && { pod: `${pod.namespace}/${pod.name}` }) });
}

function addCount(model: IncidentModel, exact: AlertCount): void {
  const { pod: _, ...byRule } = exact;
  const count = model.counts.has(countKey(exact)) || model.counts.size < mostCounts ? exact : byRule;
  const key = countKey(count);
  const known = model.counts.get(key);
  model.counts.set(
    key,
    known
      ? {
          ...known,
          count: known.count + count.count,
          lastSeen: later(count.lastSeen, known.lastSeen),
          firstSeen: later(count.firstSeen, known.firstSeen) === known.firstSeen ? count.firstSeen : known.firstSeen,
        }
      : count,
  );
}

/** The later of two times in one format (ISO 8601, UTC). */
function later(a: string, b: string): string {
  return a > b ? a : b;
}
