import { Counter, Gauge, Registry } from 'prom-client';
import type { AuditRecord } from '../../core/audit/audit.ts';
import { provenIn, provenOf } from '../../core/audit/audit-check.ts';
import type { VoteSigners } from '../../core/audit/audit-decisions.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import type { RecordKind } from '../../core/audit/record-kinds.ts';
import type { ThreadPost } from '../../core/cards/card.ts';
import {
  callsDue,
  type DeadlineCall,
  deadlineKinds,
  deadlineLines,
  deadlinesIn,
  draftCommand,
  type IncidentDeadlines,
} from '../../core/compliance/deadlines.ts';
import type { Entity } from '../../core/compliance/notification.ts';
import { summaryOf } from '../../core/console/incident-summary.ts';
import { type IncidentRef, subjectOfIncident, subjectTitle } from '../../core/incident/incident.ts';
import type { Trust } from '../../core/messages/sender.ts';
import { deadlineOrderIn } from '../../core/orders/deadline-order.ts';
import type { Roster } from '../../core/people/roster.ts';
import type { Page, Pager } from '../../core/tickets/paging.ts';
import type { Metrics } from '../../integrations/http-door.ts';
import { personNames } from '../incidents/names.ts';
import { type Logger, reasonOf } from '../process/log.ts';
import { readDeadlines } from '../records/read-deadlines.ts';
import type { Journal } from './journal.ts';

/** Milliseconds between looks. */
export const deadlinesEveryMs = 30_000;

/** A pager that does not answer is tried again at the next look. */
const callWithinMs = 20_000;

/** Older records are already in the thread, if Slack was available at all. */
const newsForMs = 86_400_000;

const ownKinds = { called: 'deadline.called', quieted: 'deadline.call-ended' } as const;

interface DeadlinesOptions {
  readonly store: Pick<AuditStore, 'eachOfKinds' | 'storedChain'>;
  readonly trust: Trust;
  readonly signers: VoteSigners;
  readonly entity: Entity;
  /** Source of people's names. */
  readonly roster: Roster;
  readonly journal: Pick<Journal, 'record'>;
  /** Absent: no pager is configured, and nobody can be called. */
  readonly pager?: Pager | undefined;
  /** Absent: no Slack. */
  readonly postInThread?: ((post: ThreadPost) => Promise<unknown>) | undefined;
  /** The group to call, and how many milliseconds before a notification is due. It is always called when the deadline has passed. */
  readonly group: string;
  readonly before: readonly number[];
  readonly log: Pick<Logger, 'warn'>;
  readonly now?: () => number;
}

export interface DeskDeadlines {
  /** Calls everyone who has to be called now. Never throws. */
  look(): Promise<void>;
  /** One line per deadline of an incident's run. Empty if they cannot be read. */
  linesOf(incident: IncidentRef): Promise<readonly string[]>;
  readonly metrics: Metrics;
}

/**
 * Calls people before a notification to an authority is due. Everything is computed from signed records: no workflow keeps a clock, so neither a restart nor
 * anything written to Temporal makes a call early, late or twice. Each call is put on record as well; the pager identifies each call by its key.
 */
