import type { Command } from 'commander';
import type { Session } from '../../incidents/session.ts';
import { storedBuild } from '../../temporal/bundle/bundle.ts';
import { currentBuild, deploymentName, pinnedTo } from '../../temporal/versions.ts';
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
  const ids = [...new Set([...(current === undefined ? [] : [current]), ...pinned.keys()])];
  const rows = ids.map((id) => ({
    id,
    current: id === current,
    open: pinned.get(id) ?? 0,
    here: storedBuild(id, config.stateDir) !== undefined,
  }));
  if (options.json) return printJson(rows);
  printTable(rows, [
    { title: 'BUILD', text: ({ id }) => id },
    { title: 'STATE', text: (row) => (row.current ? 'current' : 'drains') },
    { title: 'OPEN', text: ({ open }) => String(open) },
    { title: 'IN THE STATE DIRECTORY HERE', text: ({ here }) => (here ? 'yes' : 'no') },
  ]);
}
