import { randomBytes } from 'node:crypto';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ControlState } from '../../../core/decide/control.ts';
import { stepUpNonce } from '../../../core/decide/step-up.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { fullIncidentId, subjectOfIncident } from '../../../core/incident/incident.ts';
import {
  type EndRestraint,
  endChoice,
  endDigest,
  type HoldingMode,
  isInForce,
  longestBrokenGlassMs,
  longestRestraintMs,
  type ProposeRestraint,
  type RestraintMode,
  type RestraintScope,
  type RestraintTerms,
  restraintTitle,
  scopeText,
  severityOf,
} from '../../../core/orders/restraint.ts';
import { approveChoice } from '../../../core/orders/suppression.ts';
import { playbooks } from '../../../playbooks/index.ts';
import { idTokenIn, notOpen, signInAdvice } from '../../incidents/cast-vote.ts';
import { endNeedsSignIn, endRestraint, noteOn, proposeRestraint, restraintOf } from '../../incidents/restrain-order.ts';
import { controlState, type Session, withSession } from '../../incidents/session.ts';
import { mustBeId, signedOrder } from '../../incidents/signing.ts';
import { confirm, mustBeConfirmable, withConfirmation } from '../confirm.ts';
import { suggestion } from '../incidents/incident-name.ts';
import { namesWithIds } from '../names.ts';
import { type ConfiguredOptions, withConfig, withExamples } from '../options.ts';
import { print, printable, printJson, printTable } from '../output.ts';
import { submit, type VoterOptions, voterIn, withVoter } from '../vote.ts';

const hourMs = 3_600_000;
const aRestraint = 'freeze, observe mode or broken glass';

interface ProposeOptions extends Omit<VoterOptions, 'reason'> {
  readonly reason: string;
  readonly namespace?: string;
  readonly playbook?: string;
  readonly incident?: string;
  readonly hours: number;
  readonly owner?: string;
}

function hoursUpTo(most: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (!(number > 0 && number <= most)) throw new InvalidArgumentError(`A number of hours, ${most} at most.`);
    return number;
  };
}

function requireReason(command: Command): Command {
  for (const option of command.options) if (option.long === '--reason') option.makeOptionMandatory();
  return command;
}

function registerProposal(program: Command, mode: HoldingMode, description: string): void {
  const command = withConfirmation(withVoter(program.command(mode).description(description)))
    .addOption(new Option('--namespace <name>', 'only this namespace (default: the whole cluster)').conflicts('playbook'))
    .option('--playbook <id>', 'only steps of this playbook')
    .option('--hours <number>', 'for how long, 720 at most', hoursUpTo(longestRestraintMs / hourMs), 4)
    .option('--owner <person>', 'who answers for it (default: who proposes it)');
  withExamples(requireReason(command), [
    `firebreak ${mode} --reason "maintenance of the shop" --namespace shop --hours 2 --as ada --key ~/.firebreak/ada.pem`,
    'firebreak restraints approve 0123456789abcdef --reason "agreed" --as ben --key ~/.firebreak/ben.pem',
  ]).action((options: ProposeOptions) => proposed(mode, options));
}

/** Adds `firebreak freeze`: propose that everything automatic becomes a question. */
export function registerFreezeCommand(program: Command): void {
  registerProposal(
    program,
    'freeze',
    'propose that nothing is automatic for a time: each step becomes a question; one other person must agree',
  );
}

/** Adds `firebreak observe`: propose that nothing is done, and only planned. */
export function registerObserveCommand(program: Command): void {
  registerProposal(
    program,
    'observe',
    'propose that nothing is done for a time: each step becomes a plan on record; two other people must agree',
  );
}

/** Adds `firebreak break-glass`: propose that caps, freezes and change windows do not hold for one incident or one namespace. */
export function registerBreakGlassCommand(program: Command): void {
  const command = withConfirmation(
    withVoter(
      program
        .command('break-glass')
        .description(
          'propose that caps, freezes and change windows do not hold for one incident or one namespace; one other person must agree, and everybody is told',
        ),
    ),
  )
    .addOption(new Option('--namespace <name>', 'only for steps in this namespace').conflicts('incident'))
    .option('--incident <name>', 'only for steps of this incident: NAMESPACE/KIND/NAME')
    .option('--hours <number>', 'for how long, 24 at most', hoursUpTo(longestBrokenGlassMs / hourMs), 1)
    .option('--owner <person>', 'who answers for it (default: who proposes it)');
  withExamples(requireReason(command), [
    'firebreak break-glass --incident shop/Deployment/cart --reason "spreads faster than the caps allow" --as ada --key ~/.firebreak/ada.pem',
    'firebreak restraints approve 0123456789abcdef --reason "agreed" --as ben --key ~/.firebreak/ben.pem',
    'firebreak unfreeze 0123456789abcdef --reason "over" --as ben --key ~/.firebreak/ben.pem',
  ]).action((options: ProposeOptions) => proposed('break-glass', options));
}

