import type { HeadStartRequest } from '../../../core/incident/head-start.ts';

/** `known`: the pod was contained before, or is at this moment. */
export const headStartResults = ['contained', 'known', 'refused', 'failed'] as const;
export type HeadStartResult = (typeof headStartResults)[number];

/** The cell, as the dispatcher asks it to contain what must not wait for Temporal. */
export interface HeadStart {
  /** Whether there is anything to begin. Answers from memory, at once. */
  wants(request: HeadStartRequest): boolean;
  /**
   * Never rejects: what cannot be begun is left to the incident.
   *
   * @param durable nothing is changed before it resolves; when it rejects, nothing at all
   */
  begin(request: HeadStartRequest, durable: Promise<unknown>): Promise<HeadStartResult>;
  /** Contained pods that no incident holds. */
  orphans(): number;
}
