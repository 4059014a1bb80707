import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { FirebreakError } from '../../../core/errors.ts';
import { createBox } from '../../../integrations/crypto-box/box.ts';
import { configToUse } from '../../config/left-out.ts';
import { resolveSecrets } from '../../config/secrets.ts';
import { askRunningService, type RejectedAlertsAccess } from '../../intake/control.ts';
import { sealedFor } from '../../intake/read/receive.ts';
import { type RejectedAlert, RejectedAlerts, type ShownAlert } from '../../intake/spool/rejected-alerts.ts';
import { Spool } from '../../intake/spool/spool.ts';
import { type ConfirmOptions, confirm, mustBeConfirmable, withConfirmation } from '../confirm.ts';
import { type ConfiguredOptions, withConfig, withExamples } from '../options.ts';
import { print, printable, printFacts, printJson, printTable } from '../output.ts';
import { reasonOption } from '../reason.ts';

interface Kind {
  readonly command: 'rejected' | 'refused';
  /** First letter of its ids. */
  readonly letter: 'r' | 't';
  readonly description: string;
  readonly none: string;
}

const kinds: readonly Kind[] = [
  {
    command: 'rejected',
    letter: 'r',
    description: 'alerts that could not be read, or that their sender may not report',
    none: 'Nothing was rejected.',
  },
  {
    command: 'refused',
    letter: 't',
    description: 'alerts that were accepted, but that Temporal permanently refuses',
    none: 'Temporal refused nothing.',
  },
];

/** `firebreak alerts rejected …` and `… refused …`: alerts that arrived and did not reach an incident; runs on the cell's machine. */
export function registerRejectedCommands(alerts: Command): void {
  for (const kind of kinds) registerKind(alerts.command(kind.command).description(kind.description), kind);
}

function registerKind(group: Command, kind: Kind): void {
  const { command, letter } = kind;
  withExamples(withConfig(group.command('list').description('list them, newest first')), [
    `firebreak alerts ${command} list`,
  ]).action((options: ConfiguredOptions) => withRejected(options, ({ rejected }) => list(rejected, kind, options)));
  withExamples(withConfig(group.command('show').description('show one, with the bytes as received').argument('<id>')), [
    `firebreak alerts ${command} show ${letter}12`,
  ]).action((id: string, options: ConfiguredOptions) =>
    withRejected(options, (session) => show(session, kind, { id, ...options })),
  );
  withExamples(
    withConfig(
      group
        .command('replay')
        .description('accept them again, after a fix: accepted ones leave the list')
        .argument('[ids...]')
        .option('--all', 'all on the list'),
    ),
    [`firebreak alerts ${command} replay ${letter}12 ${letter}13`, `firebreak alerts ${command} replay --all`],
  ).action((ids: readonly string[], options: SeveralOptions, own: Command) => {
    mustName(ids, options, own);
    return withRejected(options, (session) => replay(session, kind, { ids, ...options }));
  });
  withExamples(
    withConfirmation(
      withConfig(
        group
          .command('drop')
          .description('remove them from the list for good: nothing will be done about them')
          .argument('[ids...]')
          .option('--all', 'all on the list')
          .addOption(reasonOption('why; goes into the log').makeOptionMandatory()),
      ),
    ),
    [`firebreak alerts ${command} drop ${letter}12 --reason 'a test of ours'`],
  ).action((ids: readonly string[], options: DropOptions, own: Command) => {
    mustName(ids, options, own);
    mustBeConfirmable(options, 'the name of the cluster');
    return withRejected(options, (session) => drop(session, kind, { ids, ...options }));
  });
}

/** Selecting all requires saying so explicitly. */
function mustName(ids: readonly string[], { all }: SeveralOptions, command: Command): void {
  if ((ids.length === 0) === (all === undefined)) command.error('error: name the ids or use --all, but not both');
}

interface SeveralOptions extends ConfiguredOptions {
  readonly all?: true;
}

interface DropOptions extends SeveralOptions, ConfirmOptions {
  readonly reason: string;
}

interface RejectedSession {
  /** Cluster of the cell that stores them. */
  readonly cluster: string;
  readonly rejected: RejectedAlertsAccess;
  readonly open: (shown: ShownAlert) => Uint8Array;
}

/** Asks the running service; if none runs, reads its spool. */
async function withRejected(options: ConfiguredOptions, work: (session: RejectedSession) => Promise<void>): Promise<void> {
  const config = configToUse(options.config);
  const { codecKeys } = resolveSecrets({ config, env: process.env, roles: [] });
  const box = createBox({ keys: codecKeys });
  const open = ({ sealed = '', sealedFor: what = 'rejected' }: ShownAlert): Uint8Array =>
    sealed === '' ? new Uint8Array() : box.open(Buffer.from(sealed, 'base64'), sealedFor[what]);
  const { dir: directory, maxBytes } = config.intake.spool;
  const running = await askRunningService(directory);
  if (running !== undefined) return work({ cluster: config.cluster, rejected: running, open });
  // On another machine this would create an empty spool, and falsely report "nothing was rejected".
  if (!existsSync(join(directory, 'data.mdb')))
    throw new FirebreakError(
      'FB_ERR_FILE_MISSING',
      `there is no spool in ${directory}: run this on the machine of the cell, with its configuration`,
    );
  const spool = await Spool.open({ directory, maxBytes });
  try {
    const rejected = new RejectedAlerts({ spool });
    await work({
      cluster: config.cluster,
      rejected: {
        list: async () => rejected.list(),
        show: async (id) => rejected.show(id),
        replay: (id, raw) => rejected.replay(id, raw),
        drop: (id, reason) => rejected.drop(id, reason),
      },
      open,
    });
  } finally {
    await spool.close();
  }
}

