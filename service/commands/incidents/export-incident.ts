import { type Command, InvalidArgumentError } from 'commander';
import { withConfig, withExamples, withPerson } from '../options.ts';
import { reasonOption } from '../reason.ts';
import { retiredKeyOption } from '../records/retired-key.ts';
import type { ExportOptions } from './write-bundle.ts';

/** Adds `firebreak incidents export`. */
export function registerExportCommand(incidents: Command): void {
  const command = withPerson(
    incidents
      .command('export')
      .description('write one signed file of an incident, which others can check without Firebreak; on the record')
      .argument('<incident>', 'id of the incident, with or without incident/CLUSTER/ before it'),
    'who hands it out',
  )
    .addOption(reasonOption('why, for the record').makeOptionMandatory())
    .requiredOption(
      '-o, --out <file>',
      'the file: .html for a page that shows and checks itself, .json for the bundle alone',
      outFile,
    )
    .option('--run <run>', 'an earlier run of this id (default: the newest)')
    .option('--artefacts [names...]', 'evidence that goes along whole: all, or these names or SHA-256')
    .addOption(retiredKeyOption());
  const who = '--as ada --key ~/.firebreak/ada.pem --reason "audit of March"';
  withExamples(withConfig(command), [
    `firebreak incidents export shop/Deployment/cart -o cart.html ${who}`,
    `firebreak incidents export shop/Deployment/cart -o cart.json --artefacts pod.yaml ${who}`,
  ]).action(async (written: string, options: ExportOptions) =>
    // What reads records and evidence is of no use to the other commands of incidents.
    (await import('./write-bundle.ts')).exportIncident(written, options),
  );
}

function outFile(text: string): string {
  if (!/\.(?:html|json)$/.test(text)) throw new InvalidArgumentError('Its name ends in .html or .json.');
  return text;
}
