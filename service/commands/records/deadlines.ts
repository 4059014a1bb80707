import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { deadlineLines, draftCommand, type IncidentDeadlines } from '../../../core/compliance/deadlines.ts';
import { type NotificationStage, type Regime, regimes, stages } from '../../../core/compliance/notification.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { fullIncidentId, type IncidentRef } from '../../../core/incident/incident.ts';
import type { DeadlineDraft, DeadlineOrder } from '../../../core/orders/deadline-order.ts';
import { reasonToSign } from '../../../core/text/reason.ts';
import { type Names, namesWithIds } from '../../incidents/names.ts';
import { giveDeadlineOrder, signedOrder } from '../../incidents/orders.ts';
import { provenRunOf } from '../../records/incident-run.ts';
import { readDeadlines } from '../../records/read-deadlines.ts';
import { type ConfirmOptions, confirm, mustBeConfirmable, withConfirmation } from '../confirm.ts';
import { type ConfiguredOptions, withConfig, withExamples, withPerson } from '../options.ts';
import { print, printable, printJson } from '../output.ts';
import { reasonOption } from '../reason.ts';
import { withSession } from '../session.ts';
import { type OpenRecords, withRecords } from './compliance.ts';

interface NamedOptions extends ConfiguredOptions {
  readonly regime: Regime;
  readonly run?: string;
}

interface OrderOptions extends NamedOptions {
  readonly as: string;
  readonly key: string;
}

interface ReasonedOptions extends OrderOptions {
  readonly reason: string;
}

interface StartOptions extends ReasonedOptions {
  readonly aware?: string;
}

interface SentOptions extends OrderOptions {
  readonly stage: NotificationStage;
  readonly reference: string;
  readonly at?: string;
}

interface MeasureOptions extends ReasonedOptions {
  readonly at?: string;
}

const as = '--as ada --key ~/.firebreak/ada.pem';

/** Adds `firebreak deadlines start|sent|measure|stop|list`. */
export function registerDeadlinesCommand(program: Command): void {
  const deadlines = program
    .command('deadlines')
    .description('deadlines for notifying authorities of incidents; Firebreak reminds people and sends nothing itself');
  const named = (name: string, description: string): Command =>
    withConfig(
      withPerson(deadlines.command(name).description(description), 'who decides it')
        .argument('<incident>', 'id of the incident, with or without incident/CLUSTER/ before it')
        .addOption(new Option('--regime <name>', 'under which law').choices(regimes).makeOptionMandatory())
        .option('--run <run>', 'an earlier run of this incident'),
    );
  const reasoned = (name: string, description: string): Command =>
    named(name, description).addOption(reasonOption('why, for the record').makeOptionMandatory());

  const start = reasoned('start', 'decide that an incident has to be notified: its deadlines run from then on').option(
    '--aware <time>',
    'when the organisation became aware (ISO 8601); default: the first alert, which is the earliest possible time',
    time,
  );
  withExamples(start, [
    `firebreak deadlines start shop/Deployment/cart --regime nis2 --reason "customers are cut off" ${as}`,
    `firebreak deadlines start shop/Deployment/cart --regime cra-incident --aware 2026-03-01T10:00:00Z --reason "…" ${as}`,
  ]).action(startDeadlines);

  const sent = named('sent', 'record that a notification was sent')
    .addOption(new Option('--stage <stage>', 'which of the three').choices(stages).makeOptionMandatory())
    .requiredOption('--reference <text>', 'the reference that the authority knows it by', reference)
    .option('--at <time>', 'when it was sent (ISO 8601); default: now', time);
  withExamples(sent, [
    `firebreak deadlines sent shop/Deployment/cart --regime nis2 --stage early-warning --reference CSIRT-4711 ${as}`,
  ]).action(markSent);

  const measure = reasoned(
    'measure',
    'record that a corrective or mitigating measure is available: the final report is due 14 days later',
  ).option('--at <time>', 'since when (ISO 8601); default: now', time);
  withExamples(measure, [
    `firebreak deadlines measure shop/Deployment/cart --regime cra-vulnerability --reason "1.4.2 is out" ${as}`,
  ]).action(markMeasure);

  const stop = reasoned('stop', 'decide that no notification is needed; not by the person who started the deadlines');
  withExamples(withConfirmation(stop), [
    `firebreak deadlines stop shop/Deployment/cart --regime nis2 --reason "it was a test" ${as}`,
  ]).action(stopDeadlines);

  const list = deadlines
    .command('list')
    .description('list what has to be sent, by when, and what was sent')
    .option('--all', 'also show those that were stopped');
  withExamples(withConfig(list), ['firebreak deadlines list', 'firebreak deadlines list --all --json']).action(listDeadlines);
}

