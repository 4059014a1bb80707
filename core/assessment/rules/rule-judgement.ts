import type { ActKind } from './act-kinds.ts';

/** How often a rule that fires means an attack, whatever its severity. */
export const confidences = ['sure', 'likely', 'weak'] as const;
export type Confidence = (typeof confidences)[number];

/** How sure a rule is, why, and by which source. */
export interface RuleJudgement {
  readonly confidence: Confidence;
  /** People who look for a fault in a pod cause it, too. */
  readonly isDebugging?: boolean;
  /** It reports a person's session: what is done in one is never the habit of a workload. */
  readonly isSession?: boolean;
  /** It watches a decoy, which nothing has a reason to touch. */
  readonly isDecoy?: boolean;
  /** What was done. Absent: playbooks match the rule by its name, or it is nothing in itself. */
  readonly act?: ActKind;
  readonly why: string;
  readonly source: string;
}
