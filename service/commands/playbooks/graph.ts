import type { Command } from 'commander';
import { FirebreakError } from '../../../core/errors.ts';
import { answering } from '../../../core/playbook/answering.ts';
import { type CommonOptions, withExamples, withJson } from '../options.ts';
import { print, printable, printJson } from '../output.ts';

interface GraphOptions extends CommonOptions {
  readonly svg?: true;
  readonly pack?: string;
  readonly alert?: string;
}

/** Adds `firebreak playbooks graph`: steps, questions and ends, from a simulation of every answer. */
export function registerGraphCommand(playbooks: Command): void {
  withExamples(
    withJson(
      playbooks
        .command('graph')
        .description('draw a playbook: its steps, its questions and its ends, from a simulation of every answer')
        .argument('<id>', 'id of the playbook')
        .option('--svg', 'as a picture, instead of Mermaid')
        .option('--pack <path>', 'folder of a pack with its firebreak.pack.ts (default: what is shipped)')
        .option('--alert <file>', 'the alert that it is tried on (default: one that is made up)'),
    ),
    ['firebreak playbooks graph contain-dropped-binary', 'firebreak playbooks graph miner --pack . --svg > miner.svg'],
  ).action(draw);
}

async function draw(id: string, { json, svg, pack, alert: file }: GraphOptions): Promise<void> {
  // The engine that simulates is loaded only where it is asked for: `playbooks list` is in this command, too.
  const { choosePlaybooks } = await import('../../simulation/chosen-playbooks.ts');
  const { readAlerts } = await import('../../simulation/read-alerts.ts');
  const { everyAnswer } = await import('../../../testing/every-answer.ts');
  const { exampleAlert } = await import('../../../testing/example-alert.ts');
  const { graphOf, mermaidOf } = await import('../../../testing/graph.ts');
  const { svgOf } = await import('../../../testing/graph-svg.ts');
  const [playbook] = await choosePlaybooks({ playbook: [id], ...(pack !== undefined && { pack }) });
  if (!playbook) return;
  const given = file === undefined ? [] : readAlerts([file], 'local').flatMap((read) => (read.ok ? [read.alert] : []));
  const alert = file === undefined ? exampleAlert(playbook) : given.find((one) => answering([playbook], one).length > 0);
  if (!alert)
    throw new FirebreakError(
      file === undefined ? 'FB_ERR_INCOMPLETE' : 'FB_ERR_ALERT_INVALID',
      file === undefined
        ? `no alert could be made up for ${playbook.id}: give one with --alert`
        : `${playbook.id} answers no alert in ${file}`,
    );
  const { paths } = await everyAnswer(playbook, alert);
  const graph = graphOf(paths);
  if (json) printJson(graph);
  else if (svg) print(svgOf(graph, playbook.title));
  else for (const line of mermaidOf(graph).split('\n')) print(printable(line));
}
