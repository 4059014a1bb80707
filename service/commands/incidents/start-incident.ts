import { randomBytes } from 'node:crypto';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Severity, severities } from '../../../core/alert/severity.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { shortIncidentId } from '../../../core/incident/incident.ts';
import { type IncidentTerms, podIn, type StartIncident } from '../../../core/orders/incident-order.ts';
import type { Session } from '../../incidents/session.ts';
import { type ConfiguredOptions, namespaceName, withConfig, withExamples, withPerson } from '../options.ts';
import { print, printable, printJson } from '../output.ts';
import { reasonOption } from '../reason.ts';

type Pod = IncidentTerms['pod'];
type WrittenPod = Pick<Pod, 'name'> & Partial<Pod>;

interface OrderOptions extends ConfiguredOptions {
  readonly as: string;
  readonly key: string;
  readonly namespace?: string;
  readonly reason: string;
  readonly link?: string;
}

interface StartOptions extends OrderOptions {
  readonly severity: Severity;
}

const longestLink = 500;
/** Below these, nobody would be asked. */
const startedAs: readonly Severity[] = severities.slice(0, 4);

function podNamed(text: string): WrittenPod {
  const pod = podIn(text) ?? (podIn(`default/${text}`) && { name: text });
  if (!pod) throw new InvalidArgumentError('Expected NAMESPACE/NAME, as kubectl prints them.');
  return pod;
}

/** @throws FB_ERR_INCOMPLETE if nothing says which namespace it is in: that is never guessed */
function podMeant({ name, namespace: written }: WrittenPod, { namespace = written }: OrderOptions): Pod {
  if (namespace === undefined || (written !== undefined && written !== namespace))
    throw new FirebreakError('FB_ERR_INCOMPLETE', 'the namespace is missing: use NAMESPACE/NAME or --namespace');
  return { namespace, name };
}

function linkGiven(text: string): string {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text) || text.length > longestLink)
    throw new InvalidArgumentError(`Expected an address that begins with https://, of at most ${longestLink} characters.`);
  return text;
}

function withOrder(command: Command, reason: string): Command {
  return withConfig(
    withPerson(command.argument('<namespace/pod>', 'the pod that it is about', podNamed), 'who orders it')
      .addOption(reasonOption(reason).makeOptionMandatory())
      .option('-n, --namespace <name>', 'its namespace, if the pod is given without one', namespaceName)
      .option('--link <url>', 'address of the message or page that it came from', linkGiven),
  );
}

/** Adds `start` to `firebreak incidents`. */
export function registerStartCommand(incidents: Command): void {
  const start = withOrder(
    incidents.command('start').description('start an incident by hand: evidence is kept, and other people are asked to decide'),
    'what happened, for the people who decide and for the records',
  ).addOption(new Option('--severity <severity>', 'how bad it is').choices(startedAs).default('high'));
  withExamples(start, [
    'firebreak incidents start shop/cart-7d9f-x2x8k --reason "talks to an address that nobody knows" --as ada --key ~/.firebreak/ada.pem',
    'firebreak incidents start shop/cart-7d9f-x2x8k --severity medium --reason "odd cron job" --link https://wiki.example.com/42 --as ada --key ~/.firebreak/ada.pem --json',
  ]).action(async (pod: WrittenPod, options: StartOptions) =>
    order(options, { wish: 'look', pod: podMeant(pod, options), severity: options.severity }),
  );
}

/** Adds `firebreak quarantine`. */
export function registerQuarantineCommand(program: Command): void {
  const command = withOrder(
    program.command('quarantine').description('cut off a pod now, as a critical incident; other people decide what happens next'),
    'why, for the people who decide and for the records',
  );
  withExamples(command, [
    'kubectl firebreak quarantine cart-7d9f-x2x8k -n shop --reason "it talks to a miner" --as ada --key ~/.firebreak/ada.pem',
    'firebreak quarantine shop/cart-7d9f-x2x8k --reason "it talks to a miner" --as ada --key ~/.firebreak/ada.pem',
  ]).action(async (pod: WrittenPod, options: OrderOptions) =>
    order(options, { wish: 'quarantine', pod: podMeant(pod, options), severity: 'critical' }),
  );
}

async function order(options: OrderOptions, wanted: Pick<IncidentTerms, 'wish' | 'pod' | 'severity'>): Promise<void> {
  // Imported here, so that help and commands that only read do not load the Temporal client.
  const [{ withSession }, { signedOrder, startedText, startIncident }] = await Promise.all([
    import('../session.ts'),
    import('../../incidents/orders.ts'),
  ]);
  return withSession(options, async (session: Session) => {
    const { cluster } = session.config;
    const { reason, link, as: person } = options;
    const terms: IncidentTerms = {
      version: 1,
      id: randomBytes(8).toString('hex'),
      cluster,
      ...wanted,
      reason,
      ...(link !== undefined && { link }),
    };
    const start: StartIncident = { version: 1, kind: 'incident.start', person, at: new Date().toISOString(), terms };
    const incident = await startIncident(session, await signedOrder(start, options.key));
    if (options.json) return printJson({ incident, terms });
    const short = shortIncidentId(incident, cluster);
    print(printable(startedText(short, wanted)));
    print(printable(`To follow it: firebreak incidents watch ${short}`));
  });
}
