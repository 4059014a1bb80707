import { randomBytes } from 'node:crypto';
import { type Command, InvalidArgumentError } from 'commander';
import { provenIn } from '../../../core/audit/audit-check.ts';
import { holdsIn, type RecordHold } from '../../../core/audit/record-holds.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { fullIncidentId } from '../../../core/incident/incident.ts';
import { type HoldScope, holdScopeText, type RecordOrder, recordOrderDone, removalId } from '../../../core/orders/record-hold.ts';
import { createAuditStore } from '../../../integrations/database/audit-store.ts';
import { openDatabase } from '../../../integrations/database/database.ts';
import { openVerifier } from '../../../integrations/keys/ed25519.ts';
import { configToUse } from '../../config/left-out.ts';
import { giveOrder, mustBeId, signedOrder } from '../../incidents/orders.ts';
import { notaryKeyFiles } from '../../process/keys/key-files.ts';
import { openAuditTrust } from '../../records/audit-trust.ts';
import { readCheckpoints } from '../../records/read-checkpoints.ts';
import { readCuts } from '../../records/read-cuts.ts';
import { carryOutRemovals } from '../../records/removals.ts';
import { carryOutCuts, type RetentionParts } from '../../records/retention.ts';
import { type ConfirmOptions, confirm, mustBeConfirmable, withConfirmation } from '../confirm.ts';
import { type ConfiguredOptions, withConfig, withExamples, withPerson } from '../options.ts';
import { print, printable, printJson, printTable } from '../output.ts';
import { reasonOption } from '../reason.ts';
import { withSession } from '../session.ts';
import { existingAuditUrl } from './audit.ts';
import { expectedLog } from './audit-log.ts';
import { withRecords as withProven } from './compliance.ts';
import { type RetiredKeysOption, retiredKeyOption } from './retired-key.ts';

interface OrderOptions extends ConfiguredOptions {
  readonly as: string;
  readonly key: string;
  readonly reason: string;
}

interface AddOptions extends OrderOptions {
  readonly run?: string;
  readonly from?: string;
  readonly until?: string;
}

interface ReadOptions extends ConfiguredOptions, RetiredKeysOption {}

const as = '--as ada --key ~/.firebreak/ada.pem';

/** Adds `firebreak records hold add|end|list`, `firebreak records remove` and `firebreak records cut`. */
export function registerRecordsCommand(program: Command): void {
  const records = program.command('records').description('retention of records, and legal holds');
  const hold = records.command('hold').description('records that are kept whatever the configuration says');
  const ordered = (command: Command): Command =>
    withConfig(withPerson(command, 'who orders it').addOption(reasonOption('why, for the record').makeOptionMandatory()));

  const add = hold
    .command('add')
    .description('keep the records of an incident or a period until two people end the hold, whatever the retention says')
    .argument('[incident]', 'id of the incident; all its runs, including later ones')
    .option('--run <run>', 'only this run of the incident')
    .option('--from <time>', 'instead of an incident: all records of the cluster from this time on (ISO 8601)', time)
    .option('--until <time>', 'and up to this time', time);
  withExamples(ordered(add), [
    `firebreak records hold add shop/Deployment/cart --reason "lawsuit 4711" ${as}`,
    `firebreak records hold add --from 2026-03-01T00:00:00Z --until 2026-04-01T00:00:00Z --reason "inquiry" ${as}`,
  ]).action(addHold);

  const end = hold
    .command('end')
    .description('order the end of a hold; for evidence.stewards, two of whom must order it within 7 days')
    .argument('<hold>', 'id of the hold');
  withExamples(withConfirmation(ordered(end)), [
    `firebreak records hold end 0123456789abcdef --reason "lawsuit 4711 is over" ${as}`,
  ]).action(endHold);

  const list = hold.command('list').description('all holds, who ordered them, and who wants them ended');
  withExamples(withConfig(list.addOption(retiredKeyOption())), ['firebreak records hold list']).action(listHolds);

  const remove = records
    .command('remove')
    .description(
      'order the redaction of records, for example of personal data. Their place, time and kind stay, and the chain still verifies. For evidence.stewards, two of whom must order the same within 7 days',
    )
    .argument('<chain>', 'the chain: INCIDENT@RUN, or desk/NAME')
    .requiredOption('--records <numbers>', 'numbers of the records, such as 3,7-9', recordNumbers);
  withExamples(withConfirmation(ordered(remove)), [
    `firebreak records remove shop/Deployment/cart@0f6c2a52 --records 3,7-9 --reason "erasure request 17" --as lea --key ~/.firebreak/lea.pem`,
  ]).action(removeContent);

  const cut = records
    .command('cut')
    .description(
      'delete records that the desk has marked as expired, and redact those whose redaction two people have ordered; for a database user with that right, if the desk’s user does not have it',
    )
    .option('--carry-out', 'delete and redact them')
    .addOption(retiredKeyOption());
  withExamples(withConfig(cut), ['firebreak records cut', 'firebreak records cut --carry-out']).action(cutRecords);
}

