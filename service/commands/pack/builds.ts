import type { Command } from 'commander';
import type { Session } from '../../incidents/session.ts';
import { storedBuild } from '../../temporal/bundle/bundle.ts';
import { currentBuild, deploymentName, knownBuilds, pinnedTo, saidOfBuild } from '../../temporal/versions.ts';
import { type ConfiguredOptions, withConfig, withExamples } from '../options.ts';
import { printJson, printTable } from '../output.ts';
import { withSession } from '../session.ts';

/** Adds `firebreak builds list`. */
export function registerBuildsCommand(program: Command): void {
  const builds = program.command('builds').description('what open incidents run on: Firebreak and packs, in one bundle each');
  withExamples(
    withConfig(builds.command('list').description('list the builds that open incidents are pinned to, and the current one')),
    ['firebreak builds list'],
  ).action((options: ConfiguredOptions) => withSession(options, (session) => list(session, options)));
}

async function list({ client, config }: Session, options: ConfiguredOptions): Promise<void> {
  const deployment = deploymentName(config.cluster);
  const pinned = await pinnedTo({ client, deployment });
  const current = await currentBuild({ client, deployment }).catch(() => undefined);
  const known = await knownBuilds({ client, deployment }).catch(() => []);
  const listed = [...new Set([...(current === undefined ? [] : [current]), ...pinned.keys(), ...known])];
  const all = await Promise.all(
    listed.map(async (id) => {
      const { packs = [], percent = 0 } = (await saidOfBuild({ client, deployment, buildId: id })) ?? {};
      return {
        id,
        current: id === current,
        percent: id === current ? 100 : percent,
        packs,
        open: pinned.get(id) ?? 0,
        here: storedBuild(id, config.stateDir) !== undefined,
      };
    }),
  );
  const ramped = all.filter(({ current, percent }) => !current && percent > 0);
  const rest = 100 - ramped.reduce((sum, { percent }) => sum + percent, 0);
  const rows = all
    .filter(({ current, percent, open }) => current || percent > 0 || open > 0)
    .map((row) => (row.current ? { ...row, percent: rest } : row));
  if (options.json) return printJson(rows);
  printTable(rows, [
    { title: 'BUILD', text: ({ id }) => id },
    { title: 'STATE', text: (row) => (row.current ? 'current' : row.percent > 0 ? 'for some' : 'drains') },
    { title: 'NEW', text: ({ percent }) => `${percent} %` },
    { title: 'OPEN', text: ({ open }) => String(open) },
    { title: 'PACKS', text: ({ packs }) => packs.join(', ') },
    { title: 'IN THE STATE DIRECTORY HERE', text: ({ here }) => (here ? 'yes' : 'no') },
  ]);
}
