import { type Command, InvalidArgumentError, Option } from 'commander';
import { severities } from '../../../core/alert/severity.ts';
import { deskOf, withDesk } from '../desk/desk-options.ts';
import { namespaceName, positive, withConfig, withExamples, withOutput, withPerson } from '../options.ts';
import { reasonOption } from '../reason.ts';
import { retiredKeyOption } from '../records/retired-key.ts';
import { registerForkCommand } from './fork-incident.ts';
import type { ListIncidentsOptions, ShowIncidentOptions } from './local-incidents.ts';
import { registerRerunCommand } from './rerun-incident.ts';
import { registerStartCommand } from './start-incident.ts';
import type { ExportOptions } from './write-bundle.ts';

/** Adds `firebreak incidents list|show|watch|start|rerun|fork`. */
export function registerIncidentsCommand(program: Command): void {
  const incidents = program.command('incidents').description('list, show, start and decide on incidents');

  const list = incidents
    .command('list')
    .description('list the open incidents of this cluster, newest first')
    .option('--all', 'also list closed ones')
    .addOption(new Option('--severity <severity>', 'only this severity').choices(severities))
    .option('--namespace <name>', 'only this namespace of the cluster', namespaceName)
    .option('--limit <number>', 'how many at most', positive, 50);
  withExamples(withDesk(withOutput(withConfig(list))), [
    'firebreak incidents list',
    'firebreak incidents list --output wide',
    'firebreak incidents list --all --severity critical --json',
    'firebreak incidents list --desk https://firebreak.example.com',
  ]).action(async (options: ListIncidentsOptions, command: Command) => {
    const at = deskOf(options, command);
    if (at) return (await import('../desk/desk-incidents.ts')).listAtDesk(at, options);
    return (await import('./local-incidents.ts')).listIncidents(options);
  });

  const incident = (name: string, description: string) =>
    withDesk(
      withConfig(
        incidents
          .command(name)
          .description(description)
          .argument('<incident>', 'id of the incident, with or without incident/CLUSTER/ before it')
          .option('--run <run>', 'an earlier run of this incident'),
      ),
    );
  withExamples(incident('show', 'show one incident: alerts, steps, questions, leases, evidence, timeline'), [
    'firebreak incidents show shop/Deployment/cart',
    'firebreak incidents show incident/prod-eu/shop/Deployment/cart --json',
  ]).action(async (written: string, options: ShowIncidentOptions, command: Command) => {
    const at = deskOf(options, command);
    if (at) return (await import('../desk/desk-incidents.ts')).showAtDesk(at, written, options);
    return (await import('./local-incidents.ts')).showIncident(written, options);
  });
  withExamples(incident('watch', 'print the timeline as it grows, until the incident closes'), [
    'firebreak incidents watch shop/Deployment/cart',
    'firebreak incidents watch shop/Deployment/cart --json',
  ]).action(async (written: string, options: ShowIncidentOptions, command: Command) => {
    const at = deskOf(options, command);
    if (at) return (await import('../desk/desk-incidents.ts')).watchAtDesk(at, written, options);
    return (await import('./local-incidents.ts')).watchIncident(written, options);
  });
  registerStartCommand(incidents);
  registerRerunCommand(incidents);
  registerForkCommand(incidents);
  registerExportCommand(incidents);
}

/** Adds `firebreak incidents export`. */
function registerExportCommand(incidents: Command): void {
  const command = withPerson(
    incidents
      .command('export')
      .description('export an incident as one signed file that others can check without Firebreak; the export is recorded')
      .argument('<incident>', 'id of the incident, with or without incident/CLUSTER/ before it'),
    'who exports it',
  )
    .addOption(reasonOption('why, for the record').makeOptionMandatory())
    .requiredOption(
      '-o, --out <file>',
      'the file: .html for a page that shows and checks itself, .json for the bundle alone',
      outFile,
    )
    .option('--run <run>', 'an earlier run of this incident (default: the newest)')
    .option('--artefacts [names...]', 'evidence to include as files: all of it, or only these names or SHA-256 digests')
    .addOption(retiredKeyOption());
  const who = '--as ada --key ~/.firebreak/ada.pem --reason "audit of March"';
  withExamples(withConfig(command), [
    `firebreak incidents export shop/Deployment/cart -o cart.html ${who}`,
    `firebreak incidents export shop/Deployment/cart -o cart.json --artefacts pod.yaml ${who}`,
  ]).action(async (written: string, options: ExportOptions) =>
    // The other incident commands do not need the code that reads records and evidence.
    (await import('./write-bundle.ts')).exportIncident(written, options),
  );
}

function outFile(text: string): string {
  if (!/\.(?:html|json)$/.test(text)) throw new InvalidArgumentError('Expected a name that ends in .html or .json.');
  return text;
}