async function listed(rejected: RejectedAlertsAccess, { letter }: Kind): Promise<readonly RejectedAlert[]> {
  return (await rejected.list()).filter(({ id }) => id.startsWith(letter));
}

async function list(rejected: RejectedAlertsAccess, kind: Kind, { json }: ConfiguredOptions): Promise<void> {
  const items = await listed(rejected, kind);
  if (json) return printJson(items);
  if (items.length === 0) print(kind.none);
  else if (kind.letter === 'r')
    printTable(items, [
      { title: 'ID', text: ({ id }) => id },
      { title: 'WHEN', text: ({ at }) => at },
      { title: 'FROM', text: ({ from }) => from ?? '' },
      { title: 'SENSOR', text: ({ sensor }) => sensor ?? '' },
      { title: 'BYTES', text: ({ bytes, cut }) => `${bytes ?? ''}${cut ? ' (cut)' : ''}` },
      { title: 'WHY', text: ({ reason }) => reason },
    ]);
  else
    printTable(items, [
      { title: 'ID', text: ({ id }) => id },
      { title: 'WHEN', text: ({ at }) => at },
      { title: 'INCIDENT', text: ({ incident }) => incident ?? '' },
      { title: 'RULE', text: ({ rule }) => rule ?? '' },
      { title: 'WHY', text: ({ reason }) => reason },
    ]);
  for (const other of kinds.filter((one) => one !== kind)) {
    const { length } = await listed(rejected, other);
    if (length > 0) print(`\n${length} more are set aside: firebreak alerts ${other.command} list`);
  }
}

async function show(
  { rejected, open }: RejectedSession,
  kind: Kind,
  { id, json }: ConfiguredOptions & { readonly id: string },
): Promise<void> {
  const shown = await known(rejected, kind, id);
  const { sealed: _, sealedFor: __, ...facts } = shown;
  const text = new TextDecoder().decode(open(shown));
  if (json) return printJson({ ...facts, raw: text });
  printFacts(Object.entries(facts).map(([name, value]) => [name, printable(String(value))] as const));
  print();
  for (const line of text.split('\n')) print(printable(line));
}

/** The named ids, or all of the kind, oldest first. */
async function chosen(
  rejected: RejectedAlertsAccess,
  kind: Kind,
  { ids, all }: SeveralOptions & { readonly ids: readonly string[] },
) {
  return all ? (await listed(rejected, kind)).map(({ id }) => id).toReversed() : ids;
}

async function replay(
  { rejected, open }: RejectedSession,
  kind: Kind,
  options: SeveralOptions & { readonly ids: readonly string[] },
): Promise<void> {
  const wanted = await chosen(rejected, kind, options);
  if (wanted.length === 0 && !options.json) print(kind.none);
  for (const id of wanted) {
    const shown = await known(rejected, kind, id);
    const replayed = await rejected.replay(id, kind.letter === 'r' ? open(shown) : new Uint8Array());
    if (replayed.outcome === 'refused' || replayed.outcome === 'unknown') process.exitCode = 1;
    if (options.json) printJson(replayed);
    else print(`${id}  ${replayed.outcome}${replayed.reason === undefined ? '' : `: ${printable(replayed.reason)}`}`);
  }
}

async function drop(
  { cluster, rejected }: RejectedSession,
  kind: Kind,
  options: DropOptions & { readonly ids: readonly string[] },
): Promise<void> {
  const wanted = await chosen(rejected, kind, options);
  if (wanted.length > 0)
    await confirm({ lines: [`Drop for good, from the cluster ${cluster}: ${wanted.join(', ')}`], ends: cluster }, options);
  if (wanted.length === 0 && !options.json) print(kind.none);
  for (const id of wanted) {
    await known(rejected, kind, id);
    const dropped = await rejected.drop(id, options.reason);
    if (dropped.outcome === 'unknown') process.exitCode = 1;
    if (options.json) printJson(dropped);
    else print(`${id}  ${dropped.outcome}`);
  }
}

async function known(rejected: RejectedAlertsAccess, { command, letter }: Kind, id: string): Promise<ShownAlert> {
  const shown = id.startsWith(letter) ? await rejected.show(id) : undefined;
  if (shown !== undefined) return shown;
  const other = kinds.find((one) => one.letter !== letter && id.startsWith(one.letter));
  const hint = other && /^.\d+$/.test(id) ? ` (an id with ${other.letter} belongs to firebreak alerts ${other.command})` : '';
  throw new FirebreakError(
    'FB_ERR_UNKNOWN_ID',
    `nothing is ${command} under ${JSON.stringify(id)}${hint || `: firebreak alerts ${command} list shows what there is`}`,
  );
}
