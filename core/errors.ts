/**
 * The one catalogue of errors. Code branches on `code`, never on a message; the reference page is generated from this list. `retryable`: trying the same call
 * again later may succeed. `remedy`: what a person can do about it.
 */
export const errorCatalogue = {
  FB_ERR_ACTION_FAILED: {
    retryable: false,
    summary: 'A pack’s own action failed',
    remedy:
      'Check the target. Firebreak undoes the parts that were already done where it can; the reason comes from the pack’s author.',
  },
  FB_ERR_ALERT_INVALID: {
    retryable: false,
    summary: 'The alert cannot be read',
    remedy: 'Correct the field that the reason names; the page of the sensor shows the format.',
  },
  FB_ERR_ALREADY_DECIDED: {
    retryable: false,
    summary: 'The question has already been decided',
    remedy: 'Run `firebreak incidents show` to see the result and what can still be decided. Nothing was sent.',
  },
  FB_ERR_API_REFUSED: {
    retryable: false,
    summary: 'The Kubernetes API server refused the change',
    remedy:
      'Read its answer: an admission policy, a webhook, a missing permission or an API rule blocks the change. Once that is fixed, a release is retried automatically; order any other step again.',
  },
  FB_ERR_APPROVAL_INVALID: {
    retryable: false,
    summary: 'The approval does not cover this step',
    remedy: 'Ask again. A destructive step needs signed votes for exactly this plan, from people on the roster.',
  },
  FB_ERR_AUDIT_CONFLICT: {
    retryable: false,
    summary: 'The audit records do not continue their chain',
    remedy: 'Check who can reach Temporal: a cell of this version never sends such records. Nothing was written.',
  },
  FB_ERR_AUDIT_DAMAGED: {
    retryable: false,
    summary: 'The audit records were changed or are incomplete',
    remedy: 'Run `firebreak audit verify` to list every wrong record and checkpoint, then check who can write to the database.',
  },
  FB_ERR_AUDIT_ORIGIN: {
    retryable: false,
    summary: 'The audit record is not signed by the cell or desk that its chain belongs to',
    remedy:
      'If it comes from one of your cells, add the public key of the cell to the configuration of the desk. Nothing was written.',
  },
  FB_ERR_ASK_FIRST: {
    retryable: false,
    summary: 'The step needs a person’s approval: the alert is in doubt, or the response is frozen',
    remedy: 'Answer the question that Firebreak asks about it.',
  },
  FB_ERR_BACKUP_INVALID: {
    retryable: false,
    summary: 'The backup is incomplete, or does not match its signature',
    remedy: 'Use another backup, and check who can write to the place where this one is stored. Nothing was restored.',
  },
  FB_ERR_BUNDLE_INVALID: {
    retryable: false,
    summary: 'The file is not an evidence bundle or a list of trusted keys',
    remedy: 'Use a file from `firebreak incidents export`, and for --trust the output of `firebreak bundle keys`.',
  },
  FB_ERR_CAP_REACHED: {
    retryable: false,
    summary: 'The limit for automatic containment is reached',
    remedy: 'Release a containment that is no longer needed, or decide on this target yourself.',
  },
  FB_ERR_CONFIG_INVALID: {
    retryable: false,
    summary: 'The configuration is not valid',
    remedy: 'Correct what the message names. `firebreak config check` lists all problems.',
  },
  FB_ERR_CONFLICT: {
    retryable: true,
    summary: 'The object changed at the same time',
    remedy: 'Wait: a step reads the object again and retries. If a command says so, run it again.',
  },
  FB_ERR_CONTAINER_REPLACED: {
    retryable: false,
    summary: 'The container in the alert has been replaced',
    remedy:
      'Decide about the new container separately. The memory and files of the old one are gone and do not count as evidence.',
  },
  FB_ERR_DRIFTED: {
    retryable: false,
    summary: 'The object was changed after the step',
    remedy: 'Compare the object with the record, then decide. Firebreak changed nothing.',
  },
  FB_ERR_EVIDENCE_DAMAGED: {
    retryable: false,
    summary: 'The evidence does not match its hash or signature',
    remedy: 'Keep the object as it is, use another copy, and check who can write to the evidence store.',
  },
  FB_ERR_EVIDENCE_PENDING: {
    retryable: false,
    summary: 'The evidence has not been stored yet',
    remedy: 'Wait for it, or have a person on the roster waive it.',
  },
  FB_ERR_FILE_MISSING: {
    retryable: false,
    summary: 'A file is missing or cannot be read',
    remedy: 'Check the path and the machine. A relative path in a configuration starts at the folder of that file.',
  },
  FB_ERR_INCOMPLETE: {
    retryable: false,
    summary: 'The command is incomplete',
    remedy: 'Add or correct what the message names; `--help` shows every option. Nothing was done.',
  },
  FB_ERR_INTERNAL: {
    retryable: true,
    summary: 'An unexpected error inside Firebreak',
    remedy: 'Look in the log for this incident, and report the error.',
  },
  FB_ERR_KEY_FILE: {
    retryable: false,
    summary: 'The private key cannot be used',
    remedy: 'Use --key with the file of your own Ed25519 private key (PEM). `firebreak docs operations` shows how to make one.',
  },
  FB_ERR_MESSAGE_REFUSED: {
    retryable: false,
    summary: 'A message through Temporal has the wrong sender or purpose',
    remedy:
      'Check that every process and the command line have the others’ public keys (`trust`, `desk.votePublicKeys`) and the same payload key. If they do, check who else can reach Temporal.',
  },
  FB_ERR_NOT_CONFIRMED: {
    retryable: false,
    summary: 'The command was not confirmed',
    remedy: 'Check what it would change, then run it again. Nothing was sent.',
  },
  FB_ERR_NOT_FOUND: {
    retryable: false,
    summary: 'The object does not exist',
    remedy:
      'Check the name, and whether the object was deleted or renamed. For a Kubernetes object, check the namespace and the uid too.',
  },
  FB_ERR_NOT_OPEN: {
    retryable: false,
    summary: 'There is nothing to decide',
    remedy: 'Run `firebreak incidents show` to list the open questions and leases. Nothing was sent.',
  },
  FB_ERR_OBSERVED: {
    retryable: false,
    summary: 'Observe mode is on: the plan was recorded, and nothing was changed',
    remedy: 'Act yourself, end observe mode with `firebreak unfreeze`, or change `response.mode`: firebreak docs response-modes.',
  },
  FB_ERR_OUTSIDE_WINDOW: {
    retryable: false,
    summary: 'The change window is closed',
    remedy: 'Wait until it opens, or start a break-glass session with `firebreak break-glass`.',
  },
  FB_ERR_PLAN_CHANGED: {
    retryable: false,
    summary: 'The plan is different from the one that was approved',
    remedy: 'Ask again with the new plan.',
  },
  FB_ERR_PLAYED_BACK: {
    retryable: false,
    summary: 'A workflow was started twice with the same start message, or was reset after its end',
    remedy: 'Check who can reach Temporal: only a cell starts workflows. Nothing was done.',
  },
  FB_ERR_PLATFORM_BUSY: {
    retryable: false,
    summary: 'Something that already runs is in the way of the local platform',
    remedy:
      'Use what runs (`firebreak dev status`), or start a second one with its own data and ports: `firebreak dev up` in another folder, without `--port` or with another.',
  },
  FB_ERR_PLATFORM_PART_MISSING: {
    retryable: false,
    summary: 'A part of the local platform is missing',
    remedy: 'Install what the message names, then run the command again.',
  },
  FB_ERR_PLATFORM_START: {
    retryable: true,
    summary: 'A server of the local platform did not start',
    remedy: 'Read the message: it says what to do. If it names a log file, read its last lines.',
  },
  FB_ERR_PROTECTED: {
    retryable: false,
    summary: 'The target is protected',
    remedy: 'Act yourself if you must. Firebreak never changes protected namespaces or its own objects.',
  },
  FB_ERR_PLAYBOOK_LOOPS: {
    retryable: false,
    summary: 'The playbook was stopped because of an endless loop',
    remedy: 'Correct the loop that the message names. Completed steps stay in force, and people decide about them.',
  },
  FB_ERR_REFUSED: {
    retryable: false,
    summary: 'The request was refused',
    remedy: 'Read the reason, then correct the request or choose another action.',
  },
  FB_ERR_RESTORE_TARGET: {
    retryable: false,
    summary: 'The target of the restore is not empty',
    remedy: 'Restore to an empty place, or use --force to replace what is there. Nothing was restored.',
  },
  FB_ERR_RESTORE_UNFINISHED: {
    retryable: false,
    summary: 'An earlier restore did not finish',
    remedy: 'Run the same `firebreak restore` again until it reports that everything is restored.',
  },
  FB_ERR_RUN_AHEAD: {
    retryable: false,
    summary: 'More time has passed in the run of a workflow than since it started',
    remedy: 'Check who can reach Temporal, and turn off time skipping in its server. The cell starts an incident again.',
  },
  FB_ERR_SIGN_IN: {
    retryable: false,
    summary: 'You are not signed in to the console',
    remedy: 'Sign in again. A session ends after a period of inactivity, and after a fixed number of hours.',
  },
  FB_ERR_TARGET_REPLACED: {
    retryable: false,
    summary: 'The name now belongs to another object',
    remedy: 'Decide about the new object separately. Nothing was changed.',
  },
  FB_ERR_SEAL_BROKEN: {
    retryable: false,
    summary: 'Encrypted data cannot be decrypted',
    remedy: 'Check that the key in the message is in the key ring, and that nobody moved or changed the data.',
  },
  FB_ERR_TOO_MANY: {
    retryable: true,
    summary: 'Too many requests',
    remedy: 'Wait a few seconds, then try again.',
  },
  FB_ERR_UNAVAILABLE: {
    retryable: true,
    summary: 'A service did not answer',
    remedy: 'Check that it is running and can be reached. Steps are retried automatically; run a failed command again.',
  },
  FB_ERR_UNKNOWN_ID: {
    retryable: false,
    summary: 'The name or id was not found',
    remedy:
      'Take it from the list (`firebreak incidents list`, `firebreak suppress list` …). For another cluster, use the configuration of that cluster.',
  },
  FB_ERR_UNVERIFIED_STATE: {
    retryable: false,
    summary: 'The recorded previous state cannot be trusted',
    remedy: 'Somebody edited it. Compare the objects yourself, or use `firebreak release --offline`.',
  },
  FB_ERR_WARRANT_OUTDATED: {
    retryable: false,
    summary: 'The permission for this step has expired or was already used',
    remedy: 'Wait: the step asks the cell for a new one.',
  },
  FB_ERR_VOTE_REFUSED: {
    retryable: false,
    summary: 'The vote or order was not accepted',
    remedy:
      'Correct what the reason names: the target, the person, the key, the group or the question. The refusal is on record.',
  },
} as const;