function time(text: string): string {
  const at = new Date(text);
  if (!/^\d{4}-\d{2}-\d{2}T.*(?:Z|[+-]\d{2}:\d{2})$/.test(text) || Number.isNaN(at.getTime()))
    throw new InvalidArgumentError('Expected a time such as 2026-03-01T10:00:00Z.');
  return at.toISOString();
}

function reference(text: string): string {
  const trimmed = text.trim();
  if (trimmed === '' || trimmed.length > 200) throw new InvalidArgumentError('Expected 1 to 200 characters.');
  return reasonToSign(trimmed);
}

async function startDeadlines(written: string, options: StartOptions): Promise<void> {
  const found = await withRecords(options.config, undefined, async ({ config, ...read }) => {
    const incident = fullIncidentId(written, config.cluster);
    const { chain, records } = await provenRunOf(read, incident, options.run);
    return {
      incident,
      run: chain.slice(incident.length + 1),
      opened: records.find(({ kind }) => kind === 'incident.opened')?.at,
    };
  });
  const awareAt = options.aware ?? found.opened;
  if (awareAt === undefined)
    throw new FirebreakError(
      'FB_ERR_INCOMPLETE',
      'its start is not on record: give the time when you became aware of it with --aware TIME',
    );
  const { incident, run } = found;
  await give(options, { kind: 'deadline.start', incident, run, regime: options.regime, awareAt, reason: options.reason });
}

async function markSent(written: string, options: SentOptions): Promise<void> {
  const { incident } = await runningOf(written, options);
  const { regime, stage, reference: known, at: sentAt = new Date().toISOString() } = options;
  await give(options, { kind: 'deadline.sent', ...orderOf(incident), regime, stage, sentAt, reference: known });
}

async function markMeasure(written: string, options: MeasureOptions): Promise<void> {
  const { incident } = await runningOf(written, options);
  const { regime, reason, at: availableAt = new Date().toISOString() } = options;
  await give(options, { kind: 'deadline.measure', ...orderOf(incident), regime, availableAt, reason });
}

async function stopDeadlines(written: string, options: ReasonedOptions & ConfirmOptions): Promise<void> {
  mustBeConfirmable(options, written);
  const { incident, startedBy } = await runningOf(written, options);
  const { regime, reason, as: person } = options;
  if (startedBy.includes(person))
    throw new FirebreakError('FB_ERR_REFUSED', 'you started these deadlines: somebody else must decide to stop them');
  const lines = [`Order by ${person}: ${incident.id} does not have to be notified (${regime}); nobody is called for it any more`];
  await confirm({ lines, ends: incident.id }, options);
  await give(options, { kind: 'deadline.stop', ...orderOf(incident), regime, reason });
}

function orderOf({ id, run }: IncidentRef): Pick<DeadlineOrder, 'incident' | 'run'> {
  return { incident: id, run };
}

/** @throws FB_ERR_UNKNOWN_ID, FB_ERR_INCOMPLETE */
async function runningOf(written: string, options: NamedOptions): Promise<IncidentDeadlines> {
  const { regime, run } = options;
  const [found, another] = await withRecords(options.config, undefined, async ({ config, ...read }) => {
    const id = fullIncidentId(written, config.cluster);
    const isMeant = ({ incident, ...of }: IncidentDeadlines): boolean =>
      incident.id === id && of.regime === regime && !of.stopped && (run === undefined || incident.run === run);
    return (await readDeadlines(read)).filter(isMeant);
  });
  if (!found)
    throw new FirebreakError(
      'FB_ERR_UNKNOWN_ID',
      `${written} has no running deadlines under ${regime}: see firebreak deadlines list`,
    );
  if (another)
    throw new FirebreakError('FB_ERR_INCOMPLETE', 'several runs of this incident have running deadlines: name one with --run');
  return found;
}

