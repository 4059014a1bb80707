import type { Command } from 'commander';
import type { Session } from '../../incidents/session.ts';
import { storedBuild, storedBuilds } from '../../temporal/bundle/bundle.ts';
import { currentBuild, deploymentName, knownBuilds, pinnedTo, saidOfBuild } from '../../temporal/versions.ts';
import { type ConfiguredOptions, withConfig, withExamples } from '../options.ts';
import { printJson, printTable } from '../output.ts';
import { withSession } from '../session.ts';

/** Adds `firebreak builds list`. */
export function registerBuildsCommand(program: Command): void {
  const builds = program
    .command('builds')
    .description('the builds that open incidents use: Firebreak and packs, in one bundle each');
  withExamples(
    withConfig(
      builds.command('list').description('list the current build, those that open incidents use, and those that are stored here'),
    ),
    ['firebreak builds list'],
  ).action((options: ConfiguredOptions) => withSession(options, (session) => list(session, options)));
}

async function list({ client, config }: Session, options: ConfiguredOptions): Promise<void> {
  const deployment = deploymentName(config.cluster);
  const pinned = await pinnedTo({ client, deployment, types: ['incident'] });
  const controls = await pinnedTo({ client, deployment, types: ['control'] });
  const current = await currentBuild({ client, deployment }).catch(() => undefined);
  const known = await knownBuilds({ client, deployment }).catch(() => []);
  const kept = storedBuilds(config.stateDir);
  const listed = [
    ...new Set([...(current === undefined ? [] : [current]), ...pinned.keys(), ...controls.keys(), ...known, ...kept.keys()]),
  ];
  const all = await Promise.all(
    listed.map(async (id) => {
      const { packs = [], percent = 0 } = (await saidOfBuild({ client, deployment, buildId: id })) ?? {};
      return {
        id,
        current: id === current,
        percent: id === current ? 100 : percent,
        packs,
        open: pinned.get(id) ?? 0,
        control: controls.has(id),
        here: storedBuild(id, config.stateDir) !== undefined,
      };
    }),
  );
  const ramped = all.filter(({ current, percent }) => !current && percent > 0);
  const rest = 100 - ramped.reduce((sum, { percent }) => sum + percent, 0);
  const rows = all
    .map((row) => (row.current ? { ...row, percent: rest } : row))
    .flatMap((row) => {
      if (row.current || row.percent > 0 || row.open > 0 || row.control) return [row];
      const until = kept.get(row.id);
      return until === undefined ? [] : [{ ...row, removedAt: new Date(until).toISOString() }];
    });
  if (options.json) return printJson(rows);
  printTable(rows, [
    { title: 'BUILD', text: ({ id }) => id },
    { title: 'STATE', text: stateOf },
    { title: 'NEW', text: ({ percent }) => `${percent} %` },
    { title: 'OPEN', text: ({ open, control }) => (control ? `${open}, and the control workflow` : String(open)) },
    { title: 'PACKS', text: ({ packs }) => packs.join(', ') },
    { title: 'IN THE STATE DIRECTORY HERE', text: hereText },
  ]);
}

interface Row {
  readonly current: boolean;
  readonly percent: number;
  readonly here: boolean;
  /** Set when nothing needs it any more: the cell removes it then. */
  readonly removedAt?: string;
}

function stateOf({ current, percent, removedAt }: Row): string {
  if (current) return 'current';
  if (percent > 0) return 'for some';
  return removedAt === undefined ? 'drains' : 'retired';
}

function hereText({ here, removedAt }: Row): string {
  if (removedAt !== undefined) return `until ${removedAt.slice(0, 10)}`;
  return here ? 'yes' : 'no';
}
