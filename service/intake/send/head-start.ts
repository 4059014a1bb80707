import type { HeadStartRequest } from '../../../core/incident/head-start.ts';

/** `known`: the pod was contained before, or is being contained now. */
export const headStartResults = ['contained', 'known', 'refused', 'failed'] as const;
export type HeadStartResult = (typeof headStartResults)[number];

/** The cell, as seen by the dispatcher: it contains pods whose containment must not wait for Temporal. */
export interface HeadStart {
  /** Whether there is anything to begin. Answers synchronously, from memory. */
  wants(request: HeadStartRequest): boolean;
  /**
   * Never rejects: what cannot be begun is left to the incident.
   *
   * @param durable nothing is changed before it resolves; if it rejects, nothing is changed at all
   */
  begin(request: HeadStartRequest, durable: Promise<unknown>): Promise<HeadStartResult>;
  /** Contained pods that no incident holds. */
  orphans(): number;
}
