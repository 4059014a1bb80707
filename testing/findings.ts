import { join } from 'node:path';
import { openTicket } from '../core/actions/index.ts';
import { mostLeaseHours } from '../core/incident/lease.ts';
import { labelOf, outcomeOf } from './path-line.ts';
import type { Story, StoryQuestion } from './story.ts';
import { type Path, silence } from './walk.ts';

/** Something that a person should know about a playbook. */
interface PlaybookFinding {
  readonly level: 'problem' | 'notice';
  /** One sentence, with the first path on which it was found. */
  readonly text: string;
}

interface Found {
  readonly level: PlaybookFinding['level'];
  readonly text: string;
}

/** Findings of all paths, each once: on the first path, which is the one with the fewest failures. */
export function findingsIn(paths: readonly Path[]): readonly PlaybookFinding[] {
  const byText = new Map<string, PlaybookFinding>();
  const add = ({ level, text }: Found, path: Path): void => {
    const label = labelOf(path);
    if (!byText.has(text)) byText.set(text, { level, text: `${text}${label === '' ? '' : ` (${label})`}` });
  };
  for (const path of paths) for (const found of onPath(path)) add(found, path);
  for (const [path, found] of betweenPaths(paths)) add(found, path);
  return [...byText.values()];
}

function onPath(path: Path): readonly Found[] {
  return [
    ...ending(path),
    ...refused(path),
    ...shortened(path),
    ...leftInForce(path),
    ...plansNotDone(path),
    ...endedInSilence(path),
    ...unheard(path),
    ...withoutEvidence(path),
  ];
}

/** Whether nothing goes wrong that the playbook could not know of. */
function isClean({ turns, circumstance }: Path): boolean {
  return circumstance !== 'caps reached' && turns.every((turn) => turn.kind !== 'failure' || !turn.fails);
}

function problem(text: string): Found {
  return { level: 'problem', text };
}

function notice(text: string): Found {
  return { level: 'notice', text };
}

function ending(path: Path): readonly Found[] {
  const { end, error, notAwaited } = path.story;
  return [
    // A body that throws could not wait for what it had begun.
    ...(end === 'failed' ? [] : notAwaited).map((step) => problem(`${step} is not awaited: an await is missing`)),
    ...(end === 'endless'
      ? [problem('it still runs after 30 days: it waits for something that never comes, or is in an endless loop')]
      : []),
    ...(end === 'failed' && isClean(path) ? [problem(`it stops: ${error?.message ?? ''}${placeIn(error?.stack)}`)] : []),
    ...(end === 'failed' && failures(path) === 1 && !isKnown(path.story)
      ? [notice('it stops where a step fails, before anybody is asked: people are told, and what follows is not done')]
      : []),
  ];
}

function failures({ turns }: Path): number {
  return turns.filter((turn) => turn.kind === 'failure' && turn.fails).length;
}

/** People have been asked, or have a ticket. */
function isKnown(story: Story): boolean {
  return asksOf(story).length > 0 || story.steps.some(({ action, state }) => action === openTicket.name && state === 'done');
}

const engineRooms = ['core', 'workflows', 'activities', 'testing', 'authoring', 'service', 'chunks'].map(
  (room) => `${join(import.meta.dirname, '..', room)}/`,
);

/** The first stack line in the author's own source. */
function placeIn(stack: string | undefined): string {
  const place = stack
    ?.split('\n')
    .find((line) => /^\s+at /.test(line) && !/node_modules|node:/.test(line) && !engineRooms.some((room) => line.includes(room)));
  return place === undefined ? '' : `, ${place.trim()}`;
}

/** Longer than any installation allows is a mistake; longer than this one allows may be meant for another. */
function shortened({ story }: Path): readonly Found[] {
  return story.steps.flatMap(({ action, shortened: lease }) => {
    if (!lease) return [];
    const text = `${action} has a lease of ${hours(lease.asked)}`;
    return lease.asked > mostLeaseHours
      ? [problem(`${text}; the longest is ${hours(mostLeaseHours)} (720h): write a shorter one, and people extend it`)]
      : [notice(`${text}, which guardrails.longestLeaseHours shortens to ${hours(lease.allowed)}`)];
  });
}

function hours(count: number): string {
  return count % 24 === 0 && count > 72 ? `${count / 24} days` : `${Math.round(count * 10) / 10} hours`;
}

