import type { Plan } from '../core/action/plan.ts';
import type { Severity } from '../core/alert/severity.ts';
import type { Level, Question, SignedVote } from '../core/decide/approval.ts';
import { type Form, type FormAnswers, type FormField, type FormValue, namable } from '../core/decide/form.ts';
import type { VoteKeys } from '../core/decide/vote-check.ts';
import type { QuestionState } from '../core/incident/incident-state.ts';
import type { Roster } from '../core/people/roster.ts';
import type { AnyPlaybook } from '../core/playbook/playbook.ts';

/** A question as the code that answers it in a test sees it. */
export interface SimulatedQuestion {
  readonly text: string;
  /** Id of the playbook that asks; `engine` if a step may not run without people, or waits for evidence. */
  readonly asker: string;
  readonly severity: Severity;
  readonly choices: readonly { readonly id: string; readonly label: string; readonly plans: readonly Plan[] }[];
  /** Groups that are asked, one after another. */
  readonly groups: readonly string[];
}

/**
 * A choice; undefined, which is silence; or a choice with its filled-in form fields, or one that only the group at that index (from 0) makes once it is asked.
 * Fields not filled in get the plainest value.
 */
export type Said = string | undefined | { readonly choice: string; readonly level?: number; readonly form?: FormAnswers };

/** Number of people in each group: enough for every quorum. */
const inEachGroup = 3;
const desk = 'simulated-desk';

/**
 * Everybody whom these playbooks may ask: `oncall-1`, `oncall-2` …
 * @param named additional people that forms may name: they answer last
 */
export function rosterFor(playbooks: readonly AnyPlaybook[], levels: readonly Level[], named: readonly string[]): Roster {
  const names = [...levels, ...playbooks.flatMap((playbook) => playbook.levels ?? [])].map(({ group }) => group);
  const groups = Object.fromEntries(
    [...new Set(names)].map((group) => [
      group,
      [...Array.from({ length: inEachGroup }, (_, index) => `${group}-${index + 1}`), ...named],
    ]),
  );
  return {
    people: [...new Set(Object.values(groups).flat())].map((id) => ({ id, name: id, slackIds: [], keys: [] })),
    groups,
  };
}

/** In a simulation people are who they say they are: everything else about a vote is checked as usual. */
export const simulatedKeys: VoteKeys = { deskKeyIds: [desk], keyIdsOf: () => [], verify: () => true };

const firstAnswerMs = 60_000;
const nextAnswerMs = 10_000;

/** The environment in which people answer one question: how they see it, the current time, and where their votes go. */
export interface Booth {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly newId: () => string;
  readonly sleep: (ms: number) => Promise<void>;
  readonly state: () => Promise<QuestionState | undefined>;
  /** Resolves when this level is asked, or the question is over. */
  readonly untilAsked: (level: number) => Promise<void>;
  /** Resolves when the vote is counted or rejected. */
  readonly vote: (vote: SignedVote) => Promise<void>;
}

/**
 * Answers a question as people would: as many of them as needed, one after another, from the groups asked by then.
 *
 * @throws TypeError for an answer that the question does not have
 */
export async function answerQuestion(options: {
  readonly booth: Booth;
  readonly roster: Roster;
  readonly question: Question;
  readonly answer: (question: SimulatedQuestion) => Said;
}): Promise<void> {
  const { booth, roster, question, answer } = options;
  const said = answer(askedQuestion(question));
  if (said === undefined || said === 'silence') return;
  const { choice, level: from = 0, form } = typeof said === 'string' ? { choice: said } : said;
  const chosen = question.choices.find(({ id }) => id === choice);
  if (!chosen)
    throw new TypeError(
      `“${choice}” is not a choice of “${question.text}”: use one of ${question.choices.map(({ id }) => id).join(', ')}, or silence`,
    );
  const answers = chosen.form && { ...plainest(chosen.form, roster), ...form };
  await booth.sleep(firstAnswerMs);
  for (const [level, { group }] of question.levels.entries()) {
    if (level < from) continue;
    await booth.untilAsked(level);
    for (const person of roster.groups[group] ?? []) {
      const asked = await booth.state();
      if (asked?.status.state !== 'open') return;
      // A further finding may have joined it: they answer what is asked by then.
      await booth.vote(voteOf({ booth, ...asked, choice, person, ...(answers && { answers }) }));
      // A veto stands unless it is overruled.
      if ((await booth.state())?.veto?.choice === choice) return;
      await booth.sleep(nextAnswerMs);
    }
  }
}

/** Values for fields that the test does not set. */
function plainest(form: Form, roster: Roster): FormAnswers {
  return Object.fromEntries(Object.entries(form).map(([name, of]) => [name, plainestOf(of, roster)]));
}

function plainestOf(of: FormField, roster: Roster): FormValue {
  switch (of.kind) {
    case 'choice':
      return Object.keys(of.options)[0] ?? '';
    case 'number':
      return of.min;
    case 'text':
      return 'simulated'.slice(0, of.longest);
    case 'people':
      return namable(of, roster)
        .slice(0, 1)
        .map(({ id }) => id);
  }
}

function askedQuestion({ text, requester, severity, choices, levels }: Question): SimulatedQuestion {
  return {
    text,
    asker: requester.replace(/^playbook\//, ''),
    severity,
    choices: choices.map(({ id, label, plans }) => ({ id, label, plans })),
    groups: levels.map(({ group }) => group),
  };
}

function voteOf(vote: {
  readonly booth: Booth;
  readonly question: Question;
  readonly digest: string;
  readonly choice: string;
  readonly person: string;
  readonly answers?: FormAnswers;
}): SignedVote {
  const { booth, question, digest, choice, person, answers } = vote;
  return {
    vote: {
      version: 1,
      id: booth.newId(),
      incident: question.incident,
      question: question.id,
      questionDigest: digest,
      choice,
      person,
      via: 'slack',
      reason: 'simulated',
      ...(answers && { answers }),
      at: new Date(booth.now()).toISOString(),
    },
    keyId: desk,
    signature: `${question.id} ${person} ${choice}`,
  };
}
