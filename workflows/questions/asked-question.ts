import type { Plan } from '../../core/action/plan.ts';
import type { Alert } from '../../core/alert/alert.ts';
import { labelFor } from '../../core/cards/choice-label.ts';
import { type Choice, type Level, lastsMs, type Question, quorumOf } from '../../core/decide/approval.ts';
import type { Form } from '../../core/decide/form.ts';
import { openState } from '../../core/decide/question.ts';
import { needsStepUp } from '../../core/decide/step-up.ts';
import type { QuestionState } from '../../core/incident/incident-state.ts';
import type { IncidentModel } from '../incident/model.ts';
import type { Caller } from '../steps/caller.ts';
import { nowMs } from '../world.ts';

interface AskedChoice {
  readonly id: string;
  /** In words; for a choice with plans only the answer itself: see `labelFor`. */
  readonly label: string;
  readonly plans: readonly Plan[];
  readonly harmless?: true;
  readonly form?: Form;
}

export interface AskedQuestion {
  readonly text: string;
  readonly choices: readonly AskedChoice[];
  readonly levels: readonly Level[];
  readonly requester: string;
  readonly onSilence: string;
  /** Uid of the pod that is contained if nobody answers. */
  readonly containsOnSilence?: string;
  /** It is asked as long as what it is about is in force. */
  readonly standing?: true;
  readonly alert: Alert;
  /** The alert that the body runs for, if the card shows another one. */
  readonly finding?: Alert;
  /** The body that asks: its question may join one of another body about the same pod. Absent: it is asked alone. */
  readonly caller?: Caller;
  /** Returns why the question has become pointless, once it has: then it is void. Absent: never. */
  readonly until?: () => string | undefined;
  /** Called if its whole time is over and nobody has answered. */
  readonly onExpired?: (state: QuestionState) => void;
}

export type Asked = Omit<AskedQuestion, 'alert' | 'until' | 'onExpired'>;

/** How far a question has come that is asked anew, in other words; times in milliseconds since 1970. */
interface Progress {
  readonly at: number;
  readonly level: number;
  readonly levelUntil: number;
  readonly until: number;
}

/** Its state before any answer: how many people each choice needs, and until when it is asked. */
export function openQuestion(model: IncidentModel, id: string, asked: Asked, progress?: Progress): QuestionState {
  const { severity, settings } = model;
  const { protectedNamespaces, stepUp } = settings;
  const choices: readonly Choice[] = asked.choices.map((choice) => ({
    ...choice,
    label: labelFor(choice.label, choice.plans),
    ...(stepUp && needsStepUp({ plans: choice.plans, severity }, stepUp) ? { stepUp: true as const } : {}),
    quorum: quorumOf({ ...choice, severity, incident: model.ref.id, protectedNamespaces }),
  }));
  const now = nowMs();
  const until = progress?.until ?? now + lastsMs(asked.levels);
  const question: Question = {
    id,
    incident: model.ref,
    severity,
    text: asked.text,
    choices,
    levels: asked.levels,
    requester: asked.requester,
    onSilence: asked.onSilence,
    ...(asked.containsOnSilence !== undefined && { containsOnSilence: asked.containsOnSilence }),
    ...(asked.standing ? { asked: new Date(now).toISOString() } : { until: new Date(until).toISOString() }),
    ...model.namedActors,
    ...model.namedRequesters,
  };
  return openState(question, progress ?? { at: now });
}
