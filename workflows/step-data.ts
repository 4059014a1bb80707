import { digestOf } from '../core/digest.ts';
import type { EvidenceRef } from '../core/evidence.ts';
import type { Plan } from '../core/plan.ts';

/** What gives the effect of a step back, for people to approve. Made here from the step itself: the cell makes it again and compares. */
export function undoPlanOf(plan: Plan, key: string): Plan {
  return {
    action: `undo:${plan.action}`,
    effect: 'reversible',
    reach: plan.reach,
    weakens: true,
    target: plan.target,
    changes: [{ target: plan.target.name, what: `gives back what ${plan.action} changed` }],
    blastRadius: plan.blastRadius,
    notes: [],
    inputDigest: digestOf({ key }),
  };
}

/** What a step kept, if it is one that keeps something. */
export function evidenceIn(output: unknown): EvidenceRef | undefined {
  if (typeof output !== 'object' || output === null || !('evidence' in output)) return undefined;
  // Only `snapshot…` actions have this field, and their output was checked against its schema by the chokepoint.
  return output.evidence as EvidenceRef;
}

/** The record keeps what was done, bounded: an output is small by design, and cut here all the same. */
export function outputForRecord(output: unknown): unknown {
  const text = JSON.stringify(output ?? null);
  return text.length <= 20_000 ? (output ?? null) : { cut: text.slice(0, 20_000) };
}

/** `pod/namespace/name` of the object that a step's input is about, whatever the field is called. */
export function targetText(input: unknown): string {
  if (typeof input === 'object' && input !== null) {
    for (const value of Object.values(input)) {
      if (typeof value === 'object' && value !== null && 'namespace' in value && 'name' in value)
        return `pod/${String(value.namespace)}/${String(value.name)}`;
    }
  }
  return 'outside';
}
