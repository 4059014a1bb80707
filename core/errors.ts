/**
 * The one catalogue of errors. Code branches on `code`, never on a text; the reference page is generated from this list.
 * `retryable`: trying the same call again later may succeed. `remedy`: what a person does about it.
 */
export const errorCatalogue = {
  FB_ERR_ACTION_FAILED: {
    retryable: false,
    summary: 'An action of a pack did not come about',
    remedy: 'The reason is its author’s. What it had begun is given back where it can be; look at the target.',
  },
  FB_ERR_ALERT_INVALID: {
    retryable: false,
    summary: 'The alert cannot be read',
    remedy: 'Send what the sensor page describes; the reason names the field.',
  },
  FB_ERR_ALREADY_DECIDED: {
    retryable: false,
    summary: 'The question is decided already',
    remedy: 'Nothing was sent. `firebreak incidents show` tells what came of the decision, and what else can be decided.',
  },
  FB_ERR_APPROVAL_INVALID: {
    retryable: false,
    summary: 'The approval does not cover this step',
    remedy: 'Ask again: a destructive step needs the signed votes of people on the roster for exactly this plan.',
  },
  FB_ERR_AUDIT_CONFLICT: {
    retryable: false,
    summary: 'Records that are not one run of numbers of one chain',
    remedy: 'Nothing was written. Whoever sends such a batch is no cell of this version: see who reaches Temporal.',
  },
  FB_ERR_AUDIT_DAMAGED: {
    retryable: false,
    summary: 'The records are not as they were made',
    remedy:
      'Run `firebreak audit verify`: it names each record and checkpoint that is wrong. Look who could write to the database.',
  },
  FB_ERR_AUDIT_ORIGIN: {
    retryable: false,
    summary: 'A record that the cell or desk whose chain it is for did not sign',
    remedy: 'Nothing was written. If it is from a cell of yours, its public key is not in the configuration of the desk.',
  },
  FB_ERR_ASK_FIRST: {
    retryable: false,
    summary: 'It is not done without people: what the alert says is in doubt, or the response is frozen',
    remedy: 'Answer the question that is asked about it.',
  },
  FB_ERR_BACKUP_INVALID: {
    retryable: false,
    summary: 'The backup is not whole, or not what was signed',
    remedy: 'Nothing was restored. Use another backup, and look who could write to the place where this one lies.',
  },
  FB_ERR_BUNDLE_INVALID: {
    retryable: false,
    summary: 'The file is no bundle, or no list of keys',
    remedy:
      'Give a file that `firebreak incidents export` has written, and for --trust the lines that `firebreak bundle keys` prints.',
  },
  FB_ERR_CAP_REACHED: {
    retryable: false,
    summary: 'A cap on automatic containment is reached',
    remedy: 'Release what is no longer needed, or decide on this target by hand.',
  },
  FB_ERR_CONFIG_INVALID: {
    retryable: false,
    summary: 'The configuration is not valid',
    remedy: 'Correct the path that the message names; `firebreak config check` shows all problems.',
  },
  FB_ERR_CONFLICT: {
    retryable: true,
    summary: 'The object changed at the same time',
    remedy: 'Nothing: the step reads again and retries.',
  },
  FB_ERR_CONTAINER_REPLACED: {
    retryable: false,
    summary: 'The container is no longer the one that the alert is about',
    remedy: 'What it held in memory and in its own files is gone, and counts as no evidence; decide on its successor anew.',
  },
  FB_ERR_DRIFTED: {
    retryable: false,
    summary: 'The object is no longer as the step left it',
    remedy: 'Look at the difference and decide: nothing was changed.',
  },
  FB_ERR_EVIDENCE_DAMAGED: {
    retryable: false,
    summary: 'The evidence is not what its address or signature says',
    remedy: 'Keep the object as it is, look who could write to the evidence store, and use another copy.',
  },
  FB_ERR_EVIDENCE_PENDING: {
    retryable: false,
    summary: 'The evidence is not kept yet',
    remedy: 'Wait for the evidence, or let a person on the roster waive it.',
  },
  FB_ERR_FILE_MISSING: {
    retryable: false,
    summary: 'A file is not there',
    remedy:
      'Check the path (in a configuration it starts at the folder of that file), and that this is the machine with the file.',
  },
  FB_ERR_INCOMPLETE: {
    retryable: false,
    summary: 'The command does not say enough',
    remedy: 'Nothing was done. Add what the message names; `--help` shows every option.',
  },
  FB_ERR_INTERNAL: {
    retryable: true,
    summary: 'An unexpected fault inside Firebreak',
    remedy: 'Look at the log under this incident; report it.',
  },
  FB_ERR_KEY_FILE: {
    retryable: false,
    summary: 'The private key cannot be used',
    remedy: 'Name the file of your own Ed25519 private key (PEM) with --key; how one is made is in docs/operations.md.',
  },
  FB_ERR_MESSAGE_REFUSED: {
    retryable: false,
    summary: 'What came over Temporal is not from whom it must be, or was made for something else',
    remedy:
      'Check that every process, the command line too, has the public keys of the others (`trust`, `desk.votePublicKeys`) and the same payload key; if they do, look who else can reach Temporal.',
  },
  FB_ERR_NOT_CONFIRMED: {
    retryable: false,
    summary: 'It was not confirmed',
    remedy: 'Nothing was sent. Look again at what would end, then run the command again.',
  },
  FB_ERR_NOT_FOUND: {
    retryable: false,
    summary: 'The object does not exist',
    remedy: 'Look whether it was deleted or renamed. Of an object of the cluster, check namespace and uid, too.',
  },
  FB_ERR_NOT_OPEN: {
    retryable: false,
    summary: 'There is nothing to decide there',
    remedy: 'Nothing was sent. `firebreak incidents show` lists the questions and leases that are open.',
  },
  FB_ERR_OBSERVED: {
    retryable: false,
    summary: 'Observe mode: the plan is on record, and nothing was done',
    remedy: 'Act by hand, or end the observe mode: `firebreak unfreeze`.',
  },
  FB_ERR_OUTSIDE_WINDOW: {
    retryable: false,
    summary: 'A change window is closed',
    remedy: 'Wait until it opens, or break the glass: `firebreak break-glass`.',
  },
  FB_ERR_PLAN_CHANGED: {
    retryable: false,
    summary: 'The plan is no longer the one that was approved',
    remedy: 'Ask again with the new plan.',
  },
  FB_ERR_PLAYED_BACK: {
    retryable: false,
    summary: 'A workflow was started with a start that was used before, or set back after its end',
    remedy: 'Nothing was done. Nobody but a cell starts workflows: look who else can reach Temporal.',
  },
  FB_ERR_PLATFORM_PART_MISSING: {
    retryable: false,
    summary: 'A part of the local platform cannot be had',
    remedy: 'Install what the message names, and run the command again.',
  },
  FB_ERR_PLATFORM_START: {
    retryable: true,
    summary: 'A server of the local platform did not start',
    remedy: 'Look at its log, which the message names.',
  },
  FB_ERR_PROTECTED: {
    retryable: false,
    summary: 'The target is protected',
    remedy: 'Protected namespaces and Firebreak itself are never changed automatically; act by hand if you must.',
  },
  FB_ERR_PLAYBOOK_LOOPS: {
    retryable: false,
    summary: 'A playbook was ended because it did not stop by itself',
    remedy: 'Correct the loop that the message names; what the playbook had done stands, and people decide on it.',
  },
  FB_ERR_REFUSED: {
    retryable: false,
    summary: 'The action cannot be done on this target',
    remedy: 'The reason says why; choose another action.',
  },
  FB_ERR_RESTORE_TARGET: {
    retryable: false,
    summary: 'There is something already where the backup would go',
    remedy: 'Nothing was restored. Restore where nothing is, or say --force: what is there is replaced.',
  },
  FB_ERR_RESTORE_UNFINISHED: {
    retryable: false,
    summary: 'A restore was begun here and did not end',
    remedy: 'Run the same `firebreak restore` again, until it says that all is back.',
  },
  FB_ERR_SIGN_IN: {
    retryable: false,
    summary: 'Nobody is signed in at the console, or not any more',
    remedy: 'Sign in. A session ends when nothing was asked for a while, and after some hours however busy it is.',
  },
  FB_ERR_TARGET_REPLACED: {
    retryable: false,
    summary: 'The name now belongs to another object',
    remedy: 'Nothing was changed; the new object needs its own decision.',
  },
  FB_ERR_SEAL_BROKEN: {
    retryable: false,
    summary: 'Encrypted bytes cannot be opened',
    remedy: 'Check that the key which the message names is in the key ring, and that nobody moved or edited the bytes.',
  },
  FB_ERR_TOO_MANY: {
    retryable: true,
    summary: 'Too many requests in a short time',
    remedy: 'Wait for some seconds. The console itself never asks so often.',
  },
  FB_ERR_UNAVAILABLE: {
    retryable: true,
    summary: 'A service did not answer',
    remedy: 'Check that it runs and can be reached; the step is retried.',
  },
  FB_ERR_UNKNOWN_ID: {
    retryable: false,
    summary: 'Nothing has that name or id',
    remedy:
      'Take it from the list (`firebreak incidents list`, `suppress list` …). One of another cluster needs that cluster’s configuration.',
  },
  FB_ERR_UNVERIFIED_STATE: {
    retryable: false,
    summary: 'The recorded before-state is not authentic',
    remedy: 'Somebody edited it: compare the objects by hand, or use `firebreak release --offline`.',
  },
  FB_ERR_WARRANT_OUTDATED: {
    retryable: false,
    summary: 'The warrant for this step is not of now, or has been used',
    remedy: 'Nothing: the cell is asked for another one.',
  },
  FB_ERR_VOTE_REFUSED: {
    retryable: false,
    summary: 'The vote or the order does not count',
    remedy: 'The reason says why: the person, the key, the group or the question. The refusal is on the record.',
  },
} as const;

export type ErrorCode = keyof typeof errorCatalogue;

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && value in errorCatalogue;
}

/** The only error that Firebreak throws on purpose. `detail` is safe to show: no secret, no response body, no header. */
export class FirebreakError extends Error {
  readonly code: ErrorCode;
  readonly detail: string;

  constructor(code: ErrorCode, detail: string, options?: { readonly cause?: unknown }) {
    super(`${code}: ${errorCatalogue[code].summary}: ${detail}`, options);
    this.name = 'FirebreakError';
    this.code = code;
    this.detail = detail;
  }

  get retryable(): boolean {
    return errorCatalogue[this.code].retryable;
  }

  get remedy(): string {
    return errorCatalogue[this.code].remedy;
  }
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
