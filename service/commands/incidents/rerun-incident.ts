import type { Command } from 'commander';
import { fullIncidentId, shortIncidentId } from '../../../core/incident/incident.ts';
import { type ConfiguredOptions, withConfig, withExamples, withPerson } from '../options.ts';
import { print, printable, printJson } from '../output.ts';
import { reasonOption } from '../reason.ts';

interface RerunOptions extends ConfiguredOptions {
  readonly as: string;
  readonly key: string;
  readonly reason: string;
}

/** Adds `firebreak incidents rerun`. */
export function registerRerunCommand(incidents: Command): void {
  const command = withPerson(
    incidents
      .command('rerun')
      .description('begin an open incident again with the current build of the playbooks; its pods stay contained')
      .argument('<incident>', 'id of the incident, with or without incident/CLUSTER/ before it'),
    'who orders it',
  ).addOption(reasonOption('why, for the record').makeOptionMandatory());
  withExamples(withConfig(command), [
    'firebreak incidents rerun shop/Deployment/cart --reason "playbook corrected" --as ada --key ~/.firebreak/ada.pem',
  ]).action(rerun);
}

async function rerun(written: string, options: RerunOptions): Promise<void> {
  // Imported here, so that help and commands that only read do not load the Temporal client.
  const [{ withSession }, { personalSigner }, { rerunIncident }] = await Promise.all([
    import('../session.ts'),
    import('../../incidents/orders.ts'),
    import('../../incidents/rerun.ts'),
  ]);
  const signer = await personalSigner(options.key);
  return withSession(options, async (session) => {
    const { cluster } = session.config;
    const { as: person, reason } = options;
    const incident = fullIncidentId(written, cluster);
    const { run } = await rerunIncident(session, { incident, person, reason }, signer);
    if (options.json) return printJson({ incident, endedRun: run });
    const short = shortIncidentId(incident, cluster);
    print(
      printable(`${short}: its run has been ended. The cell begins it again within a minute; what is contained stays contained.`),
    );
    print(printable(`To follow it: firebreak incidents watch ${short}`));
  });
}