/** Records reach the store a moment after the order is accepted. */
const onRecordWithinMs = 20_000;

/**
 * Gives the order, and waits until the records show it: deadlines are computed only from records.
 * @throws FB_ERR_VOTE_REFUSED, FB_ERR_UNAVAILABLE
 */
async function give(options: OrderOptions, draft: DeadlineDraft): Promise<void> {
  const { as: person, key, json } = options;
  await withSession(options, async (session) => {
    const order = { version: 1, person, at: new Date().toISOString(), cluster: session.config.cluster, ...draft } as const;
    await giveDeadlineOrder(session, await signedOrder<DeadlineOrder>(order, key));
  });
  const isMeant = ({ incident, regime }: IncidentDeadlines): boolean =>
    incident.id === draft.incident && incident.run === draft.run && regime === draft.regime;
  const until = Date.now() + onRecordWithinMs;
  const { after, nameOf } = await withRecords(options.config, undefined, async (records) => {
    for (;;) {
      const { found, nameOf } = await read(records);
      const after = found.findLast(isMeant);
      if ((after && shows(after, draft, person)) || Date.now() > until) return { after, nameOf };
      await sleep(500);
    }
  });
  if (!after || !shows(after, draft, person))
    throw new FirebreakError(
      'FB_ERR_UNAVAILABLE',
      'the order was accepted, but is not among the records yet: firebreak deadlines list shows when it is',
    );
  if (json) return printJson(after);
  printDeadlines(after, nameOf);
}

function shows({ stages: all, startedBy, measureAt, stopped }: IncidentDeadlines, draft: DeadlineDraft, person: string): boolean {
  switch (draft.kind) {
    case 'deadline.start':
      return startedBy.includes(person);
    case 'deadline.sent':
      return all.some(({ stage, sent }) => stage === draft.stage && sent !== undefined);
    case 'deadline.measure':
      return measureAt !== undefined;
    case 'deadline.stop':
      return stopped !== undefined;
  }
}

async function listDeadlines(options: ConfiguredOptions & { readonly all?: true }): Promise<void> {
  const { found, nameOf } = await withRecords(options.config, undefined, read);
  const shown = options.all ? found : found.filter(({ stopped }) => !stopped);
  if (options.json) return printJson(shown);
  if (shown.length === 0) return print('No incident has to be notified.');
  for (const one of shown) printDeadlines(one, nameOf);
}

async function read(records: OpenRecords): Promise<{ found: readonly IncidentDeadlines[]; nameOf: Names['person'] }> {
  return { found: await readDeadlines(records), nameOf: namesWithIds(records.config.roster).person };
}

function printDeadlines(deadlines: IncidentDeadlines, nameOf: Names['person']): void {
  const { incident, stages: all, stopped } = deadlines;
  print(printable(`${incident.id}@${incident.run}`));
  for (const line of deadlineLines(deadlines, Date.now(), nameOf)) print(printable(`  ${line}`));
  const next = stopped ? undefined : all.find(({ sent }) => !sent);
  if (next) print(printable(`  draft: ${draftCommand(deadlines, next.stage)}`));
}

/** For another command to show as well: one line for each deadline of a run, or why they cannot be determined here. */
export async function deadlineLinesOf(options: ConfiguredOptions, { id, run }: IncidentRef): Promise<readonly string[]> {
  try {
    const { found, nameOf } = await withRecords(options.config, undefined, read);
    const ours = found.filter(({ incident }) => incident.id === id && incident.run === run);
    return ours.flatMap((one) => deadlineLines(one, Date.now(), nameOf));
  } catch (error) {
    if (error instanceof FirebreakError) return [`not known here: ${error.detail}`];
    throw error;
  }
}
