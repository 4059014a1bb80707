import type { Story, StoryStep } from './story.ts';
import type { Path, PathTurn } from './walk.ts';

const doesWords = { plan: 'the plan of ', apply: '', undo: 'the release of ' };

/** What distinguishes this path: `rotateSecret fails, remove, silence`; empty if there was nothing to choose. */
export function labelOf({ circumstance, turns }: Pick<Path, 'circumstance' | 'turns'>): string {
  const words = turns.flatMap((turn) => wordsOf(turn));
  return [...(circumstance === 'as given' ? [] : [circumstance]), ...words].join(', ');
}

function wordsOf(turn: PathTurn): readonly string[] {
  switch (turn.kind) {
    case 'answer':
      return [turn.asker === 'engine' ? `${turn.answer} to the engine` : turn.answer];
    case 'failure':
      return turn.fails ? [`${doesWords[turn.does]}${turn.action} fails`] : [];
    case 'output':
      return turn.variant === 0 ? [] : [`${turn.action} returns ${turn.said}`];
  }
}

/** A path in one line: `remove, silence: quarantinePod, …, deletePod by oncall-1; true_positive`. */
export function lineOf(path: Path): string {
  const label = labelOf(path);
  return `${label === '' ? 'always' : label}: ${outcomeOf(path.story)}`;
}

/** The outcome of a story, in one line. */
export function outcomeOf({ steps, verdict, left, notes, end, error }: Story): string {
  const done = timesOf(steps.map(stepText));
  const held = left.map(({ action, inSilence }) => `${action} in force${inSilence === 'release' ? ' for a time' : ''}`);
  return [
    done.length > 0 ? done.join(', ') : 'nothing is done',
    ...(verdict === 'unknown' ? [] : [verdict]),
    ...held,
    ...(notes.length > 0 ? ['noted'] : []),
    ...(end === 'done' ? [] : [end === 'failed' ? `stops (${error?.code ?? ''})` : end]),
  ].join('; ');
}

/** Consecutive repetitions are written once. */
function timesOf(texts: readonly string[]): readonly string[] {
  const rows: { readonly text: string; times: number }[] = [];
  for (const text of texts) {
    const last = rows.at(-1);
    if (last?.text === text) last.times += 1;
    else rows.push({ text, times: 1 });
  }
  return rows.flatMap(({ text, times }) => (times > mostInARow ? [`${text} (${times} times)`] : Array<string>(times).fill(text)));
}
const mostInARow = 3;

const stateWords = { done: '', failed: ' fails', joined: ' joined', undone: ' undone', skipped: ' skipped' };

function stepText({ action, state, approvedBy }: StoryStep): string {
  return `${action}${stateWords[state]}${approvedBy.length > 0 ? ` by ${approvedBy.join(' and ')}` : ''}`;
}
