import type { Command } from 'commander';
import { labelOf } from '../../core/cards/choice-label.ts';
import { shownChoice, titleOfQuestion } from '../../core/cards/question-card.ts';
import { type Choice, isWeakening, needsReason } from '../../core/decide/approval.ts';
import {
  answersText,
  answersToSign,
  answersTyped,
  askedFor,
  type FormAnswers,
  problemsOfAnswers,
} from '../../core/decide/form.ts';
import { isOfLease } from '../../core/decide/standing-question.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { IncidentState, QuestionState } from '../../core/incident/incident-state.ts';
import type { Roster } from '../../core/people/roster.ts';
import { compareTexts } from '../../core/text/plain-json.ts';
import { type Ballot, castVote, idTokenOf, notOpen } from '../incidents/cast-vote.ts';
import { type Names, namesWithIds } from '../incidents/names.ts';
import { type ConfirmOptions, confirm, pick, withConfirmation } from './confirm.ts';
import { incidentNamed } from './incidents/incident-name.ts';
import { type ConfiguredOptions, withConfig, withExamples, withPerson } from './options.ts';
import { print, printable, printJson } from './output.ts';
import { reasonOption } from './reason.ts';
import { withSession } from './session.ts';

export interface VoterOptions extends ConfiguredOptions, ConfirmOptions {
  readonly as: string;
  readonly key: string;
  readonly reason?: string;
  readonly idToken?: string;
}

interface VoteOptions extends VoterOptions {
  readonly choice?: string;
  readonly question?: string;
  readonly set?: readonly string[];
}

/** `approve` and `deny` are the two halves of `answer`. */
type Kind = 'answer' | 'approve' | 'deny';

/** Adds `--as`, `--key` and the other options of every signed answer. */
export function withVoter(command: Command): Command {
  return withConfig(
    withPerson(command)
      .addOption(reasonOption('why, for the record; needed if the answer ends something or weakens the response'))
      .option('--id-token <file>', 'if the answer needs a sign-in: the identity provider’s ID token for exactly this answer'),
  );
}

/** The options of `withVoter` in the form of a ballot. */
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
  return withConfirmation(
    withVoter(
      program
        .command(kind)
        .description(description)
        .argument('<incident>', 'id of the incident, with or without incident/CLUSTER/ before it')
        .option('--choice <id>', 'which answer; needed if there is more than one')
        .option('--question <id>', 'which question; needed if more than one is open')
        .option('--set <field=value...>', 'a field of the answer’s form; people by their ids, separated by commas'),
    ),
  ).action((written: string, options: VoteOptions) => answer(kind, written, options));
}

/** Adds `firebreak answer`: a vote without Slack, signed with the person's own key. */
export function registerAnswerCommand(program: Command): void {
  withExamples(registerVote(program, 'answer', 'answer an open question'), [
    'firebreak answer shop/Deployment/cart --choice release --reason "our own job" --as ada --key ~/.firebreak/ada.pem',
    'firebreak answer shop/Deployment/cart --choice remove --reason "not ours" --as ada --key ~/.firebreak/ada.pem --target x2x8 --yes',
  ]);
}

/** Adds `firebreak approve`: the same for choices that make changes only. */
export function registerApproveCommand(program: Command): void {
  withExamples(registerVote(program, 'approve', 'answer an open question with a choice that makes changes'), [
    'firebreak approve shop/Deployment/cart --choice remove --reason "not ours" --as ada --key ~/.firebreak/ada.pem',
    'firebreak approve shop/Deployment/cart --choice remove --reason "not ours" --as ada --key ~/.firebreak/ada.pem --target x2x8 --yes',
  ]);
}

/** Adds `firebreak deny`: the same, but it never destroys anything. */
export function registerDenyCommand(program: Command): void {
  withExamples(registerVote(program, 'deny', 'answer an open question with a choice that destroys nothing'), [
    'firebreak deny shop/Deployment/cart --as ada --key ~/.firebreak/ada.pem',
  ]);
}

function incomplete(detail: string): FirebreakError {
  return new FirebreakError('FB_ERR_INCOMPLETE', detail);
}

/** The open questions that people were asked, except those about leases. */
function questionsOf({ questions }: Pick<IncidentState, 'questions'>) {
  return questions
    .filter(({ question, status }) => status.state === 'open' && !isOfLease(question.id))
    .map(({ question: { id, text } }) => ({ id, label: text }));
}

/** When the question ended; open ones sort last. */
function endedAt({ status }: QuestionState): string {
  return status.state === 'open' ? '~' : status.at;
}

/** Returns the one question that is meant. @throws FB_ERR_ALREADY_DECIDED, FB_ERR_NOT_OPEN, FB_ERR_INCOMPLETE. */
export function openQuestion(
  state: Pick<IncidentState, 'questions'>,
  wanted: string | undefined,
  names: Pick<Names, 'person'>,
): QuestionState {
  const asked = state.questions.filter(({ question }) => !isOfLease(question.id));
  const meant = wanted === undefined ? asked : asked.filter(({ question }) => question.id === wanted);
  const [first, ...others] = meant.filter(({ status }) => status.state === 'open');
  if (others.length > 0)
    throw incomplete(
      `more than one question is open; name one with --question: ${[first, ...others].map((one) => one?.question.id).join(', ')}`,
    );
  if (first) return first;
  const last = meant.toSorted((one, other) => compareTexts(endedAt(one), endedAt(other))).at(-1);
  if (last) throw notOpen(last, names);
  throw new FirebreakError('FB_ERR_NOT_OPEN', wanted === undefined ? 'no question was asked' : `there is no question ${wanted}`);
}

function destroys(choice: Choice): boolean {
  return choice.plans.some((plan) => plan.effect === 'destructive');
}

