import { randomBytes } from 'node:crypto';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Severity, severities } from '../../../core/alert/severity.ts';
import { FirebreakError } from '../../../core/errors.ts';
import {
  approveChoice,
  type EndSuppression,
  type ProposeSuppression,
  type SuppressionTerms,
  suppressionTitle,
  workloadText,
} from '../../../core/orders/suppression.ts';
import { notOpen } from '../../incidents/cast-vote.ts';
import { controlState, type Session, withSession } from '../../incidents/session.ts';
import { signedOrder } from '../../incidents/signing.ts';
import { endSuppression, proposeSuppression, suppressionOf } from '../../incidents/suppress-order.ts';
import { confirm, mustBeConfirmable, withConfirmation } from '../confirm.ts';
import { namesWithIds } from '../names.ts';
import { withConfig, withExamples } from '../options.ts';
import { print, printable, printJson } from '../output.ts';
import { submit, type VoterOptions, voterIn, withVoter } from '../vote.ts';
import { listSuppressions, showSuppression } from './suppress-text.ts';

const dayMs = 86_400_000;

interface AddOptions extends Omit<VoterOptions, 'reason'> {
  readonly reason: string;
  readonly rule: string;
  readonly workload: { readonly namespace: string; readonly kind: string; readonly name: string };
  readonly digest: string;
  readonly upTo: Severity;
  readonly days: number;
  readonly owner?: string;
  readonly sensor?: string;
  readonly exe?: string;
}

function workload(text: string): AddOptions['workload'] {
  const [namespace, kind, name, ...rest] = text.split('/');
  if (!namespace || !kind || !name || rest.length > 0) throw new InvalidArgumentError('Write NAMESPACE/Kind/NAME.');
  return { namespace, kind, name };
}

function digest(text: string): string {
  if (!/^sha256:[0-9a-f]{64}$/.test(text)) throw new InvalidArgumentError('Write sha256: and 64 hex digits.');
  return text;
}

function days(text: string): number {
  const number = Number(text);
  if (!(number > 0 && number <= 30)) throw new InvalidArgumentError('A number of days, 30 at most.');
  return number;
}

/** Adds `firebreak suppress add|approve|list|show|end`. */
export function registerSuppressCommand(program: Command): void {
  const suppress = program
    .command('suppress')
    .alias('suppressions')
    .description('alerts that are hidden for a time: proposed by one person, approved by another');

  const add = withConfirmation(
    withVoter(suppress.command('add').description('propose to hide alerts; somebody else must approve it')),
  )
    .requiredOption('--rule <name>', 'the rule, exactly')
    .addOption(new Option('--workload <namespace/Kind/name>', 'the one workload').argParser(workload).makeOptionMandatory())
    .addOption(new Option('--digest <sha256:…>', 'digest of the one image').argParser(digest).makeOptionMandatory())
    .addOption(
      new Option('--up-to <severity>', 'the worst alert that is hidden; critical takes two approvals')
        .choices(severities)
        .default('medium'),
    )
    .option('--days <number>', 'for how long, 30 at most', days, 7)
    .option('--owner <person>', 'who answers for it (default: who proposes it)')
    .option('--sensor <name>', 'only from this sensor')
    .option('--exe <path>', 'only of this executable');
  for (const option of add.options) if (option.long === '--reason') option.makeOptionMandatory();
  withExamples(add, [
    'firebreak suppress add --rule "Terminal shell in container" --workload shop/Deployment/debug --digest sha256:… --days 14 --reason "our own debug pod" --as ada --key ~/.firebreak/ada.pem',
  ]).action((options: AddOptions) => {
    mustBeConfirmable(options);
    return withSession(options, (session) => propose(session, options));
  });

  withExamples(
    withConfirmation(
      withVoter(
        suppress.command('approve').description('agree to a proposal of somebody else').argument('<id>', 'id of the suppression'),
      ),
    ),
    ['firebreak suppress approve 0123456789abcdef --reason "seen it too" --as ben --key ~/.firebreak/ben.pem'],
  ).action((id: string, options: VoterOptions) => {
    mustBeConfirmable(options);
    return withSession(options, (session) => approve(session, id, options));
  });

  const end = withVoter(
    suppress
      .command('end')
      .description('end a suppression or withdraw a proposal; one person is enough')
      .argument('<id>', 'id of the suppression'),
  );
  for (const option of end.options) if (option.long === '--reason') option.makeOptionMandatory();
  withExamples(end, ['firebreak suppress end 0123456789abcdef --reason "fixed" --as ada --key ~/.firebreak/ada.pem']).action(
    (id: string, options: VoterOptions) => withSession(options, (session) => endIt(session, id, options)),
  );

  withExamples(
    withConfig(
      suppress.command('list').description('list what is hidden and what is proposed').option('--all', 'also what is over'),
    ),
    ['firebreak suppress list'],
  ).action((options: { readonly config: string; readonly json?: true; readonly all?: true }) =>
    withSession(options, (session) => listSuppressions(session, options)),
  );

  withExamples(
    withConfig(
      suppress
        .command('show')
        .description('show one suppression, and what it has hidden')
        .argument('<id>', 'id of the suppression'),
    ),
    ['firebreak suppress show 0123456789abcdef'],
  ).action((id: string, options: { readonly config: string; readonly json?: true }) =>
    withSession(options, (session) => showSuppression(session, id, options)),
  );
}

