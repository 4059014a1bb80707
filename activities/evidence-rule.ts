import type { ActionDeclaration } from '../core/action.ts';
import { planIsCovered } from '../core/approval.ts';
import { FirebreakError } from '../core/errors.ts';
import type { IncidentRef } from '../core/incident.ts';
import type { Plan } from '../core/plan.ts';
import type { StepCall } from '../core/step.ts';
import { evidenceSubject, isEvidenceOf, waiverOf } from '../core/waiver.ts';
import { mustBeApproved } from './approval-check.ts';
import type { ChokepointParts } from './chokepoint.ts';

/** How long a destructive step waits for evidence, by what the cell itself knows. */
export interface EvidenceWait {
  readonly ms: number;
  /**
   * When an incident began, by the word of Temporal's server and not of the workflow, in milliseconds since 1970; undefined for one that the
   * server does not know.
   * @throws FB_ERR_UNAVAILABLE
   */
  began(incident: IncidentRef): Promise<number | undefined>;
}

/** The clocks of the cell and of Temporal's server may differ so much: what waited by the one is not refused by the other. */
const clocksDifferMs = 2_000;

/**
 * Nothing is destroyed before evidence of it is kept, people have waived that, or its time is over. Each is checked here: evidence is in the
 * store under a signed manifest, a waiver has its votes, and the time is over only where workflow and cell both say so.
 * @throws FB_ERR_EVIDENCE_PENDING, FB_ERR_APPROVAL_INVALID, FB_ERR_UNAVAILABLE
 */
export function createEvidenceRule(
  parts: Pick<ChokepointParts, 'evidenceKept' | 'evidenceWait' | 'roster' | 'keys' | 'rules' | 'now' | 'signIns'>,
): (call: StepCall, declaration: ActionDeclaration, plan: Plan) => Promise<void> {
  const isOver = async (call: StepCall): Promise<boolean> => {
    const now = (parts.now ?? Date.now)() + clocksDifferMs;
    const said = Date.parse(call.evidenceDeadline);
    if (!(said <= now)) return false;
    const began = await parts.evidenceWait.began(call.incident);
    return began !== undefined && began + parts.evidenceWait.ms <= now;
  };

  return async (call, declaration, plan) => {
    if (declaration.effect !== 'destructive') return;
    // First: a store that is out of reach must not hold up what no longer waits for it.
    if (await isOver(call)) return;
    const subject = evidenceSubject(plan);
    for (const ref of call.evidence) if (isEvidenceOf(ref, subject) && (await parts.evidenceKept(ref, call.incident.id))) return;
    const pending = `nothing is kept of ${subject.name} yet`;
    if (!call.waiver) throw new FirebreakError('FB_ERR_EVIDENCE_PENDING', pending);
    await mustBeApproved(parts, call, call.waiver);
    if (!planIsCovered(call.waiver, waiverOf(subject)))
      throw new FirebreakError('FB_ERR_EVIDENCE_PENDING', `${pending}, and what people waived is something else`);
  };
}