export function createDeadlines(options: DeadlinesOptions): DeskDeadlines {
  const { store, trust, journal, pager, postInThread, group, log, now = Date.now } = options;
  const nameOf = personNames(options.roster);
  const registry = new Registry();
  const shared = { labelNames: ['regime', 'stage'], registers: [registry] };
  const seconds = new Gauge({
    name: 'firebreak_deadline_seconds',
    help: 'Time until the next unsent notification to an authority is due; negative once it is overdue',
    ...shared,
  });
  const missed = new Gauge({
    name: 'firebreak_deadlines_missed',
    help: 'Notifications to authorities that are overdue and not sent',
    ...shared,
  });
  const failed = new Counter({
    name: 'firebreak_deadline_calls_failed_total',
    help: 'How often nobody could be called about a notification that is due; it is tried again',
    registers: [registry],
  });
  // Done by this process; not repeated even if the record could not be written.
  const done = new Set<string>();
  let noted: ReadonlySet<string> = new Set();

  const show = (all: readonly IncidentDeadlines[]): void => {
    seconds.reset();
    missed.reset();
    const running = all.flatMap(({ regime, stages, stopped }) =>
      stages.flatMap(({ stage, dueAt, sent }) => (stopped || sent || dueAt === undefined ? [] : [{ regime, stage, dueAt }])),
    );
    for (const ones of Map.groupBy(running, ({ regime, stage }) => `${regime} ${stage}`).values()) {
      const [first] = ones;
      if (!first) continue;
      const { regime, stage } = first;
      const next = Math.min(...ones.map(({ dueAt }) => dueAt));
      seconds.set({ regime, stage }, (next - now()) / 1_000);
      missed.set({ regime, stage }, ones.filter(({ dueAt }) => dueAt <= now()).length);
    }
  };

  const once = async (kind: RecordKind, key: string, work: () => Promise<Readonly<Record<string, unknown>>>) => {
    const id = `${kind} ${key}`;
    if (noted.has(id) || done.has(id)) return;
    const body = await work();
    done.add(id);
    await journal.record({ kind, actor: 'desk', body: { key, ...body } });
  };

  const post = async (key: string, incident: IncidentRef, text: string): Promise<void> => {
    if (!postInThread || done.has(`thread ${key}`)) return;
    const { records } = provenOf((await store.storedChain(`${incident.id}@${incident.run}`)).records, trust);
    const severity = summaryOf([...records].sort((a, b) => a.number - b.number))?.severity ?? 'unknown';
    await postInThread({ key, incident: { ...incident, ...namesOf(incident), severity }, text });
    done.add(`thread ${key}`);
  };

  const call = (due: DeadlineCall): Promise<void> =>
    once(ownKinds.called, due.key, async () => {
      const { deadlines, stage } = due;
      const { incident, regime } = deadlines;
      const text = callText(due);
      // Must come first: the call must not wait for any other system.
      if (pager) await pager.page(pageOf(due, { group, text, nameOf }), AbortSignal.timeout(callWithinMs));
      return {
        ...{ incident: incident.id, run: incident.run, regime, stage: stage.stage },
        ...{ dueAt: new Date(stage.dueAt).toISOString(), group: pager ? group : null },
        text: `${text} ${pager ? `${group} is called.` : 'Nobody can be called: no paging is configured.'}`,
      };
    });

  /** Posts a recent record in the thread, once. */
  const tell = async ({ chain, number, at, kind, body }: AuditRecord): Promise<void> => {
    const incident = kind === ownKinds.called ? calledIn(body) : incidentIn(body);
    if (!incident || Date.parse(at) < now() - newsForMs) return;
    try {
      // Two desks may each have a record of the same call.
      await post(kind === ownKinds.called ? String(body.key) : `${chain}#${number}`, incident, String(body.text));
    } catch (error) {
      log.warn({ reason: reasonOf(error) }, 'cannot post a deadline in its thread; trying again');
    }
  };

  /** Ends calls for notifications that were sent, or no longer have to be. */
  const quiet = async (all: readonly IncidentDeadlines[], called: readonly AuditRecord[]): Promise<void> => {
    if (!pager) return;
    const over = all.flatMap(({ id, stages, stopped }) =>
      stages.filter(({ sent }) => sent || stopped).map(({ stage }) => `deadline/${id}/${stage}/`),
    );
    for (const { body } of called) {
      const { key, group: woken } = body;
      if (typeof key !== 'string' || typeof woken !== 'string' || !over.some((begin) => key.startsWith(begin))) continue;
      await once(ownKinds.quieted, key, async () => {
        await pager.resolve({ key, nth: 1, groups: [woken] }, AbortSignal.timeout(callWithinMs));
        return {};
      });
    }
  };

  const each = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      failed.inc();
      log.warn({ reason: reasonOf(error) }, 'cannot page anybody about a notification that is due; trying again');
    }
  };

  return {
    look: () =>
      each(async () => {
        const rows = store.eachOfKinds({ kinds: [...deadlineKinds, ...Object.values(ownKinds)], since: '' });
        const { records } = await provenIn(rows, trust);
        const all = deadlinesIn(records, options.signers, options.entity);
        show(all);
        const own = records.filter(({ chain }) => chain.startsWith('desk/'));
        noted = new Set(own.map(({ kind, body }) => `${kind} ${body.key}`));
        for (const due of callsDue(all, now(), options.before)) await each(() => call(due));
        await each(() =>
          quiet(
            all,
            own.filter(({ kind }) => kind === ownKinds.called),
          ),
        );
        for (const record of records) if (record.kind !== ownKinds.quieted) await tell(record);
      }),
    linesOf: async ({ id, run }) => {
      try {
        const all = await readDeadlines(options);
        const ours = all.filter(({ incident }) => incident.id === id && incident.run === run);
        return ours.flatMap((one) => deadlineLines(one, now(), nameOf));
      } catch (error) {
        log.warn({ reason: reasonOf(error) }, 'cannot read the notification deadlines');
        return [];
      }
    },
    metrics: {
      contentType: registry.contentType,
      text: () => registry.metrics(),
      read: () => registry.getMetricsAsJSON(),
    },
  };
}

function incidentIn({ order: signed }: AuditRecord['body']): IncidentRef | undefined {
  const order = deadlineOrderIn(signed);
  return order && { id: order.incident, run: order.run };
}

function calledIn({ incident, run }: AuditRecord['body']): IncidentRef | undefined {
  return typeof incident === 'string' && typeof run === 'string' ? { id: incident, run } : undefined;
}

function namesOf({ id }: IncidentRef): { readonly title: string; readonly cluster: string } {
  const subject = subjectOfIncident(id);
  return subject ? { title: subjectTitle(subject), cluster: subject.cluster } : { title: id, cluster: '' };
}

function callText({ stage: { title, dueAt, stage }, before, deadlines }: DeadlineCall): string {
  const at = new Date(dueAt).toISOString();
  const draft = draftCommand(deadlines, stage);
  return before === 0
    ? `${title}: overdue since ${at}, and not on record as sent. Draft: ${draft}.`
    : `${title}: due ${at}, and not on record as sent. Draft: ${draft}.`;
}

function pageOf(
  { deadlines, key, stage }: DeadlineCall,
  { group, text, nameOf }: { readonly group: string; readonly text: string; readonly nameOf: (id: string) => string },
): Page {
  const { incident, awareAt, startedBy } = deadlines;
  const names = namesOf(incident);
  return {
    ...{ key, nth: 1, group, summary: `${names.title}: ${text}` },
    // Regardless of the incident's severity: a missed deadline cannot be made good.
    incident: { ...incident, ...names, severity: 'critical' },
    details: {
      due: new Date(stage.dueAt).toISOString(),
      'known since': `${new Date(awareAt).toISOString()}, by ${startedBy.map(nameOf).join(' and ')}`,
      'once it is sent': `firebreak deadlines sent ${incident.id} --regime ${deadlines.regime} --stage ${stage.stage} --reference …`,
    },
  };
}
