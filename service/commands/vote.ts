import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { type Choice, needsReason } from '../../core/approval.ts';
import { FirebreakError } from '../../core/errors.ts';
import { fullIncidentId } from '../../core/incident.ts';
import type { IncidentState, QuestionState } from '../../core/incident-state.ts';
import { problemOfReason, reasonToSign } from '../../core/reason.ts';
import { type Ballot, castVote } from './cast-vote.ts';
import { incidentState, withSession } from './connect.ts';
import { type ConfiguredOptions, withConfig, withExamples } from './options.ts';
import { print, printable, printJson } from './output.ts';
import { reasonOption } from './reason.ts';

export interface VoterOptions extends ConfiguredOptions {
  readonly as: string;
  readonly key: string;
  readonly reason?: string;
  readonly idToken?: string;
  readonly yes?: true;
}

interface VoteOptions extends VoterOptions {
  readonly choice?: string;
  readonly question?: string;
}

type Kind = 'approve' | 'deny';

/** `--as` and `--key`: who it is that orders or answers. */
export function withPerson(command: Command, role = 'who answers'): Command {
  return command
    .requiredOption('--as <person>', `${role}: an id of the roster`)
    .requiredOption('--key <file>', 'this person’s own Ed25519 private key (PEM); the roster lists its public half');
}

/** `--as`, `--key` and what else every signed answer has. */
export function withVoter(command: Command): Command {
  return withConfig(
    withPerson(command)
      .addOption(reasonOption('why, for the record; needed where something is ended, or the response weakened'))
      .option('--id-token <file>', 'for what needs a sign-in: the identity provider’s ID token, made for exactly this answer')
      .option('--yes', 'do not ask back'),
  );
}

/** What `withVoter` has read, as a ballot has it. */
export function voterIn({
  as: person,
  key: keyFile,
  reason,
  idToken,
}: VoterOptions): Pick<Ballot, 'person' | 'keyFile' | 'reason' | 'idTokenFile'> {
  return {
    person,
    keyFile,
    ...(reason !== undefined && { reason }),
    ...(idToken !== undefined && { idTokenFile: idToken }),
  };
}

function registerVote(program: Command, kind: Kind, description: string): Command {
  return withVoter(
    program
      .command(kind)
      .description(description)
      .argument('<incident>', 'id of the incident, with or without incident/CLUSTER/ before it')
      .option('--choice <id>', 'which answer; needed where more than one is possible')
      .option('--question <id>', 'which question; needed where more than one is open'),
  ).action((written: string, options: VoteOptions) => answer(kind, written, options));
}

/** Adds `firebreak approve`: a vote of somebody without Slack, signed by their own key. */
export function registerApproveCommand(program: Command): void {
  withExamples(registerVote(program, 'approve', 'answer an open question with a choice that changes something'), [
    'firebreak approve shop/Deployment/cart --choice remove --reason "not ours" --as ada --key ~/.firebreak/ada.pem',
  ]);
}

/** Adds `firebreak deny`: the same, and nothing is ever destroyed by it. */
export function registerDenyCommand(program: Command): void {
  withExamples(registerVote(program, 'deny', 'answer an open question with a choice that destroys nothing'), [
    'firebreak deny shop/Deployment/cart --as ada --key ~/.firebreak/ada.pem',
  ]);
}

function refusal(detail: string): FirebreakError {
  return new FirebreakError('FB_ERR_REFUSED', detail);
}

function openQuestion(state: IncidentState, wanted: string | undefined): QuestionState {
  const open = state.questions.filter(({ question, status }) => status.state === 'open' && !question.id.startsWith('lease:'));
  const found = wanted === undefined ? open : open.filter(({ question }) => question.id === wanted);
  const [first, ...others] = found;
  if (!first) throw refusal(wanted === undefined ? 'no question is open' : `the question ${wanted} is not open`);
  if (others.length > 0)
    throw refusal(
      `more than one question is open, name one with --question: ${open.map(({ question }) => question.id).join(', ')}`,
    );
  return first;
}

function destroys(choice: Choice): boolean {
  return choice.plans.some((plan) => plan.effect === 'destructive');
}

/** The choice that is meant. Without `--choice` only where there is one possible, and never one by which something is destroyed on a no. */
export function chosen(kind: Kind, question: QuestionState, wanted: string | undefined): Choice {
  const { choices } = question.question;
  const list = choices.map(({ id, label }) => `${id} (${label})`).join(', ');
  if (wanted === undefined) {
    const [only, ...others] = choices.filter((choice) => choice.plans.length > 0 === (kind === 'approve'));
    if (!only || others.length > 0) throw refusal(`name one with --choice: ${list}`);
    return only;
  }
  const choice = choices.find(({ id }) => id === wanted);
  if (!choice) throw refusal(`there is no choice ${wanted}, only: ${list}`);
  if (kind === 'approve' && choice.plans.length === 0) throw refusal(`${wanted} changes nothing: answer it with deny`);
  if (kind === 'deny' && destroys(choice)) throw refusal(`${wanted} is destructive: answer it with approve`);
  return choice;
}

function ballotLines({ question, choice, person }: Ballot): readonly string[] {
  const changes = choice.plans.flatMap((plan) => [
    ...plan.changes.map(({ target, what }) => `  ${target}: ${what}`),
    ...plan.notes.map((note) => `  note: ${note}`),
  ]);
  return [
    `Question: ${question.question.text}`,
    `Answer of ${person}: ${choice.label}`,
    ...(changes.length === 0 ? ['  changes nothing'] : changes),
  ];
}

/** Asks on a terminal for what is missing, and whether it is meant. Elsewhere nothing is asked, so all must have been said. */
async function confirmed(ballot: Ballot, options: VoterOptions): Promise<Ballot> {
  const isUnreasoned = needsReason(ballot.choice) && ballot.reason === undefined;
  const asks = process.stdin.isTTY && !options.yes;
  if (!asks) {
    if (isUnreasoned) throw refusal('this answer needs a reason: say why with --reason TEXT');
    return ballot;
  }
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const reason = isUnreasoned ? (await prompt.question('Why? It is signed with your answer. ')).trim() : undefined;
    const problem = reason === undefined ? undefined : problemOfReason(reason);
    if (problem !== undefined) throw refusal(`not sent: ${problem}`);
    const reply = await prompt.question('Sign and send this answer? [y/N] ');
    if (!/^y(es)?$/i.test(reply.trim())) throw refusal('not sent');
    return reason === undefined ? ballot : { ...ballot, reason: reasonToSign(reason) };
  } finally {
    prompt.close();
  }
}

/** Shows what is about to be signed, asks back on a terminal, signs and sends it, and says what became of it. */
export async function submit(session: Parameters<typeof castVote>[0], ballot: Ballot, options: VoterOptions): Promise<void> {
  for (const line of ballotLines(ballot)) process.stderr.write(`${printable(line)}\n`);
  const counted = await castVote(session, await confirmed(ballot, options));
  if (options.json) printJson(counted);
  else print(printable(counted.outcome));
}

function answer(kind: Kind, written: string, options: VoteOptions): Promise<void> {
  return withSession(options, async (session) => {
    const state = await incidentState(session, { id: fullIncidentId(written, session.config.cluster) });
    const question = openQuestion(state, options.question);
    const ballot: Ballot = {
      state,
      question,
      choice: chosen(kind, question, options.choice),
      ...voterIn(options),
    };
    await submit(session, ballot, options);
  });
}
