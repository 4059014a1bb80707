import type { Command } from 'commander';
import { type DecisionState, kindOf, type Propose } from '../../../core/decide/decision.ts';
import { stepUpNonce } from '../../../core/decide/step-up.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { approveChoice, type DecisionKind, type EndDecision } from '../../../core/orders/order.ts';
import { endChoice, endDigest } from '../../../core/orders/restraint.ts';
import { idTokenIn, notOpen, signInAdvice } from '../../incidents/cast-vote.ts';
import { namesWithIds } from '../../incidents/names.ts';
import {
  calledBy,
  decisionIn,
  endDecision,
  endNeedsSignIn,
  mustBeId,
  noteOn,
  personalSigner,
  proposeDecision,
  signedOrder,
  signedProposal,
  whoMustAgree,
} from '../../incidents/orders.ts';
import { controlState, type Session } from '../../incidents/session.ts';
import { confirm, mustBeConfirmable, withConfirmation } from '../confirm.ts';
import { type DeskOptions, type DeskPlace, deskOf, withDesk } from '../desk/desk-options.ts';
import { type ConfiguredOptions, withConfig, withExamples } from '../options.ts';
import { print, printable, printJson } from '../output.ts';
import { withSession } from '../session.ts';
import { submit, type VoterOptions, voterIn, withVoter } from '../vote.ts';

type Noun = DecisionKind['noun'];

export interface ProposeOptions extends Omit<VoterOptions, 'reason'> {
  readonly reason: string;
  readonly owner?: string;
}

/** The command that approves it, as typed. */
const agreeing: Readonly<Record<Noun, string>> = {
  suppression: 'suppress approve',
  restraint: 'hold approve',
  promotion: 'pack approve',
};

/** Describes which name's end has to be typed, for a person who has only the id of a proposal or of what is in force. */
const endsInWords: Readonly<Record<Noun, string>> = {
  suppression: 'the workload’s name, as `firebreak suppress list` shows it',
  restraint: 'the name under SCOPE in `firebreak hold list`, or of the cluster’s name',
  promotion: 'what is proposed, such as acme@1.2.0',
};

/** The command that lists its ids. */
const listedBy: Readonly<Record<Noun, string>> = {
  suppression: 'firebreak suppress list --all',
  restraint: 'firebreak hold list --all',
  promotion: 'firebreak pack promotions --all',
};

/** The name of what it is about; the end of this name is typed. */
function endsOf({ plan: { blastRadius } }: DecisionKind): string {
  return blastRadius.join(' ');
}

export function requireReason(command: Command): Command {
  for (const option of command.options) if (option.long === '--reason') option.makeOptionMandatory();
  return command;
}

/** Makes a command that proposes: others must approve. */
export function proposing(command: Command): Command {
  return requireReason(withConfirmation(withVoter(command))).option(
    '--owner <person>',
    'who is responsible for it (default: whoever proposes it)',
  );
}

/** Runs such a command with its proposal; `make` is called once Temporal answers. `about`: the name whose end is typed, or a description of that name. */
export async function propose<Options extends ProposeOptions>(
  options: Options,
  make: (session: Session, at: string) => Propose | Promise<Propose>,
  about: string,
): Promise<void> {
  mustBeConfirmable(options, about);
  await withSession(options, async (session) => {
    const order = await make(session, new Date().toISOString());
    const kind = kindOf(order);
    const { id, until } = order.terms;
    const what = `${kind.title}, until ${until}`;
    await confirm({ lines: [`Proposal by ${options.as}: ${what}`], ends: endsOf(kind) }, options);
    await proposeDecision(session, await signedProposal(order, await personalSigner(options.key)));
    if (options.json) return printJson(order.terms);
    print(printable(`Proposed as ${id}: ${what}. Nothing has changed yet.`));
    print(`${whoMustAgree(kind)}: firebreak ${agreeing[kind.noun]} ${id} --reason WHY`);
    const note = await noteOn(session, order);
    if (note !== undefined) print(note);
  });
}

/** Adds `approve`: a vote like any other. */
export function registerApproval(parent: Command, noun: Noun): void {
  withExamples(
    withConfirmation(
      withVoter(parent.command('approve').description('agree to somebody else’s proposal').argument('<id>', 'its id')),
    ),
    [`firebreak ${agreeing[noun]} 0123456789abcdef --reason "agreed" --as ben --key ~/.firebreak/ben.pem`],
  ).action((id: string, options: VoterOptions) => {
    mustBeConfirmable(options, endsInWords[noun]);
    return withSession(options, (session) => approve(session, noun, id, options));
  });
}

async function approve(session: Session, noun: Noun, id: string, options: VoterOptions): Promise<void> {
  const state = await controlState(session);
  const found = decisionIn(state, noun, id);
  const question = state.questions.find((one) => one.question.id === found?.question);
  const choice = question?.question.choices.find((one) => one.id === approveChoice);
  if (!found || !question || !choice) throw unknown(noun, id);
  if (question.status.state !== 'open') {
    const { code, detail } = notOpen(question, namesWithIds(session.config.roster));
    throw new FirebreakError(code, detail, { remedy: `\`${listedBy[noun]}\` shows what became of it. Nothing was sent.` });
  }
  await submit(session, { state, question, choice, ...voterIn(options) }, options, endsOf(kindOf(found.proposal.order)));
}

