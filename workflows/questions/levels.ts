import type { QuestionState } from '../../core/incident/incident-state.ts';
import { answererActivities } from '../calls.ts';
import type { IncidentModel } from '../incident/model.ts';
import { condition, nowMs } from '../world.ts';

/** Why the next level is asked: for the record, and as people are told it. */
export interface Escalation {
  readonly why: string;
  readonly opening: string;
}

export const silence: Escalation = { why: 'nobody answered in time', opening: 'No answer yet' };

/** Puts into the question who may answer it now. Where the cell cannot say in time, it is as if nobody had asked. */
export async function askWho(model: IncidentModel, id: string): Promise<void> {
  const asked = model.questions.get(id);
  if (!asked) return;
  let answerers: QuestionState['answerers'];
  let named: number;
  do {
    named = model.actors.size;
    answerers = await answererActivities(model.settings)
      .answerersTo({ question: asked.question, ...model.namedActors })
      .catch(() => undefined);
    // An alert may have named somebody while the cell was looking.
  } while (model.actors.size > named);
  // It may have been answered meanwhile.
  const state = model.questions.get(id);
  if (!state) return;
  const { answerers: _, ...others } = state;
  model.questions.set(id, { ...others, ...(answerers && { answerers }) });
}

/**
 * Until the question is decided, the next level is asked, or the time is over: at once where nobody of this level can answer, and somebody of a
 * later one can. Where nobody at all can, it waits: a shift may begin.
 */
export async function waitAtLevel(wait: {
  readonly model: IncidentModel;
  readonly id: string;
  readonly level: number;
  readonly withinMs: number;
  /** The card shows who may answer. */
  readonly touch: () => void;
  /** Somebody else has come on call meanwhile, and is asked now. */
  readonly handedOver: (group: string, people: readonly string[]) => void;
}): Promise<Escalation> {
  const { model, id, level, withinMs, touch, handedOver } = wait;
  const until = nowMs() + withinMs;
  const isOver = (): boolean => {
    const state = model.questions.get(id);
    return state?.status.state !== 'open' || state.level > level;
  };
  const ask = async (): Promise<void> => {
    await askWho(model, id);
    touch();
  };
  if (level > 0) await ask();
  while (!isOver()) {
    const empty = emptyLevel(model.questions.get(id), level);
    if (empty) return empty;
    const named = model.actors.size;
    const changed = () => isOver() || model.actors.size > named;
    const before = model.questions.get(id);
    const handOver = handOverOf(before);
    // The timer ends it, not the clock: a replay can tell a later time for the moment at which the question was asked.
    if (!(await condition(changed, Math.max(1, Math.min(until, handOver) - nowMs()))) && until <= handOver) return silence;
    if (isOver()) break;
    // Whom an alert names since may not answer any more.
    await ask();
    const arrived = model.actors.size > named ? [] : newAt(level, before, model.questions.get(id));
    const group = before?.question.levels[level]?.group;
    if (group !== undefined && arrived.length > 0) handedOver(group, arrived);
  }
  return silence;
}

function handOverOf(state: QuestionState | undefined): number {
  const at = state?.answerers?.changesAt ?? Number.POSITIVE_INFINITY;
  // What is past did not come about: the cell could not say who it is now.
  return at > nowMs() ? at : Number.POSITIVE_INFINITY;
}

/** Who may answer for the level since, and could not before. */
function newAt(level: number, before: QuestionState | undefined, after: QuestionState | undefined): readonly string[] {
  const known = before?.answerers?.levels[level] ?? [];
  return (after?.answerers?.levels[level] ?? []).filter((person) => before?.answerers !== undefined && !known.includes(person));
}

function emptyLevel(state: QuestionState | undefined, level: number): Escalation | undefined {
  const levels = state?.answerers?.levels ?? [];
  if (levels[level]?.length !== 0 || !levels.slice(level + 1).some((people) => people.length > 0)) return undefined;
  const group = state?.question.levels[level]?.group ?? 'this level';
  return { why: `nobody of ${group} can answer now`, opening: `Nobody of ${group} can answer now` };
}
