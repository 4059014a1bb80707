import type { QuestionState } from '../../core/incident/incident-state.ts';
import { answererActivities } from '../calls.ts';
import type { IncidentModel } from '../incident/model.ts';
import { condition, nowMs } from '../world.ts';

/** Why the next level is asked, for the record and for people. */
export interface Escalation {
  readonly why: string;
  readonly opening: string;
}

export const silence: Escalation = { why: 'nobody answered in time', opening: 'No answer yet' };

const toldAgainMs = 15_000;

/** Stores in the question who may answer it now. If the cell does not answer in time, nothing changes. */
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
 * People have their whole time from when the desk has put the question before them. Only then is the cell told of it, which counts from there; if it does not
 * answer, it is told again. A question that is over by then contains nothing.
 */
export async function tellOfShown(model: IncidentModel, id: string, isShown: () => boolean): Promise<void> {
  const isOver = (): boolean => model.questions.get(id)?.status.state !== 'open';
  await condition(() => isShown() || isOver());
  while (!isOver()) {
    await askWho(model, id);
    const state = model.questions.get(id);
    const heard = state?.answerers?.heard;
    if (state && heard !== undefined) return void model.questions.set(id, { ...state, heard });
    await condition(isOver, toldAgainMs);
  }
}

/** How long that level is asked. Where silence contains, the last one is asked until the end: nobody's time is cut short because somebody was called in early. */
export function timeOf({ question }: QuestionState, level: number): number {
  const ownMs = question.levels[level]?.withinMs ?? 0;
  if (question.containsOnSilence === undefined || level < question.levels.length - 1) return ownMs;
  return Math.max(1, Date.parse(question.until ?? '') - nowMs());
}

/**
 * Waits until the question is decided, the next level is asked, or the time is over. Returns at once if nobody of this level can answer but somebody of a later
 * one can. If nobody at all can, it waits: a shift may begin.
 */
export async function waitAtLevel(wait: {
  readonly model: IncidentModel;
  readonly id: string;
  readonly level: number;
  readonly withinMs: number;
  /** Updates the card, which shows who may answer. */
  readonly touch: () => void;
  /** Called when somebody else has come on call, and is asked now. */
  readonly handedOver: (group: string, people: readonly string[]) => void;
}): Promise<Escalation> {
  const { model, id, level, withinMs, touch, handedOver } = wait;
  let until = nowMs() + withinMs;
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
    const before = model.questions.get(id);
    const isAnew = () => model.questions.get(id)?.digest !== before?.digest;
    const changed = () => isOver() || model.actors.size > named || isAnew();
    const handOver = handOverOf(before);
    // The timer ends it, not the clock: a replay may report a later time for the moment at which the question was asked.
    if (!(await condition(changed, Math.max(1, Math.min(until, handOver) - nowMs()))) && until <= handOver) return silence;
    if (isOver()) break;
    // A further finding has joined, and with it other times.
    if (isAnew()) until = Date.parse(model.questions.get(id)?.levelUntil ?? '');
    // A person whom an alert has named since may no longer answer.
    await ask();
    const arrived = model.actors.size > named ? [] : newAt(level, before, model.questions.get(id));
    const group = before?.question.levels[level]?.group;
    if (group !== undefined && arrived.length > 0) handedOver(group, arrived);
  }
  return silence;
}

function handOverOf(state: QuestionState | undefined): number {
  const at = state?.answerers?.changesAt ?? Number.POSITIVE_INFINITY;
  // A change in the past did not take place: the cell could not determine who it is now.
  return at > nowMs() ? at : Number.POSITIVE_INFINITY;
}

/** Who may answer for the level now, but could not before. */
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
