import type { Command } from 'commander';
import { FirebreakError } from '../../../core/errors.ts';
import { type CommonOptions, withExamples, withJson } from '../options.ts';
import { print, printable, printJson } from '../output.ts';

interface GraphOptions extends CommonOptions {
  readonly svg?: true;
  readonly pack?: string;
  readonly alert?: string;
}

/** Adds `firebreak playbooks graph`: steps, questions and ends, found by simulating every answer. */
export function registerGraphCommand(playbooks: Command): void {
  withExamples(
    withJson(
      playbooks
        .command('graph')
        .description('draw the steps, questions and outcomes of a playbook, by simulating every answer')
        .argument('<id>', 'id of the playbook')
        .option('--svg', 'write an SVG picture instead of Mermaid')
        .option('--pack <path>', 'folder of a pack with its firebreak.pack.ts (default: what is shipped)')
        .option('--alert <file>', 'the alert to try it on (default: a sample, contained at once and not)'),
    ),
    ['firebreak playbooks graph contain-dropped-binary', 'firebreak playbooks graph miner --pack . --svg > miner.svg'],
  ).action(draw);
}

async function draw(id: string, { json, svg, pack, alert: file }: GraphOptions): Promise<void> {
  // The simulation engine is loaded only when needed: `playbooks list` is part of this command, too.
  const { withSimulations } = await import('../../simulation/sandboxed.ts');
  const { readAlerts } = await import('../../simulation/read-alerts.ts');
  const { mermaidOf } = await import('../../../testing/graph.ts');
  const { svgOf } = await import('../../../testing/graph-svg.ts');
  const read = file === undefined ? undefined : readAlerts([file], 'local');
  const alerts = read?.flatMap((one) => (one.ok ? [one.alert] : []));
  const unread = read?.find((one) => !one.ok);
  if (unread && alerts?.length === 0) throw new FirebreakError('FB_ERR_ALERT_INVALID', `${unread.from}: ${unread.reason}`);
  const { playbook, title, drawn } = await withSimulations(pack, (simulations) => simulations.graph({ id, alerts }));
  if (!drawn)
    throw new FirebreakError(
      file === undefined ? 'FB_ERR_INCOMPLETE' : 'FB_ERR_ALERT_INVALID',
      file === undefined
        ? `no alert could be made up for ${playbook}: give one with --alert`
        : `${playbook} answers no alert in ${file}`,
      file === undefined ? {} : { remedy: `See its \`on\`; \`firebreak simulate ${file}\` shows what answers it.` },
    );
  const { graph } = drawn;
  if (json) printJson(graph);
  else if (svg) for (const line of svgOf(graph, title).split('\n')) print(printable(line));
  else for (const line of mermaidOf(graph).split('\n')) print(printable(line));
}