function possible(kind: Kind, { question: { choices } }: QuestionState): readonly Choice[] {
  return kind === 'answer' ? choices : choices.filter((choice) => choice.plans.length > 0 === (kind === 'approve'));
}

function pickChoice(kind: Kind, question: QuestionState, options: ConfirmOptions): Promise<string | undefined> {
  const of = possible(kind, question).map((choice) => ({ id: choice.id, label: labelOf(choice) }));
  return pick({ lines: [question.question.text], of }, options);
}

/** Returns the choice that is meant. Without `--choice` only if exactly one is possible, and on a no never one that destroys something. */
export function chosen(kind: Kind, question: QuestionState, wanted: string | undefined): Choice {
  const { choices } = question.question;
  const list = choices.map((one) => `${one.id} (${labelOf(one)})`).join(', ');
  if (wanted === undefined) {
    const [only, ...others] = possible(kind, question);
    if (!only || others.length > 0) throw incomplete(`name one with --choice: ${list}`);
    return only;
  }
  const choice = choices.find(({ id }) => id === wanted);
  if (!choice) throw incomplete(`unknown choice ${wanted}: use one of ${list}`);
  if (kind === 'approve' && choice.plans.length === 0) throw incomplete(`${wanted} changes nothing: answer it with deny`);
  if (kind === 'deny' && destroys(choice)) throw incomplete(`${wanted} is destructive: answer it with approve`);
  return choice;
}

/** The name of what a choice ends, or whose protection it gives up; undefined if it does neither. */
function endedBy({ question: { question }, choice }: Ballot): string | undefined {
  // The other steps lead up to the last destructive one.
  const plan = choice.plans.findLast(({ effect }) => effect === 'destructive') ?? choice.plans.findLast(({ weakens }) => weakens);
  if (plan) return plan.target.name;
  return isWeakening(choice) ? question.incident.id : undefined;
}

/** Shows exactly what is signed: everything in the signature, and nothing else. */
export function ballotLines({
  question: { question },
  choice,
  person,
  answers,
}: Pick<Ballot, 'question' | 'choice' | 'person' | 'answers'>): readonly string[] {
  const { title, cluster } = titleOfQuestion(question);
  const { label, quorum, destructive, weakens, changes, blastRadius, notes } = shownChoice(choice);
  const warning = destructive ? ['cannot be undone'] : weakens ? ['weakens the response'] : [];
  const needs = [...warning, quorum === 1 ? 'needs one person' : `needs ${quorum} people`].join(', ');
  return [
    `About: ${title}, cluster ${cluster}, ${question.severity}`,
    `Question: ${question.text}`,
    `If nobody answers${question.until === undefined ? '' : ` by ${question.until}`}: ${question.onSilence}`,
    `Answer by ${person}: ${label} (${needs})`,
    ...(answers ? [`  filled in: ${answersText(answers)}`] : []),
    ...(changes.length === 0 ? ['  changes nothing'] : changes.map((change) => `  ${change}`)),
    ...blastRadius.map((target) => `  touches: ${target}`),
    ...notes.map((note) => `  note: ${note}`),
  ];
}

/**
 * Shows what is about to be signed, asks for confirmation, signs and sends it, and reports the outcome. `ends`: the name to type if the plan does not have it.
 */
export async function submit(
  session: Parameters<typeof castVote>[0],
  ballot: Ballot,
  options: VoterOptions,
  ends = endedBy(ballot),
): Promise<void> {
  // If a sign-in is needed first, this fails before the other questions are asked.
  idTokenOf(ballot);
  const isUnreasoned = needsReason(ballot.choice) && ballot.reason === undefined;
  const said = await confirm({ lines: ballotLines(ballot), isUnreasoned, ...(ends !== undefined && { ends }) }, options);
  const counted = await castVote(session, said === undefined ? ballot : { ...ballot, reason: said });
  if (options.json) printJson(counted);
  else print(printable(counted.outcome));
}

/** Returns the answers set for the choice's form. @throws FB_ERR_INCOMPLETE, which says what the form asks for. */
export function answersSet(choice: Choice, set: readonly string[], roster: Roster): FormAnswers | undefined {
  const given = new Map(
    set.map((one) => {
      const at = one.indexOf('=');
      if (at < 1) throw incomplete(`write --set FIELD=VALUE, not ${one}`);
      return [one.slice(0, at), one.slice(at + 1)] as const;
    }),
  );
  const { form = {} } = choice;
  const unasked = [...given.keys()].find((name) => !Object.hasOwn(form, name));
  if (unasked !== undefined) throw incomplete(`${choice.id} does not ask for ${unasked}`);
  if (!choice.form) return undefined;
  const answers = answersTyped(form, (name) => given.get(name));
  const wrong = Object.keys(problemsOfAnswers(form, answers, roster));
  if (wrong.length === 0) return answersToSign(form, answers);
  const lacking = Object.entries(form).filter(([name]) => wrong.includes(name));
  throw incomplete(lacking.map(([name, of]) => `${of.label} Use --set ${name}=…: ${askedFor(of)}`).join('; '));
}

function answer(kind: Kind, written: string, options: VoteOptions): Promise<void> {
  return withSession(options, async (session) => {
    const state = await incidentNamed(session, written);
    const wanted =
      options.question ?? (await pick({ lines: ['More than one question is open:'], of: questionsOf(state) }, options));
    const question = openQuestion(state, wanted, namesWithIds(session.config.roster));
    const choice = chosen(kind, question, options.choice ?? (await pickChoice(kind, question, options)));
    const answers = answersSet(choice, options.set ?? [], session.config.roster);
    const ballot: Ballot = { state, question, choice, ...voterIn(options), ...(answers && { answers }) };
    await submit(session, ballot, options);
  });
}