async function propose(session: Session, options: AddOptions): Promise<void> {
  const now = Date.now();
  const at = new Date(now).toISOString();
  const { rule, digest: image, sensor, exe } = options;
  const terms: SuppressionTerms = {
    version: 1,
    id: randomBytes(8).toString('hex'),
    cluster: session.config.cluster,
    match: {
      rule,
      workload: options.workload,
      digest: image,
      ...(sensor !== undefined && { sensor }),
      ...(exe !== undefined && { exe }),
    },
    upTo: options.upTo,
    owner: options.owner ?? options.as,
    reason: options.reason,
    from: at,
    until: new Date(now + options.days * dayMs).toISOString(),
  };
  await confirm(
    {
      lines: [`Proposal of ${options.as}: hide ${suppressionTitle(terms)}, until ${terms.until}`],
      ends: workloadText(terms.match.workload),
    },
    options,
  );
  const proposal: ProposeSuppression = { version: 1, kind: 'suppression.propose', person: options.as, at, terms };
  const order = await signedOrder(proposal, options.key);
  const found = await proposeSuppression(session, order);
  if (options.json) printJson(found.proposal.order.terms);
  else {
    print(printable(`Proposed as ${terms.id}: hide ${suppressionTitle(terms)}, until ${terms.until}.`));
    print(
      `Somebody else must agree${terms.upTo === 'critical' ? ', two people' : ''}: firebreak suppress approve ${terms.id} --reason WHY`,
    );
  }
}

async function endIt(session: Session, id: string, options: VoterOptions): Promise<void> {
  const at = new Date().toISOString();
  const { cluster } = session.config;
  const end: EndSuppression = {
    version: 1,
    kind: 'suppression.end',
    person: options.as,
    at,
    cluster,
    suppression: id,
    reason: options.reason ?? '',
  };
  const found = await endSuppression(session, await signedOrder(end, options.key));
  if (options.json) printJson(found.status);
  else print(printable(`Ended: ${suppressionTitle(found.proposal.order.terms)} are no longer hidden.`));
}

async function approve(session: Session, id: string, options: VoterOptions): Promise<void> {
  const state = await controlState(session);
  const suppression = suppressionOf(state, id);
  const question = state.questions.find((one) => one.question.id === suppression?.question);
  const choice = question?.question.choices.find((one) => one.id === approveChoice);
  if (!suppression || !question || !choice) throw new FirebreakError('FB_ERR_UNKNOWN_ID', `there is no suppression ${id}`);
  if (question.status.state !== 'open') throw notOpen(question, namesWithIds(session.config.roster));
  const { match } = suppression.proposal.order.terms;
  await submit(session, { state, question, choice, ...voterIn(options) }, options, workloadText(match.workload));
}
