import type { ErrorCode } from '../core/errors.ts';

/** A failed step, with the catalogue's code. Plain data: the playbook may look at it. */
export class StepFailure extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.name = 'StepFailure';
    this.code = code;
  }
}