/** Adds `firebreak unfreeze`. */
export function registerUnfreezeCommand(program: Command): void {
  withExamples(
    requireReason(
      withConfirmation(
        withVoter(
          program
            .command('unfreeze')
            .description('end a freeze, an observe mode or a broken glass, or withdraw a proposal; one person is enough')
            .argument('<id>', 'its id'),
        ),
      ),
    ),
    ['firebreak unfreeze 0123456789abcdef --reason "done" --as ada --key ~/.firebreak/ada.pem'],
  ).action((id: string, options: VoterOptions) => {
    mustBeConfirmable(options);
    return withSession(options, (session) => end(session, id, options));
  });
}

/** Adds `firebreak restraints list|approve`. */
export function registerRestraintsCommand(program: Command): void {
  const restraints = program
    .command('restraints')
    .description('freezes, observe modes and broken glass: what is in force, and what is proposed');
  withExamples(
    withConfig(restraints.command('list').description('list what is in force and proposed').option('--all', 'also what is over')),
    ['firebreak restraints list'],
  ).action((options: ConfiguredOptions & { readonly all?: true }) => withSession(options, (session) => list(session, options)));
  withExamples(
    withConfirmation(
      withVoter(restraints.command('approve').description('agree to a proposal of somebody else').argument('<id>', 'its id')),
    ),
    ['firebreak restraints approve 0123456789abcdef --reason "agreed" --as ben --key ~/.firebreak/ben.pem'],
  ).action((id: string, options: VoterOptions) => {
    mustBeConfirmable(options);
    return withSession(options, (session) => approve(session, id, options));
  });
}

async function proposed(mode: RestraintMode, options: ProposeOptions): Promise<void> {
  mustBeConfirmable(options);
  await withSession(options, (session) => propose(session, mode, options));
}

/** What it is about, by the name whose end is typed. */
function heldUp({ scope, cluster }: RestraintTerms): string {
  return scope.kind === 'cluster' ? cluster : scope.name;
}

async function scopeOf(
  session: Session,
  mode: RestraintMode,
  { namespace, playbook, incident }: ProposeOptions,
): Promise<RestraintScope> {
  if (incident !== undefined) {
    const name = fullIncidentId(incident, session.config.cluster);
    if (subjectOfIncident(name)) return { kind: 'incident', name };
    const meant = await suggestion(session, incident);
    throw new FirebreakError('FB_ERR_UNKNOWN_ID', `${incident} names no incident: write NAMESPACE/Kind/NAME${meant}`);
  }
  if (namespace !== undefined) return { kind: 'namespace', name: namespace };
  if (playbook === undefined && mode === 'break-glass')
    throw new FirebreakError(
      'FB_ERR_INCOMPLETE',
      'say for which --incident or --namespace: the glass is broken for nothing wider',
    );
  if (playbook === undefined) return { kind: 'cluster' };
  if (!playbooks.some(({ id }) => id === playbook))
    throw new FirebreakError('FB_ERR_UNKNOWN_ID', `there is no playbook ${playbook}`);
  return { kind: 'playbook', name: playbook };
}

async function propose(session: Session, mode: RestraintMode, options: ProposeOptions): Promise<void> {
  const now = Date.now();
  const at = new Date(now).toISOString();
  const terms: RestraintTerms = {
    version: 1,
    id: randomBytes(8).toString('hex'),
    cluster: session.config.cluster,
    mode,
    scope: await scopeOf(session, mode, options),
    owner: options.owner ?? options.as,
    reason: options.reason,
    from: at,
    until: new Date(now + options.hours * hourMs).toISOString(),
  };
  await confirm(
    { lines: [`Proposal of ${options.as}: ${restraintTitle(terms)}, until ${terms.until}`], ends: heldUp(terms) },
    options,
  );
  const proposal: ProposeRestraint = { version: 1, kind: 'restraint.propose', person: options.as, at, terms };
  await proposeRestraint(session, await signedOrder(proposal, options.key));
  if (options.json) return printJson(terms);
  print(printable(`Proposed as ${terms.id}: ${restraintTitle(terms)}, until ${terms.until}. Nothing has changed yet.`));
  const people = severityOf(terms) === 'critical' ? 'Two other people' : 'Somebody else';
  print(`${people} must agree: firebreak restraints approve ${terms.id} --reason WHY`);
  const note = await noteOn(session, terms.scope);
  if (note !== undefined) print(note);
}

