import { LRUCache } from 'lru-cache';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { AuditRecord } from '../../core/audit/audit.ts';
import { takeProven } from '../../core/audit/audit-check.ts';
import type { FindingKind } from '../../core/audit/audit-report.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import { decisionKinds, RecordedQuestions } from '../../core/audit/decision-events.ts';
import { type DecisionReport, reportOfQuestions } from '../../core/audit/decision-report.ts';
import type { Trust } from '../../core/messages/sender.ts';
import type { Roster } from '../../core/people/roster.ts';
import { isObject } from '../../core/text/plain-json.ts';
import type { Metrics } from '../../integrations/http-door.ts';

/** The findings that a desk is most likely to make while it writes and signs: shown from the start. */
const toldKinds: readonly FindingKind[] = [
  'record-forged',
  'record-doubled',
  'record-missing',
  'checkpoint-forged',
  'records-cut',
  'log-forked',
  'log-changed',
  'witness-refused',
];

const ends = { 'question.decided': 'decided', 'question.expired': 'expired', 'question.void': 'void' } as const;
const isEnd = (kind: string): kind is keyof typeof ends => Object.hasOwn(ends, kind);
/** Maximum number of open questions whose start is remembered. */
const mostOpen = 20_000;

const windowMs = 7 * 86_400_000;
/** More frequent scrapes get the same numbers: the records are not read each time. */
const freshMs = 60_000;

interface DeskMetrics extends Metrics {
  /** Called if something is wrong with records that arrived, or with what stood in their place. */
  found(kind: FindingKind): void;
  /** Called with records that have just been written. */
  recorded(records: readonly Pick<AuditRecord, 'kind' | 'chain' | 'at' | 'body'>[]): void;
}

/**
 * Metrics about how people decide. Computed from the records, so that a restart or a second desk counts nothing twice: gauges over seven days, and no counters,
 * except for problems with the records themselves. Labels are ids of playbooks and people from the configuration.
 */
export function createDeskMetrics(options: {
  readonly store: Pick<AuditStore, 'eachOfKinds'>;
  readonly trust: Trust;
  readonly roster: Roster;
  readonly now?: () => number;
}): DeskMetrics {
  const { store, trust, roster, now = Date.now } = options;
  const registry = new Registry();
  const registers = [registry];
  const gauge = <Label extends string>(name: string, help: string, labelNames: Label[]): Gauge<Label> =>
    new Gauge({ name, help: `${help}, in the last seven days`, labelNames, registers });
  const questions = gauge('firebreak_questions', 'Questions to people by their result', ['playbook', 'outcome']);
  const seconds = gauge('firebreak_answer_seconds', 'From the question to the answer that decided it', ['playbook', 'quantile']);
  const quick = gauge('firebreak_quick_approvals', 'Approvals within 10 s of the question', ['playbook']);
  const unproven = gauge(
    'firebreak_records_left_out',
    'Records of questions and answers that are not counted in any of these numbers: their cell has not signed them, or its key is unknown',
    [],
  );
  const load = gauge('firebreak_questions_in_a_shift', 'Most questions to one person in one shift', ['person']);

  // In a separate registry: the others are set again each time.
  const counted = new Registry();
  const findings = new Counter({
    name: 'firebreak_audit_findings_total',
    help: 'Problems with received records, with what was found in their place, and with checkpoints; since the start of this desk',
    labelNames: ['kind'],
    registers: [counted],
  });
  for (const kind of toldKinds) findings.inc({ kind }, 0);

  const ended = new Counter({
    name: 'firebreak_questions_ended_total',
    help: 'Questions to people that have ended, by outcome; since the start of this desk',
    labelNames: ['outcome'],
    registers: [counted],
  });
  for (const outcome of Object.values(ends)) ended.inc({ outcome }, 0);
  const decided = new Histogram({
    name: 'firebreak_decide_seconds',
    help: 'From the question to the answer that decided it, for questions that this desk has seen from the start',
    buckets: [10, 60, 300, 900, 1_800, 3_600, 14_400],
    registers: [counted],
  });
  const askedAt = new LRUCache<string, number>({ max: mostOpen });
  const recorded: DeskMetrics['recorded'] = (records) => {
    for (const { kind, chain, at, body } of records) {
      if (kind === 'question.asked' && isObject(body.question)) askedAt.set(`${chain} ${body.question.id}`, Date.parse(at));
      if (!isEnd(kind)) continue;
      const key = `${chain} ${body.question}`;
      const since = askedAt.get(key);
      // Standing questions of leases are not put to anyone; for questions asked before this desk started, the start is unknown.
      if (since === undefined) continue;
      askedAt.delete(key);
      ended.inc({ outcome: ends[kind] });
      if (kind === 'question.decided') decided.observe(Math.max(0, (Date.parse(at) - since) / 1_000));
    }
  };

  const show = ({ byPlaybook, people }: DecisionReport): void => {
    registry.resetMetrics();
    for (const { playbook, secondsToAnswer, quickApprovals, ...counts } of byPlaybook) {
      for (const outcome of ['decided', 'expired', 'void', 'open'] as const)
        questions.set({ playbook, outcome }, counts[outcome]);
      if (secondsToAnswer) {
        seconds.set({ playbook, quantile: '0.5' }, secondsToAnswer.p50);
        seconds.set({ playbook, quantile: '0.9' }, secondsToAnswer.p90);
      }
      quick.set({ playbook }, quickApprovals);
    }
    for (const { person, mostInAShift } of people) load.set({ person }, mostInAShift);
  };

  let read: { readonly at: number; readonly done: Promise<void> } | undefined;
  const refresh = async (until: number): Promise<void> => {
    const since = until - windowMs;
    const told = new RecordedQuestions();
    const pages = store.eachOfKinds({ kinds: decisionKinds, since: new Date(since).toISOString() });
    const leftOut = await takeProven(pages, trust, (record) => told.add(record));
    show(reportOfQuestions({ questions: told.all(), roster, since, until }));
    unproven.set(leftOut);
  };
  const refreshed = async (): Promise<void> => {
    const at = now();
    if (!read || at - read.at >= freshMs) read = { at, done: refresh(at) };
    const { done } = read;
    await done.catch((error: unknown) => {
      read = undefined;
      throw error;
    });
  };
  return {
    found: (kind) => findings.inc({ kind }),
    recorded,
    contentType: registry.contentType,
    text: async () => {
      await refreshed();
      return `${await counted.metrics()}\n${await registry.metrics()}`;
    },
    read: async () => {
      await refreshed();
      return [...(await counted.getMetricsAsJSON()), ...(await registry.getMetricsAsJSON())];
    },
  };
}
