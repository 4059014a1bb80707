import type { ListedIncident } from '../../../core/console/console.schema.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { scopeText } from '../../../core/orders/restraint.ts';
import type { CommonOptions } from '../options.ts';
import { print, printJson, printTable, severityText } from '../output.ts';
import { openDesk } from './desk-client.ts';
import type { DeskPlace } from './desk-options.ts';

interface InForceOptions extends CommonOptions {
  readonly all?: true;
}

/** A desk does not show what is only proposed or already over. */
async function overviewOf(at: DeskPlace, { all }: InForceOptions) {
  if (all)
    throw new FirebreakError(
      'FB_ERR_INCOMPLETE',
      'a desk shows only what is in force now: use --all with --config, not with --desk',
    );
  return (await openDesk(at)).ask('overview');
}

function notSaid(): FirebreakError {
  return new FirebreakError('FB_ERR_UNAVAILABLE', 'the cell cannot report what is in force at the moment: try again shortly');
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

const mostIncidents = 200;
/** Maximum length of a search text. */
const longestSearch = 100;

interface GetOptions extends CommonOptions {
  readonly namespace?: string;
}

/** `firebreak get --desk`: what is open, and what is contained. */
export async function getAtDesk(at: DeskPlace, { json, namespace }: GetOptions): Promise<void> {
  const desk = await openDesk(at);
  const query = { state: 'open' as const, limit: mostIncidents, ...(namespace !== undefined && { namespace }) };
  const [{ items: incidents, next }, { containments: all }] = await Promise.all([
    desk.ask('incidents', { query }),
    desk.ask('overview'),
  ]);
  const containments = all.filter((one) => namespace === undefined || one.namespace === namespace);
  if (json) return printJson({ incidents, containments });
  if (incidents.length + containments.length === 0) return print('Nothing is open, and nothing is in force.');
  printIncidents(incidents);
  if (next !== null)
    print(`… and more: these are the newest ${incidents.length}. For more, use firebreak incidents list --limit.`);
  if (containments.length === 0) return;
  print();
  printTable(containments, [
    { title: 'held', text: ({ title }) => title },
    { title: 'containments', text: ({ contained }) => String(contained) },
    { title: 'severity', text: ({ severity }) => severity, style: (row, text) => severityText(row.severity, text.length) },
    { title: 'since', text: ({ since }) => since },
  ]);
}

/** `firebreak get POD --desk`: what is open about a pod, what holds it and until when, and who is asked. Without a namespace, any pod of that name. */
export async function getPodAtDesk(at: DeskPlace, pod: string, { json, namespace }: GetOptions): Promise<void> {
  const desk = await openDesk(at);
  const query = {
    ...{ state: 'open' as const, limit: mostIncidents, text: pod.slice(0, longestSearch) },
    ...(namespace !== undefined && { namespace }),
  };
  const { items } = await desk.ask('incidents', { query });
  const isMeant = (name: string): boolean =>
    namespace === undefined ? name.endsWith(`/${pod}`) : name === `${namespace}/${pod}`;
  const incidents = items.filter(({ pods }) => pods.some(isMeant));
  const shown = await Promise.all(incidents.map(({ key }) => desk.ask('incident', { params: { key } })));
  const containments = shown.flatMap(({ leases, questions }) =>
    leases
      .filter(({ state, target }) => isHeld.has(state) && (!target.startsWith('pod/') || isMeant(target.slice('pod/'.length))))
      .map(({ target, action, until, question }) => {
        const asked = questions.find(({ id }) => id === question) ?? questions[0];
        return { target, action, until, asked: asked?.level.group ?? null };
      }),
  );
  if (json) return printJson({ incidents, containments });
  if (incidents.length === 0) return print(`No open incident that you may see names ${pod}.`);
  printIncidents(incidents);
  if (containments.length > 0) {
    print();
    printTable(containments, [
      { title: 'held', text: ({ target }) => target },
      { title: 'by', text: ({ action }) => action },
      { title: 'until', text: ({ until }) => until ?? 'people end it' },
      { title: 'asked', text: ({ asked }) => asked ?? 'nobody now' },
    ]);
  }
  for (const { live, incident } of shown)
    if (!live) print(`${incident.title} does not answer now: what holds the pod, and until when, is not known here.`);
}

const isHeld: ReadonlySet<string> = new Set(['active', 'permanent', 'releasing', 'drifted']);

function printIncidents(incidents: readonly ListedIncident[]): void {
  printTable(incidents, [
    { title: 'incident', text: ({ title }) => title },
    { title: 'state', text: ({ state }) => state },
    { title: 'severity', text: ({ severity }) => severity, style: (row, text) => severityText(row.severity, text.length) },
    { title: 'reached', text: ({ reached }) => reached },
    { title: 'verdict', text: ({ verdict }) => verdict },
    { title: 'opened', text: ({ openedAt }) => openedAt },
  ]);
}