function time(text: string): string {
  const at = new Date(text);
  if (!/^\d{4}-\d{2}-\d{2}T/.test(text) || Number.isNaN(at.getTime()))
    throw new InvalidArgumentError('Expected a time such as 2026-03-01T10:00:00Z.');
  return at.toISOString();
}

const mostRecords = 1_000;

/** Parses `3,7-9`: ascending, without duplicates. */
function recordNumbers(text: string): readonly number[] {
  const parts = text.split(',').map((part) => /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part));
  const numbers = parts.flatMap((part) => {
    const [from, to] = [Number(part?.[1]), Number(part?.[2] ?? part?.[1])];
    return to - from < mostRecords ? Array.from({ length: to - from + 1 }, (_, index) => from + index) : [0];
  });
  const sorted = [...new Set(numbers)].sort((one, other) => one - other);
  if (parts.includes(null) || sorted[0] === undefined || sorted[0] < 1 || sorted.length > mostRecords)
    throw new InvalidArgumentError(`Expected at most ${mostRecords} numbers, such as 3,7-9.`);
  return sorted;
}

function scopeOf(incident: string | undefined, cluster: string, { run, from, until }: AddOptions): HoldScope {
  if (incident !== undefined && from === undefined && until === undefined)
    return { kind: 'incident', incident: fullIncidentId(incident, cluster), ...(run !== undefined && { run }) };
  if (incident === undefined && from !== undefined && until !== undefined) return { kind: 'time', from, until };
  throw new FirebreakError('FB_ERR_INCOMPLETE', 'name either an incident, or --from and --until');
}

async function addHold(incident: string | undefined, options: AddOptions): Promise<void> {
  const { config } = options;
  const scope = scopeOf(incident, configToUse(config).cluster, options);
  const hold = randomBytes(8).toString('hex');
  await give(options, (given) => ({ ...given, kind: 'records.hold', hold, scope }));
  const lacking = scope.kind === 'incident' ? await lackingRecords(scope, config) : undefined;
  if (options.json) return printJson({ hold, scope, ...(lacking !== undefined && { lacking }) });
  print(printable(`On the record: ${holdScopeText(scope)} is held (${hold}).`));
  if (lacking !== undefined) print(printable(lacking));
}

/** A hold may precede its incident, but a mistyped one holds nothing. The hold is on record whether or not this can be checked. */
async function lackingRecords(
  { incident, run }: HoldScope & { readonly kind: 'incident' },
  path: string,
): Promise<string | undefined> {
  try {
    const chains = await withProven(path, undefined, ({ store }) => store.chains([`${incident}@`]));
    if (run === undefined ? chains.length > 0 : chains.includes(`${incident}@${run}`)) return undefined;
    return 'There is no record of it yet. If there should be one, check its id with firebreak incidents list.';
  } catch (error) {
    if (error instanceof FirebreakError) return `Cannot check here whether there is a record of it: ${error.detail}.`;
    throw error;
  }
}

async function endHold(hold: string, options: OrderOptions & ConfirmOptions): Promise<void> {
  mustBeConfirmable(options, hold);
  mustBeId(hold, 'hold');
  const { as: person, config } = options;
  const known = (await holdsOnRecord(config)).find(({ order }) => order.hold === hold);
  if (!known) throw new FirebreakError('FB_ERR_UNKNOWN_ID', `there is no hold ${hold}: see firebreak records hold list`);
  if (known.ended) throw new FirebreakError('FB_ERR_REFUSED', `the hold ${hold} ended at ${known.ended.at}`);
  const { asked, order } = known;
  const what = `end the hold ${hold} of ${holdScopeText(order.scope)}, which ${order.person} ordered: ${order.reason}`;
  await confirm({ lines: [`Order by ${person}: ${what}; what it held may then be cut`], ends: hold }, options);
  await give(options, (given) => ({ ...given, kind: 'records.unhold', hold }));
  if (options.json) return printJson({ hold });
  const beside =
    asked && asked.person !== person ? `${asked.person} ordered the same at ${asked.at}` : 'No other such order is on record yet';
  print(printable(`On the record. ${beside}; it ends with two such orders within 7 days: firebreak records hold list.`));
}

/** According to the cells, which checked who gave the order; only the check of all records shows which holds count. */
function holdsOnRecord(path: string): Promise<readonly RecordHold[]> {
  return withProven(path, undefined, async ({ store, trust, signers }) => {
    const kinds = [recordOrderDone['records.hold'], recordOrderDone['records.unhold']];
    const { records } = await provenIn(store.eachOfKinds({ kinds, since: '' }), trust);
    return holdsIn(
      records.map((record) => ({ record })),
      signers,
    );
  });
}

