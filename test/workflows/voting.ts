import type { Vote } from '../../core/decide/approval.ts';
import type { IncidentState, QuestionState } from '../../core/incident/incident-state.ts';
import type { Lab, RunningIncident } from './harness.ts';

/** The records of one kind that the incident has handed over so far. */
export function recordsIn(lab: Pick<Lab, 'seen'>, incident: RunningIncident, kind: string) {
  return lab.seen.records.filter((record) => record.chain.startsWith(`${incident.id}@`) && record.kind === kind);
}

/** The playbook's question, not the standing question of a lease. */
export function mainQuestion(state: IncidentState): QuestionState | undefined {
  return state.questions.find((one) => !one.question.id.startsWith('lease:'));
}

/** A vote on the question as it is asked now; `over` overrides fields to make it wrong. */
export function voteOn(asked: QuestionState, over: Partial<Vote> = {}): Vote {
  return {
    version: 1,
    id: `vote-${Math.random()}`,
    incident: asked.question.incident,
    question: asked.question.id,
    questionDigest: asked.digest,
    choice: 'remove',
    person: 'ana',
    via: 'slack',
    reason: 'not ours',
    at: asked.askedAt,
    ...over,
  };
}
