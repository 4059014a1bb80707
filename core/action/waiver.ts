import type { EvidenceRef } from '../evidence/evidence.ts';
import { digestOf } from '../text/digest.ts';
import type { Plan } from './plan.ts';

/** Whose evidence has to be kept before a step: an object by its uid, or by name if it has none. */
export type EvidenceSubject = Plan['target'];

export function evidenceSubject({ target, evidenceOf }: Plan): EvidenceSubject {
  return evidenceOf ?? target;
}

export function isEvidenceOf({ target }: EvidenceRef, { name, uid }: EvidenceSubject): boolean {
  return uid === undefined ? target.uid === undefined && target.name === name : target.uid === uid;
}

/**
 * What people agree to if they do not wait for evidence of an object: that approved steps of this incident end it before anything of it is kept. It weakens the
 * response. The cell derives it again from the plan of the step, and compares.
 */
export function waiverOf({ name, uid }: EvidenceSubject): Plan {
  return {
    action: 'waive-evidence',
    effect: 'destructive',
    reach: 'pod',
    weakens: true,
    target: { name, ...(uid === undefined ? {} : { uid }) },
    changes: [{ target: name, what: 'is ended before evidence of it is kept: what it holds is lost' }],
    blastRadius: [name],
    notes: [],
    inputDigest: digestOf({ name, uid: uid ?? null }),
  };
}