async function removeContent(
  written: string,
  options: OrderOptions & ConfirmOptions & { readonly records: readonly number[] },
): Promise<void> {
  mustBeConfirmable(options, written);
  const { cluster } = configToUse(options.config);
  const [, id, run] = /^(.+)@([^@]+)$/.exec(written) ?? [];
  const chain = id === undefined || written.startsWith('desk/') ? written : `${fullIncidentId(id, cluster)}@${run}`;
  const { records, as: person } = options;
  const removal = removalId({ chain, records });
  const what = `the content of ${records.length === 1 ? 'record' : 'records'} ${records.join(', ')} of ${chain}`;
  await confirm({ lines: [`Order by ${person}: remove ${what}. It cannot be restored.`], ends: chain }, options);
  await give(options, (given) => ({ ...given, kind: 'records.remove', removal, chain, records }));
  if (options.json) return printJson({ removal, chain, records });
  print(
    printable(
      `On the record (${removal}). It is removed once two people have ordered the same within 7 days, and no hold covers it.`,
    ),
  );
}

/** Puts an order on record in the control workflow, where cuts look for it. */
function give(
  { as: person, key, reason, config }: OrderOptions,
  order: (given: Pick<RecordOrder, 'version' | 'person' | 'at' | 'cluster' | 'reason'>) => RecordOrder,
): Promise<unknown> {
  return withSession({ config }, async (session) => {
    const given = order({ version: 1, person, at: new Date().toISOString(), cluster: session.config.cluster, reason });
    const done = recordOrderDone[given.kind];
    return giveOrder(session, await signedOrder(given, key), (_, ours) => ours.find(({ kind }) => kind === done));
  });
}

/** Runs `work` with the current records. */
async function withRecords<Result>(options: ReadOptions, work: (parts: RetentionParts) => Promise<Result>): Promise<Result> {
  const config = configToUse(options.config);
  const { retention } = config.audit;
  const { trust, signers } = await openAuditTrust(config, options.retiredKey ?? []);
  const verifier = await openVerifier({ files: notaryKeyFiles(config.audit) });
  const database = await openDatabase({ url: existingAuditUrl(config) });
  try {
    const log = await expectedLog(config, {});
    return await work({ store: createAuditStore(database), log, verifier, trust, signers, retention });
  } finally {
    await database.close();
  }
}

async function listHolds(options: ReadOptions): Promise<void> {
  const { holds, damage } = await withRecords(options, async (parts) => {
    return readCuts({ ...parts, checkpoints: await readCheckpoints(parts), now: new Date() });
  });
  if (options.json) return printJson(holds);
  if (damage.length > 0) print('The records of holds are damaged: firebreak audit verify shows what is wrong.');
  if (holds.length === 0) return print('Nothing is held.');
  printTable(holds, [
    { title: 'HOLD', text: ({ order }) => order.hold },
    { title: 'WHAT', text: ({ order }) => holdScopeText(order.scope) },
    { title: 'BY', text: ({ order }) => order.person },
    { title: 'SINCE', text: ({ order }) => order.at },
    { title: 'STATE', text: stateText },
    { title: 'REASON', text: ({ order }) => order.reason },
  ]);
}

function stateText({ asked, ended }: RecordHold): string {
  if (ended) return `ended at ${ended.at} by ${ended.by.join(' and ')}`;
  return asked ? `held; ${asked.person} ordered its end at ${asked.at}` : 'held';
}

async function cutRecords(options: ReadOptions & { readonly carryOut?: true }): Promise<void> {
  const isTrial = options.carryOut !== true;
  const [done, removed] = await withRecords(options, async (parts) => [
    await carryOutCuts(parts, { isTrial }),
    await carryOutRemovals(parts, { isTrial }),
  ]);
  const problems = [...done.problems, ...removed.problems];
  if (problems.length > 0) process.exitCode = 1;
  if (options.json) return printJson({ deleted: !isTrial, ...done, removed });
  const what = `${done.records} records of ${done.chains} chains`;
  print(isTrial ? `${what} are marked as expired: --carry-out deletes them.` : `Deleted ${what}.`);
  const said = `The content of ${removed.records} ${removed.records === 1 ? 'record' : 'records'}`;
  if (removed.records > 0) print(isTrial ? `${said} is to be removed: --carry-out removes it.` : `${said} was removed.`);
  if (done.held + removed.held > 0) print(`${done.held + removed.held} chains are held.`);
  for (const problem of problems) print(printable(`Kept: ${problem}.`));
}
