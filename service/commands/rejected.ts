import type { Command } from 'commander';
import { FirebreakError } from '../../core/errors.ts';
import { createBox } from '../../integrations/crypto-box/box.ts';
import { loadConfig } from '../config/load.ts';
import { resolveSecrets } from '../config/secrets.ts';
import { askRunningService, type KeptAlertsAccess } from '../intake/control.ts';
import { KeptAlerts, type ShownAlert } from '../intake/kept-alerts.ts';
import { sealedFor } from '../intake/receive.ts';
import { Spool } from '../intake/spool.ts';
import { type ConfiguredOptions, withConfig, withExamples } from './options.ts';
import { print, printable, printFacts, printJson, printTable } from './output.ts';

/** `firebreak alerts rejected …`: what came and was not taken, and what Temporal refused; on the machine of the cell. */
export function registerRejectedCommand(alerts: Command): void {
  const rejected = alerts
    .command('rejected')
    .description('alerts that could not be read, were forbidden to their sender, or were refused by Temporal');
  withExamples(withConfig(rejected.command('list').description('list them, newest first')), [
    'firebreak alerts rejected list',
  ]).action((options: ConfiguredOptions) => withKept(options, ({ kept }) => list(kept, options)));
  withExamples(withConfig(rejected.command('show').description('show one with its bytes as they came').argument('<id>')), [
    'firebreak alerts rejected show r12',
  ]).action((id: string, options: ConfiguredOptions) => withKept(options, (session) => show(session, id, options)));
  withExamples(
    withConfig(
      rejected
        .command('replay')
        .description('take them again, after a fix: what is taken leaves the list')
        .argument('[ids...]')
        .option('--all', 'all that are listed'),
    ),
    ['firebreak alerts rejected replay r12 t3', 'firebreak alerts rejected replay --all'],
  ).action((ids: readonly string[], options: ConfiguredOptions & { readonly all?: true }) =>
    withKept(options, (session) => replay(session, ids, options)),
  );
}

interface Kept {
  readonly kept: KeptAlertsAccess;
  readonly open: (shown: ShownAlert) => Uint8Array;
}

/** Asks the running service; where none runs, reads its spool. */
async function withKept(options: ConfiguredOptions, work: (session: Kept) => Promise<void>): Promise<void> {
  const config = loadConfig({ path: options.config, env: process.env });
  const { codecKeys } = resolveSecrets({ config, env: process.env, roles: [] });
  const box = createBox({ keys: codecKeys });
  const open = ({ sealed = '', sealedFor: what = 'rejected' }: ShownAlert): Uint8Array =>
    sealed === '' ? new Uint8Array() : box.open(Buffer.from(sealed, 'base64'), sealedFor[what]);
  const { dir: directory, maxBytes } = config.intake.spool;
  const running = await askRunningService(directory);
  if (running !== undefined) return work({ kept: running, open });
  const spool = await Spool.open({ directory, maxBytes });
  try {
    const kept = new KeptAlerts({ spool });
    await work({
      kept: {
        list: async () => kept.list(),
        show: async (id) => kept.show(id),
        replay: (id, raw) => kept.replay(id, raw),
      },
      open,
    });
  } finally {
    await spool.close();
  }
}

async function list(kept: KeptAlertsAccess, { json }: ConfiguredOptions): Promise<void> {
  const items = await kept.list();
  if (json) return printJson(items);
  if (items.length === 0) return print('Nothing is kept apart.');
  printTable(items, [
    { title: 'ID', text: ({ id }) => id },
    { title: 'WHEN', text: ({ at }) => at },
    { title: 'FROM', text: ({ from, sensor }) => from ?? sensor ?? '' },
    { title: 'ABOUT', text: ({ incident, rule, bytes }) => incident ?? rule ?? (bytes === undefined ? '' : `${bytes} bytes`) },
    { title: 'WHY', text: ({ reason }) => reason },
  ]);
}

async function show({ kept, open }: Kept, id: string, { json }: ConfiguredOptions): Promise<void> {
  const shown = await known(kept, id);
  const { sealed: _, sealedFor: __, ...facts } = shown;
  const text = new TextDecoder().decode(open(shown));
  if (json) return printJson({ ...facts, raw: text });
  printFacts(Object.entries(facts).map(([name, value]) => [name, printable(String(value))] as const));
  print();
  for (const line of text.split('\n')) print(printable(line));
}

async function replay(
  { kept, open }: Kept,
  ids: readonly string[],
  { json, all }: ConfiguredOptions & { readonly all?: true },
): Promise<void> {
  const wanted = all ? (await kept.list()).map(({ id }) => id).toReversed() : ids;
  if (wanted.length === 0 && !all) throw new FirebreakError('FB_ERR_NOT_FOUND', 'name the ids to replay, or --all');
  for (const id of wanted) {
    const shown = await known(kept, id);
    const replayed = await kept.replay(id, id.startsWith('r') ? open(shown) : new Uint8Array());
    if (replayed.outcome === 'refused' || replayed.outcome === 'unknown') process.exitCode = 1;
    if (json) printJson(replayed);
    else print(`${id}  ${replayed.outcome}${replayed.reason === undefined ? '' : `: ${printable(replayed.reason)}`}`);
  }
}

async function known(kept: KeptAlertsAccess, id: string): Promise<ShownAlert> {
  const shown = await kept.show(id);
  if (shown === undefined) throw new FirebreakError('FB_ERR_NOT_FOUND', `nothing is kept apart under ${JSON.stringify(id)}`);
  return shown;
}
