import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { severities } from '../../../core/alert/severity.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import { traceOf } from '../../../core/incident/incident-trace.ts';
import { namesWithIds } from '../../incidents/names.ts';
import { type ListedIncidents, newEntries, rowsOf } from '../../incidents/rows.ts';
import type { Session } from '../../incidents/session.ts';
import { type ConfiguredOptions, namespaceName, positive, withConfig, withExamples, withPerson } from '../options.ts';
import { restraintsOn } from '../orders/restrain.ts';
import { print, printJson, printTable, severityText } from '../output.ts';
import { reasonOption } from '../reason.ts';
import { retiredKeyOption } from '../records/retired-key.ts';
import { withSession } from '../session.ts';
import { registerForkCommand } from './fork-incident.ts';
import { incidentNamed } from './incident-name.ts';
import { printIncident, timelineLine } from './incident-text.ts';
import { registerStartCommand } from './start-incident.ts';
import type { ExportOptions } from './write-bundle.ts';

interface ListOptions extends ConfiguredOptions, ListedIncidents {}

interface ShowOptions extends ConfiguredOptions {
  readonly run?: string;
}

/** Adds `firebreak incidents list|show|watch|start|fork`. */
export function registerIncidentsCommand(program: Command): void {
  const incidents = program.command('incidents').description('what happened, and what was done about it');

  const list = incidents
    .command('list')
    .description('list the open incidents of this cluster, newest first')
    .option('--all', 'closed ones too')
    .addOption(new Option('--severity <severity>', 'only this severity').choices(severities))
    .option('--namespace <name>', 'only this namespace of the cluster', namespaceName)
    .option('--limit <number>', 'how many at most', positive, 50);
  withExamples(withConfig(list), [
    'firebreak incidents list',
    'firebreak incidents list --all --severity critical --json',
  ]).action((options: ListOptions) => withSession(options, (session) => listIncidents(session, options)));

  const incident = (name: string, description: string) =>
    withConfig(
      incidents
        .command(name)
        .description(description)
        .argument('<incident>', 'id of the incident, with or without incident/CLUSTER/ before it')
        .option('--run <run>', 'an earlier run of this id'),
    );
  withExamples(incident('show', 'show one incident: alerts, steps, questions, leases, evidence, timeline'), [
    'firebreak incidents show shop/Deployment/cart',
    'firebreak incidents show incident/prod-eu/shop/Deployment/cart --json',
  ]).action((written: string, options: ShowOptions) =>
    withSession(options, async (session) => {
      const state = await incidentNamed(session, written, options.run);
      const deadlines = await (await import('../records/deadlines.ts')).deadlineLinesOf(options, state.incident);
      if (options.json) return printJson({ ...state, deadlines, traceId: traceOf(state.incident).traceId });
      const { subject, bodies } = state;
      const namespace = subject.kind === 'workload' ? subject.namespace : undefined;
      const held = await restraintsOn(session, {
        incident: state.incident.id,
        namespace,
        playbooks: bodies.map(({ playbook }) => playbook),
      });
      printIncident(state, { names: namesWithIds(session.config.roster), restraints: held, deadlines });
    }),
  );
  withExamples(incident('watch', 'print the timeline as it grows, until the incident closes'), [
    'firebreak incidents watch shop/Deployment/cart',
    'firebreak incidents watch shop/Deployment/cart --json',
  ]).action((written: string, options: ShowOptions) => withSession(options, (session) => watch(session, written, options)));
  registerStartCommand(incidents);
  registerForkCommand(incidents);
  registerExportCommand(incidents);
}

async function listIncidents(session: Session, options: ListOptions): Promise<void> {
  const rows = await rowsOf(session, options);
  if (options.json) {
    printJson(rows);
    return;
  }
  if (rows.length === 0) {
    print(options.all ? 'No incidents.' : 'No open incidents.');
    return;
  }
  printTable(rows, [
    { title: 'OPENED', text: (row) => row.openedAt.replace('T', ' ').slice(0, 19) },
    { title: 'SEVERITY', text: (row) => row.severity, style: (row, text) => severityText(row.severity, text.length) },
    { title: 'STATE', text: (row) => (row.open ? 'open' : 'closed') },
    { title: 'INCIDENT', text: (row) => row.incident },
    { title: 'RULES', text: (row) => row.rules.join(', ') },
  ]);
}

async function watch(session: Session, written: string, options: ShowOptions): Promise<void> {
  const names = namesWithIds(session.config.roster);
  let before: IncidentState | undefined;
  for (let isAway = false; ; ) {
    const now = await incidentNamed(session, written, options.run).catch((error: unknown) => {
      if (!before || !(error instanceof FirebreakError && error.code === 'FB_ERR_UNAVAILABLE')) throw error;
      return undefined;
    });
    if (!now) {
      if (!isAway) process.stderr.write('No answer at the moment: the timeline goes on when there is one.\n');
      isAway = true;
      await sleep(1_000);
      continue;
    }
    isAway = false;
    for (const entry of newEntries(before, now)) {
      if (options.json) printJson(entry);
      else print(timelineLine(entry, names));
    }
    if (!now.open) return;
    before = now;
    await sleep(1_000);
  }
}

/** Adds `firebreak incidents export`. */
function registerExportCommand(incidents: Command): void {
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