/** What the engine or the cell refuses, whatever the playbook says. */
function refused({ story }: Path): readonly Found[] {
  const steps = story.steps.filter(({ state, isInjected }) => state === 'failed' && !isInjected);
  return [
    ...steps
      .filter(({ code }) => code !== 'FB_ERR_CAP_REACHED' && code !== 'FB_ERR_ASK_FIRST')
      .map(({ action, reason }) => {
        const text = `${action} is refused: ${reason ?? ''}`;
        return story.end === 'failed' ? problem(text) : notice(text);
      }),
    ...story.events
      .filter(({ kind }) => kind === 'verdict.refused')
      .map(({ text }) => problem(`a verdict does not count: ${text}. \`harmless\` of \`ask\` lists the choices that say so`)),
  ];
}

function leftInForce(path: Path): readonly Found[] {
  const { left, verdict } = path.story;
  const asked = asksOf(path.story);
  return left.flatMap(({ action, target, contains }) => {
    const what = `${action} on ${target}`;
    if (verdict === 'benign') return [(isClean(path) ? problem : notice)(`people call it harmless, and ${what} stays in force`)];
    if (asked.length === 0 && contains) return [problem(`${what} stays in force, and nobody is asked about it`)];
    return asked.length === 0 ? [notice(`${what} stays in force, and nobody is asked about it`)] : [];
  });
}

function asksOf({ questions }: Story): readonly StoryQuestion[] {
  return questions.filter(({ asker }) => asker !== 'engine');
}

/** People were shown that something would be done and agreed, but it was not even tried. */
function plansNotDone(path: Path): readonly Found[] {
  const { questions, steps } = path.story;
  if (!isClean(path)) return [];
  const tried = new Set(steps.map(({ action, state }) => (state === 'undone' ? `undo:${action}` : action)));
  return questions.flatMap(({ choices, answer, text }) => {
    const chosen = choices.find(({ id }) => id === answer);
    return (chosen?.plans ?? [])
      .filter((action) => !tried.has(action) && action !== 'waive-evidence')
      .map((action) => problem(`“${answer}” of “${text}” shows the plan of ${action}, which is not carried out`));
  });
}

function endedInSilence({ story }: Path): readonly Found[] {
  const asked = asksOf(story);
  const isSilent = asked.length > 0 && asked.every(({ answer }) => answer === silence || answer === 'void');
  if (!isSilent) return [];
  return story.steps
    .filter(({ effect, state }) => effect === 'destructive' && state === 'done')
    .map(({ action, target }) => problem(`${action} ends ${target} although nobody answered`));
}

/** Nobody has answered, and nothing is written down for those who come later. */
function unheard(path: Path): readonly Found[] {
  const { steps, notes, questions, verdict, end } = path.story;
  if (!isClean(path) || end !== 'done') return [];
  const said = verdict !== 'unknown' || notes.length > 0 || questions.some(({ by }) => by.length > 0);
  const filed = steps.some(({ action }) => action === openTicket.name);
  return said || filed ? [] : [problem('it ends without an answer, a ticket or a note: nobody learns of it')];
}

function withoutEvidence(path: Path): readonly Found[] {
  const late = path.story.events.some(({ kind }) => kind === 'evidence.deadline');
  if (!late) return [];
  return isClean(path)
    ? [problem('something is destroyed although no evidence of it was kept: it waits half an hour for some')]
    : [notice('where the evidence cannot be kept, what people approved waits for it: half an hour, or until they waive it')];
}

/** Choices that have the same outcome. */
function betweenPaths(paths: readonly Path[]): readonly (readonly [Path, Found])[] {
  const siblings = new Map<string, Path[]>();
  for (const path of paths) {
    const last = path.turns.findLastIndex((turn) => turn.kind === 'answer');
    const turn = path.turns[last];
    if (!isClean(path) || path.circumstance !== 'as given' || turn?.kind !== 'answer' || turn.asker === 'engine') continue;
    const key = JSON.stringify([path.turns.slice(0, last), turn.question]);
    siblings.set(key, [...(siblings.get(key) ?? []), path]);
  }
  return [...siblings.values()].flatMap(sameOutcomes);
}

function sameOutcomes(group: readonly Path[]): readonly (readonly [Path, Found])[] {
  const answers = group.map((path) => {
    const turn = path.turns.findLast(({ kind }) => kind === 'answer');
    const answer = turn?.kind === 'answer' ? turn.answer : '';
    const question = turn?.kind === 'answer' ? turn.question : '';
    return { path, answer, question, outcome: `${outcomeOf(path.story)} ${path.story.notes.join(' ')}` };
  });
  return answers.flatMap(({ path, answer, question, outcome }, index) => {
    const other = answers.slice(0, index).find((one) => one.outcome === outcome);
    if (!other) return [];
    const text =
      answer === silence
        ? `“${other.answer}” of “${question}” does no more than silence`
        : `“${other.answer}” and “${answer}” of “${question}” come to the same`;
    return [[path, answer === silence ? notice(text) : problem(text)] as const];
  });
}
