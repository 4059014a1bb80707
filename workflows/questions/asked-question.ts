import type { Plan } from '../../core/action/plan.ts';
import type { Alert } from '../../core/alert/alert.ts';
import { labelFor } from '../../core/cards/choice-label.ts';
import { type Choice, type Level, type Question, questionDigest, quorumOf } from '../../core/decide/approval.ts';
import { needsStepUp } from '../../core/decide/step-up.ts';
import type { QuestionState } from '../../core/incident/incident-state.ts';
import type { IncidentModel } from '../incident/model.ts';

interface AskedChoice {
  readonly id: string;
  /** In words; of one with plans only what it answers: see `labelFor`. */
  readonly label: string;
  readonly plans: readonly Plan[];
  readonly harmless?: true;
}

export interface AskedQuestion {
  readonly text: string;
  readonly choices: readonly AskedChoice[];
  readonly levels: readonly Level[];
  readonly requester: string;
  readonly onSilence: string;
  readonly alert: Alert;
  /** When it has become pointless: then it is void. Absent: never. */
  readonly until?: () => boolean;
}

export type Asked = Omit<AskedQuestion, 'alert' | 'onSilence'>;

/** As it stands in the first moment: with how many people each choice needs, and until when its first level is asked. */
export function openQuestion(model: IncidentModel, id: string, asked: Asked): QuestionState {
  const { severity, settings } = model;
  const { protectedNamespaces, stepUp } = settings;
  const choices: readonly Choice[] = asked.choices.map((choice) => ({
    ...choice,
    label: labelFor(choice.label, choice.plans),
    ...(stepUp && needsStepUp({ plans: choice.plans, severity }, stepUp) ? { stepUp: true as const } : {}),
    quorum: quorumOf({ ...choice, severity, incident: model.ref.id, protectedNamespaces }),
  }));
  const question: Question = {
    id,
    incident: model.ref,
    severity,
    text: asked.text,
    choices,
    levels: asked.levels,
    requester: asked.requester,
    ...model.namedActors,
    ...model.namedRequesters,
  };
  const now = Date.now();
  return {
    question,
    digest: questionDigest(question),
    status: { state: 'open' },
    votes: [],
    level: 0,
    levelUntil: new Date(now + (asked.levels[0]?.withinMs ?? 0)).toISOString(),
    askedAt: new Date(now).toISOString(),
    plans: choices.flatMap((choice) => choice.plans),
  };
}
