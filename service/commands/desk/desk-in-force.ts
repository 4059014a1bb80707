import { FirebreakError } from '../../../core/errors.ts';
import { scopeText } from '../../../core/orders/restraint.ts';
import type { CommonOptions } from '../options.ts';
import { print, printJson, printTable, severityText } from '../output.ts';
import { openDesk } from './desk-client.ts';
import type { DeskPlace } from './desk-options.ts';

interface InForceOptions extends CommonOptions {
  readonly all?: true;
}

/** What is proposed, or over, a desk does not show. */
async function overviewOf(at: DeskPlace, { all }: InForceOptions) {
  if (all)
    throw new FirebreakError(
      'FB_ERR_INCOMPLETE',
      'a desk shows what is in force now: --all goes with --config, and not with --desk',
    );
  return (await openDesk(at)).ask('overview');
}

function notSaid(): FirebreakError {
  return new FirebreakError('FB_ERR_UNAVAILABLE', 'the cell does not say now what is in force: ask again in a moment');
}

const untilText = (iso: string): string => iso.replace('T', ' ').slice(0, 16);

/** `firebreak restraints list --desk`. */
export async function listRestraintsAtDesk(at: DeskPlace, options: InForceOptions): Promise<void> {
  const { restraints: rows } = (await overviewOf(at, options)).guardrails;
  if (!rows) throw notSaid();
  if (options.json) return printJson(rows.map(({ title: _, ...terms }) => ({ ...terms, status: { state: 'active' } })));
  if (rows.length === 0) return print('Nothing is frozen.');
  printTable(rows, [
    { title: 'ID', text: ({ id }) => id },
    { title: 'MODE', text: ({ mode }) => mode },
    { title: 'STATE', text: () => 'active' },
    { title: 'UNTIL', text: ({ until }) => untilText(until) },
    { title: 'OWNER', text: ({ owner }) => owner },
    { title: 'SCOPE', text: ({ scope: { kind, name = '' } }) => scopeText(kind === 'cluster' ? { kind } : { kind, name }) },
    { title: 'REASON', text: ({ reason }) => reason },
  ]);
}

/** `firebreak suppress list --desk`. */
export async function listSuppressionsAtDesk(at: DeskPlace, options: InForceOptions): Promise<void> {
  const { suppressions: rows } = await overviewOf(at, options);
  if (!rows) throw notSaid();
  if (options.json) return printJson(rows.map(({ title: _, ...terms }) => ({ ...terms, status: { state: 'active' } })));
  if (rows.length === 0) return print('Nothing is hidden.');
  printTable(rows, [
    { title: 'ID', text: ({ id }) => id },
    { title: 'STATE', text: () => 'active' },
    { title: 'UNTIL', text: ({ until }) => untilText(until) },
    { title: 'UP TO', text: ({ upTo }) => upTo },
    { title: 'HIDDEN', text: ({ hidden }) => (hidden === null ? '?' : String(hidden)) },
    { title: 'OWNER', text: ({ owner }) => owner },
    { title: 'WORKLOAD', text: ({ workload }) => workload },
    { title: 'RULE', text: ({ rule }) => rule },
  ]);
}

/** `firebreak get --desk`: what is open, and what is held. */
export async function getAtDesk(
  at: DeskPlace,
  { json, namespace }: CommonOptions & { readonly namespace?: string },
): Promise<void> {
  const desk = await openDesk(at);
  const query = { state: 'open' as const, limit: 200, ...(namespace !== undefined && { namespace }) };
  const [{ items: incidents, next }, { containments: all }] = await Promise.all([
    desk.ask('incidents', { query }),
    desk.ask('overview'),
  ]);
  const containments = all.filter((one) => namespace === undefined || one.namespace === namespace);
  if (json) return printJson({ incidents, containments });
  if (incidents.length + containments.length === 0) return print('Nothing is open, and nothing is in force.');
  printTable(incidents, [
    { title: 'incident', text: ({ title }) => title },
    { title: 'state', text: ({ state }) => state },
    { title: 'severity', text: ({ severity }) => severity, style: (row, text) => severityText(row.severity, text.length) },
    { title: 'reached', text: ({ reached }) => reached },
    { title: 'verdict', text: ({ verdict }) => verdict },
    { title: 'opened', text: ({ openedAt }) => openedAt },
  ]);
  if (next !== null) print(`… and more: these are the newest ${incidents.length}. firebreak incidents list has --limit.`);
  if (containments.length === 0) return;
  print();
  printTable(containments, [
    { title: 'held', text: ({ title }) => title },
    { title: 'containments', text: ({ contained }) => String(contained) },
    { title: 'severity', text: ({ severity }) => severity, style: (row, text) => severityText(row.severity, text.length) },
    { title: 'since', text: ({ since }) => since },
  ]);
}