export type ErrorCode = keyof typeof errorCatalogue;

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && value in errorCatalogue;
}

/**
 * The only error that Firebreak throws on purpose. `detail` is safe to show: no secret, no response body, no header. `remedy` says what to do about this
 * particular error, if that is more specific than the remedy of its code.
 */
export class FirebreakError extends Error {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly #remedy: string | undefined;

  constructor(code: ErrorCode, detail: string, options?: { readonly cause?: unknown; readonly remedy?: string }) {
    super(`${code}: ${errorCatalogue[code].summary}: ${detail}`, options);
    this.name = 'FirebreakError';
    this.code = code;
    this.detail = detail;
    this.#remedy = options?.remedy;
  }

  get retryable(): boolean {
    return errorCatalogue[this.code].retryable;
  }

  get remedy(): string {
    return this.#remedy ?? errorCatalogue[this.code].remedy;
  }
}

/** The error's code; `FB_ERR_INTERNAL` for anything that is not thrown on purpose. */
export function codeOf(error: unknown): ErrorCode {
  return error instanceof FirebreakError ? error.code : 'FB_ERR_INTERNAL';
}

/** Whether it is a Firebreak error with one of these codes. */
export function hasCode(error: unknown, ...codes: readonly ErrorCode[]): error is FirebreakError {
  return error instanceof FirebreakError && codes.includes(error.code);
}

/** For `catch`: an error with one of these codes becomes undefined; any other is rethrown. */
export function undefinedIf(...codes: readonly ErrorCode[]): (error: unknown) => undefined {
  return (error) => {
    if (!hasCode(error, ...codes)) throw error;
    return undefined;
  };
}

/** `FB_ERR_UNAVAILABLE` from a service that said when to come back. */
export class RetryLaterError extends FirebreakError {
  readonly retryAfterMs: number;

  constructor(detail: string, { retryAfterMs }: { readonly retryAfterMs: number }) {
    super('FB_ERR_UNAVAILABLE', detail);
    this.name = 'RetryLaterError';
    this.retryAfterMs = retryAfterMs;
  }
}