async function end(session: Session, id: string, options: VoterOptions): Promise<void> {
  const { as: person, reason = '' } = options;
  const { cluster } = session.config;
  mustBeId(id, aRestraint);
  const terms = restraintOf(await controlState(session), id)?.proposal.order.terms;
  if (!terms) throw new FirebreakError('FB_ERR_UNKNOWN_ID', `there is no ${aRestraint} ${id}`);
  const idToken = options.idToken === undefined ? undefined : idTokenIn(options.idToken);
  if (idToken === undefined) await mustNeedNoSignIn(session, { id, person, reason });
  await confirm(
    { lines: [`Order of ${person}: end the ${restraintTitle(terms)} (${terms.reason})`], ends: heldUp(terms) },
    options,
  );
  const at = new Date().toISOString();
  const order: EndRestraint = { version: 1, kind: 'restraint.end', person, at, cluster, restraint: id, reason };
  const signed = await signedOrder(order, options.key);
  const found = await endRestraint(session, { ...signed, ...(idToken !== undefined && { idToken }) });
  if (options.json) return printJson(found.status);
  print(printable(`Ended: ${restraintTitle(found.proposal.order.terms)}. Cells know it within 5 s.`));
}

/** By the configuration here; the cell goes by its own. @throws FB_ERR_INCOMPLETE, which says which nonce is to be signed. */
async function mustNeedNoSignIn(
  session: Session,
  { id, person, reason }: { readonly id: string; readonly person: string; readonly reason: string },
): Promise<void> {
  if (!endNeedsSignIn(session.config, restraintOf(await controlState(session), id))) return;
  const questionDigest = endDigest({ cluster: session.config.cluster, restraint: id, reason });
  throw new FirebreakError(
    'FB_ERR_INCOMPLETE',
    `to end it needs a sign-in: do it in Slack, or ${signInAdvice(stepUpNonce({ questionDigest, choice: endChoice, person }))}`,
  );
}

async function approve(session: Session, id: string, options: VoterOptions): Promise<void> {
  const state = await controlState(session);
  const restraint = restraintOf(state, id);
  const question = state.questions.find((one) => one.question.id === restraint?.question);
  const choice = question?.question.choices.find((one) => one.id === approveChoice);
  if (!restraint || !question || !choice) throw new FirebreakError('FB_ERR_UNKNOWN_ID', `there is no ${aRestraint} ${id}`);
  if (question.status.state !== 'open') throw notOpen(question, namesWithIds(session.config.roster));
  const { terms } = restraint.proposal.order;
  await submit(session, { state, question, choice, ...voterIn(options) }, options, heldUp(terms));
}

async function list(session: Session, options: ConfiguredOptions & { readonly all?: true }): Promise<void> {
  const { restraints = [] } = await controlState(session);
  const rows = restraints.filter(({ status }) => options.all || status.state === 'proposed' || status.state === 'active');
  if (options.json) {
    printJson(rows.map(({ proposal, status }) => ({ ...proposal.order.terms, proposer: proposal.order.person, status })));
    return;
  }
  if (rows.length === 0)
    return print(
      options.all ? 'No freezes, no observe modes, and no broken glass.' : 'Nothing is frozen, and nothing is proposed.',
    );
  const { person } = namesWithIds(session.config.roster);
  printTable(rows, [
    { title: 'ID', text: ({ proposal }) => proposal.order.terms.id },
    { title: 'MODE', text: ({ proposal }) => proposal.order.terms.mode },
    { title: 'STATE', text: ({ status }) => status.state },
    { title: 'UNTIL', text: ({ proposal }) => proposal.order.terms.until.replace('T', ' ').slice(0, 16) },
    { title: 'OWNER', text: ({ proposal }) => person(proposal.order.terms.owner) },
    { title: 'SCOPE', text: ({ proposal }) => scopeText(proposal.order.terms.scope) },
    { title: 'REASON', text: ({ proposal }) => proposal.order.terms.reason },
  ]);
}

/** The restraints in force that hold up steps of an incident in this namespace, or of these playbooks. */
export async function restraintsOn(
  session: Session,
  about: { readonly incident: string; readonly namespace: string | undefined; readonly playbooks: readonly string[] },
): Promise<readonly RestraintTerms[]> {
  const { restraints = [] } = await controlState(session).catch((): Pick<ControlState, 'restraints'> => ({}));
  return restraints.flatMap(({ proposal, status }) => {
    const { terms } = proposal.order;
    const { scope } = terms;
    const names = { incident: [about.incident], namespace: [about.namespace], playbook: about.playbooks };
    const fits = scope.kind === 'cluster' || names[scope.kind].includes(scope.name);
    return status.state === 'active' && isInForce(terms, Date.now()) && fits ? [terms] : [];
  });
}