/** Makes `command` end one; ending what holds the response up or lifts guardrails asks for confirmation. */
export function registerEnd(command: Command, noun: Noun, { problemOf }: EndRules = {}): void {
  const isAsked = noun !== 'suppression';
  const voter = requireReason(withVoter(command.argument('<id>', 'its id')));
  // Its earlier name stood alone.
  const named = command.parent?.parent ? `${command.parent.name()} ${command.name()}` : 'hold end';
  withExamples(isAsked ? withConfirmation(voter) : voter, [
    `firebreak ${named} 0123456789abcdef --reason "done" --as ada --key ~/.firebreak/ada.pem`,
  ]).action((id: string, options: VoterOptions) => {
    if (isAsked) mustBeConfirmable(options, endsInWords[noun]);
    return withSession(options, async (session) => {
      const known = problemOf && decisionIn(await controlState(session), noun, id);
      const problem = known && problemOf(known);
      if (problem !== undefined) throw new FirebreakError('FB_ERR_REFUSED', problem);
      await end(session, noun, id, options);
    });
  });
}

interface EndRules {
  /** Why this one cannot be ended this way. */
  readonly problemOf?: (known: DecisionState) => string | undefined;
}

/** Ends what is in force or proposed; asks for confirmation if that changes the response. @throws FB_ERR_UNKNOWN_ID, FB_ERR_VOTE_REFUSED. */
export function end(session: Session, noun: Noun, id: string, options: VoterOptions): Promise<void> {
  return endAll(session, noun, [id], options);
}

/** What is shown of each to a person who is about to end several. */
interface EndShown {
  readonly lines: readonly string[];
  /** The name whose end is typed. */
  readonly ends: string;
}

/**
 * The same for several, one after another. The confirmation shows each of them and asks for the name of the last, unless `shown` says otherwise. @throws as
 * `end`
 */
export async function endAll(
  session: Session,
  noun: Noun,
  ids: readonly string[],
  options: VoterOptions,
  shown?: EndShown,
): Promise<void> {
  const { as: person, reason = '' } = options;
  const { cluster } = session.config;
  const state = await controlState(session);
  const at = new Date().toISOString();
  const idToken = options.idToken === undefined ? undefined : idTokenIn(options.idToken);
  const all = ids.map((id) => {
    mustBeId(id, calledBy[noun]);
    const found = decisionIn(state, noun, id);
    if (!found) throw unknown(noun, id);
    const order: EndDecision = { version: 1, kind: `${noun}.end`, person, at, cluster, decision: id, reason };
    if (idToken === undefined) mustNeedNoSignIn(session, found, order);
    const { terms } = found.proposal.order;
    return { order, kind: kindOf(found.proposal.order), reason: terms.reason, before: found.status.state };
  });
  const last = all.at(-1);
  if (noun !== 'suppression' && last) {
    const lines = all.map(({ kind, reason: why, before }) => {
      const what = before === 'proposed' ? 'withdraw the proposal' : 'end this';
      return `Order by ${person}: ${what}: ${kind.title} (${why})`;
    });
    await confirm(shown ?? { lines, ends: endsOf(last.kind) }, options);
  }
  for (const { order } of all) {
    const signed = await signedOrder(order, options.key);
    const ended = await endDecision(session, { ...signed, ...(idToken !== undefined && { idToken }) });
    if (!options.json) print(printable(ended.text));
    else if (order === last?.order) printJson(ended.status);
  }
}

/** Uses the configuration here; the cell uses its own. @throws FB_ERR_INCOMPLETE, which says which nonce has to be signed. */
function mustNeedNoSignIn({ config }: Session, found: DecisionState, order: EndDecision): void {
  if (!endNeedsSignIn(config, found)) return;
  const nonce = stepUpNonce({ questionDigest: endDigest(order), choice: endChoice, person: order.person });
  throw new FirebreakError('FB_ERR_INCOMPLETE', `ending it needs a sign-in: use Slack, or ${signInAdvice(nonce)}`);
}

function unknown(noun: Noun, id: string): FirebreakError {
  return new FirebreakError('FB_ERR_UNKNOWN_ID', `there is no ${calledBy[noun]} ${id}`, {
    remedy: `Find its id with \`${listedBy[noun]}\`. For another cluster, use the configuration of that cluster.`,
  });
}

export interface ListOptions extends ConfiguredOptions, DeskOptions {
  readonly all?: true;
}

/** Adds `list`. */
export function registerList(
  parent: Command,
  about: { readonly name: string; readonly description: string },
  list: {
    readonly here: (session: Session, options: ListOptions) => Promise<void>;
    readonly atDesk: (at: DeskPlace, options: ListOptions) => Promise<void>;
  },
): void {
  const command = withDesk(
    withConfig(parent.command('list').description(about.description).option('--all', 'also show those that have ended')),
  );
  withExamples(command, [`firebreak ${about.name} list`]).action((options: ListOptions, ran: Command) => {
    const at = deskOf(options, ran);
    return at ? list.atDesk(at, options) : withSession(options, (session) => list.here(session, options));
  });
}

export function isOver({ status }: DecisionState): boolean {
  return status.state !== 'proposed' && status.state !== 'active';
}
