import type { Plan } from '../../core/action/plan.ts';
import type { Alert } from '../../core/alert/alert.ts';
import { labelFor } from '../../core/cards/choice-label.ts';
import { type Choice, type Level, type Question, quorumOf } from '../../core/decide/approval.ts';
import type { Form } from '../../core/decide/form.ts';
import { openState } from '../../core/decide/question.ts';
import { needsStepUp } from '../../core/decide/step-up.ts';
import type { QuestionState } from '../../core/incident/incident-state.ts';
import type { IncidentModel } from '../incident/model.ts';
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
  /** It is asked as long as what it is about is in force. */
  readonly standing?: true;
  readonly alert: Alert;
  /** Returns why the question has become pointless, once it has: then it is void. Absent: never. */
  readonly until?: () => string | undefined;
}

export type Asked = Omit<AskedQuestion, 'alert'>;

/** Its initial state: how many people each choice needs, and until when it is asked. */
export function openQuestion(model: IncidentModel, id: string, asked: Asked): QuestionState {
  const { severity, settings } = model;
  const { protectedNamespaces, stepUp } = settings;
  const choices: readonly Choice[] = asked.choices.map((choice) => ({
    ...choice,
    label: labelFor(choice.label, choice.plans),
    ...(stepUp && needsStepUp({ plans: choice.plans, severity }, stepUp) ? { stepUp: true as const } : {}),
    quorum: quorumOf({ ...choice, severity, incident: model.ref.id, protectedNamespaces }),
  }));
  const now = nowMs();
  const lastsMs = asked.levels.reduce((sum, { withinMs }) => sum + withinMs, 0);
  const question: Question = {
    id,
    incident: model.ref,
    severity,
    text: asked.text,
    choices,
    levels: asked.levels,
    requester: asked.requester,
    onSilence: asked.onSilence,
    ...(asked.standing ? { asked: new Date(now).toISOString() } : { until: new Date(now + lastsMs).toISOString() }),
    ...model.namedActors,
    ...model.namedRequesters,
  };
  return openState(question, { at: now });
}
