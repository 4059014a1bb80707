import { type Command, InvalidArgumentError } from 'commander';
import { type EvidenceClass, evidenceClasses } from '../../../core/evidence/evidence.ts';
import { fullIncidentId } from '../../../core/incident/incident.ts';
import { doneBy, type EvidenceOrder, unholdAsked } from '../../../core/orders/order.ts';
import { giveOrder, signedOrder } from '../../incidents/orders.ts';
import { type ConfirmOptions, confirm, mustBeConfirmable, withConfirmation } from '../confirm.ts';
import { type ConfiguredOptions, withConfig, withExamples, withPerson } from '../options.ts';
import { print, printable, printJson } from '../output.ts';
import { reasonOption } from '../reason.ts';
import { withSession } from '../session.ts';

interface OrderOptions extends ConfiguredOptions, ConfirmOptions {
  readonly as: string;
  readonly key: string;
  readonly reason: string;
  readonly run?: string;
  readonly class?: readonly EvidenceClass[];
}

/** Adds `firebreak evidence destroy|hold|unhold`. */
export function registerEvidenceOrders(evidence: Command): void {
  const ordered = (name: string, description: string): Command =>
    withConfig(
      withPerson(
        evidence.command(name).description(description).argument('<incident>', 'id of the incident'),
        'who orders it',
      ).addOption(reasonOption('why, for the record').makeOptionMandatory()),
    );
  const as = '--as ada --key ~/.firebreak/ada.pem';

  withExamples(
    withConfirmation(
      ordered(
        'destroy',
        'destroy the keys of a closed incident, so that nobody can read its evidence any more; for evidence.stewards',
      ),
    )
      .option('--run <run>', 'only this run of the incident (default: all)')
      .option('--class <class...>', `only these: ${evidenceClasses.join(', ')}`, classOf),
    [
      `firebreak evidence destroy shop/Deployment/cart --reason "erasure request 17" ${as}`,
      `firebreak evidence destroy shop/Deployment/cart --class memory --reason "case closed" ${as}`,
    ],
  ).action((written: string, options: OrderOptions) => order('evidence.destroy', written, options));

  withExamples(
    ordered(
      'hold',
      'keep all evidence of an incident from being destroyed, by a person or automatically, until the hold is ended',
    ),
    [`firebreak evidence hold shop/Deployment/cart --reason "lawsuit 4711" ${as}`],
  ).action((written: string, options: OrderOptions) => order('evidence.hold', written, options));

  const unhold = ordered('unhold', 'end the hold of an incident; for evidence.stewards, two of whom have to order it');
  withExamples(withConfirmation(unhold), [
    `firebreak evidence unhold shop/Deployment/cart --reason "lawsuit 4711 is over" ${as}`,
  ]).action((written: string, options: OrderOptions) => order('evidence.unhold', written, options));
}

/** What an order gives up, in words; a hold gives up nothing. */
const givesUp: Readonly<Record<EvidenceOrder['kind'], string | undefined>> = {
  'evidence.destroy': 'destroy the keys of the evidence, for good',
  'evidence.hold': undefined,
  'evidence.unhold': 'end the hold of the evidence',
};

function classOf(text: string, before: readonly EvidenceClass[] = []): readonly EvidenceClass[] {
  const found = evidenceClasses.find((known) => known === text);
  if (!found) throw new InvalidArgumentError(`Expected one of ${evidenceClasses.join(', ')}.`);
  return [...before, found];
}

async function order(kind: EvidenceOrder['kind'], written: string, options: OrderOptions): Promise<void> {
  const { as: person, key, reason, run, class: classes } = options;
  const outcomes: readonly string[] = kind === 'evidence.unhold' ? [doneBy[kind], unholdAsked] : [doneBy[kind]];
  const what = givesUp[kind];
  if (what !== undefined) mustBeConfirmable(options, written);
  const { done, text } = await withSession(options, async (session) => {
    const given: EvidenceOrder = {
      version: 1,
      kind,
      person,
      at: new Date().toISOString(),
      cluster: session.config.cluster,
      incident: fullIncidentId(written, session.config.cluster),
      reason,
      ...(run !== undefined && { run }),
      ...(classes && { classes }),
    };
    if (what !== undefined) await confirm({ lines: orderLines(given, what), ends: given.incident }, options);
    const entry = await giveOrder(session, await signedOrder(given, key), (_, ours) =>
      ours.find(({ kind: done }) => outcomes.includes(done)),
    );
    return { done: entry.kind, text: entry.text };
  });
  if (options.json) return printJson({ done, text });
  print(printable(`On the record: ${text}.`));
}

function orderLines({ person, incident, run, classes }: EvidenceOrder, what: string): readonly string[] {
  return [
    `Order by ${person}: ${what}`,
    `  of ${incident}${run === undefined ? ', all its runs' : `, run ${run}`}`,
    ...(classes ? [`  only ${classes.join(', ')}`] : []),
  ];
}
