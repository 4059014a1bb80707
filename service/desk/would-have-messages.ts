import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { WouldHave, WouldHaveReport } from '../../core/assessment/would-have.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import type { Notice } from '../../core/cards/card.ts';
import { daysText, periodsDue, type ReportPeriod } from '../../core/compliance/period.ts';
import type { Trust } from '../../core/messages/sender.ts';
import { counted } from '../../core/text/counted.ts';
import { createReportDeliveries } from '../../integrations/database/outbound/report-deliveries.ts';
import type { Database } from '../../integrations/database/queries.ts';
import type { Config } from '../config/load.ts';
import { readWouldHave } from '../incidents/would-have.ts';
import { type Logger, reasonOf } from '../process/log.ts';

/** Milliseconds between looks. */
export const wouldHaveEveryMs = 3_600_000;

const mostLines = 12;

interface Parts {
  readonly store: Pick<AuditStore, 'eachOfKinds'>;
  readonly trust: Trust;
  readonly config: Config;
  /** Where it is noted what was sent: one of several desks sends it. */
  readonly database: Database;
  readonly desk: { showNotice(notice: Notice): Promise<unknown> };
  readonly log: Pick<Logger, 'warn'>;
  readonly now?: () => number;
}

/**
 * Posts what mode `contain` would have done: the week in modes `observe` and `ask`, and each day in `observe`, where nobody is asked. Never throws; what could
 * not be posted is tried again at the next look.
 */
export function wouldHaveMessages(parts: Parts): () => Promise<void> {
  const { config, desk, now = Date.now } = parts;
  const deliveries = createReportDeliveries(parts.database, { now });
  const holder = `${hostname()}/${randomUUID()}`;
  const { response } = config;
  const modes = new Set([response.mode, ...response.scopes.map(({ mode }) => mode ?? response.mode)]);

  const send = async (every: 'week' | 'day', noticeOf: (report: WouldHaveReport, period: ReportPeriod) => Notice | undefined) => {
    const name = `would-have/${every}`;
    const period = periodsDue(every, new Set((await deliveries.of(name)).keys()), now()).at(-1);
    if (!period || !(await deliveries.claim({ name, period: period.name, holder }))) return;
    try {
      const notice = noticeOf(await readWouldHave({ ...parts, period }), period);
      if (notice) await desk.showNotice(notice);
      await deliveries.delivered({ name, period: period.name, holder });
    } catch (error) {
      await deliveries.release({ name, period: period.name, holder }).catch(() => undefined);
      throw error;
    }
  };

  return async () => {
    try {
      if (modes.has('observe')) await send('day', digestOf);
      if (modes.has('observe') || modes.has('ask')) await send('week', weekOf);
    } catch (error) {
      parts.log.warn({ reason: reasonOf(error) }, 'cannot post what mode contain would have done; trying again in an hour');
    }
  };
}

/** Nothing is posted for a day without anything. */
function digestOf({ since, until, decisions }: WouldHaveReport, { name }: ReportPeriod): Notice | undefined {
  const observed = decisions.filter(({ mode }) => mode === 'observe');
  if (observed.length === 0) return undefined;
  const [contained, asked] = [
    observed.filter(({ would }) => would === 'contain'),
    observed.filter(({ would }) => would !== 'contain'),
  ];
  return {
    key: `would-have/day/${name}`,
    title: `Mode observe, ${daysText({ since, until }).split(' to ')[0]}`,
    time: until,
    lines: [
      `Would have contained ${counted(contained.length, 'pod')}, and asked ${counted(asked.length, 'question')}. Nothing was done, and nobody was asked.`,
      ...listed(contained),
      ...(contained.length === 0 ? listed(asked) : []),
      'All of them, with their reasons: firebreak report would-have --since 1d',
    ],
    table: [],
  };
}

/** Neither is anything for a week without anything. */
function weekOf({ since, until, rows, snippet }: WouldHaveReport, { name }: ReportPeriod): Notice | undefined {
  if (rows.length === 0) return undefined;
  const sum = (which: 'contain' | 'right' | 'wrong' | 'open' | 'ask' | 'pages'): number =>
    rows.reduce((all, row) => all + row[which], 0);
  const contained = sum('contain');
  const ready = rows.filter(({ advice }) => advice.next !== null);
  return {
    key: `would-have/week/${name}`,
    title: `What mode contain would have done, ${daysText({ since, until })}`,
    time: until,
    lines: [
      contained === 0
        ? 'No pod would have been contained.'
        : `Would have contained ${counted(contained, 'pod')}: ${sum('right')} right, ${sum('wrong')} wrong, ${sum('open')} not judged.`,
      `Would have asked ${counted(sum('ask'), 'question')}, and paged ${counted(sum('pages'), 'time')}.`,
      ...rows
        .slice(0, mostLines)
        .map(({ namespace, mode, contain, ask, advice: { next, why } }) =>
          [
            `${namespace ?? 'no namespace'} (${mode}): ${contain} contained, ${ask} asked.`,
            next === null ? `Not yet: ${why}` : `Ready for mode ${next}: ${why}`,
          ].join(' '),
        ),
      ready.length === 0 ? 'No namespace is ready for the next mode.' : 'To turn it on, write into the configuration:',
    ],
    table: snippet === null ? [] : snippet.split('\n'),
  };
}

function listed(ones: readonly WouldHave[]): readonly string[] {
  const lines = ones
    .slice(0, mostLines)
    .map(
      ({ namespace, pod, rule, reasons }) => `${namespace ?? ''}/${pod ?? 'no pod'}: ${rule} (${reasons.slice(0, 2).join('; ')})`,
    );
  return ones.length > lines.length ? [...lines, `… and ${ones.length - lines.length} more`] : lines;
}
