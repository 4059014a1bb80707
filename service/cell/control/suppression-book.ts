import type { Alert } from '../../../core/alert/alert.ts';
import type { ControlState } from '../../../core/decide/control.ts';
import { proofOf } from '../../../core/decide/question.ts';
import { signedEndSchema, signedProposalSchema } from '../../../core/orders/suppression.schema.ts';
import {
  type ActiveSuppression,
  type DecidedSuppression,
  hides,
  type SignedEnd,
  suppressionKey,
  suppressionKeyOf,
} from '../../../core/orders/suppression.ts';
import { type Beliefs, checkEnd, checkSuppression } from '../../../core/orders/suppression-check.ts';
import { KeptFile } from './state-file.ts';

export interface BookLog {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

export interface SuppressionBookOptions {
  /** Where the list lies while Temporal is down. */
  readonly file: string;
  readonly beliefs: () => Beliefs;
  readonly log: BookLog;
}

/** What is in the file: nothing in it is believed without its proof. */
interface Kept {
  readonly suppressions: readonly DecidedSuppression[];
  /** Ended by a person, until it would have ended by itself: its old proof must not bring it back. */
  readonly ended: readonly { readonly end: SignedEnd; readonly until: string }[];
}

/**
 * The suppressions that this cell believes: each checked here, whoever brought it. One look-up an alert. Kept on disk, so that the cell goes on
 * with them while Temporal is down; each ends by the clock.
 */
export class SuppressionBook {
  readonly #options: SuppressionBookOptions;
  #kept: Kept = { suppressions: [], ended: [] };
  readonly #file: KeptFile;
  #active = new Map<string, readonly ActiveSuppression[]>();
  readonly #refused = new Set<string>();

  constructor(options: SuppressionBookOptions) {
    this.#options = options;
    this.#file = new KeptFile(options.file);
    this.#believe(keptIn(this.#file.read()));
  }

  /** The suppression that hides this alert now. */
  hiding(alert: Alert): ActiveSuppression | undefined {
    if (this.#active.size === 0) return undefined;
    const key = suppressionKeyOf(alert);
    const { now } = this.#options.beliefs();
    return key === undefined ? undefined : this.#active.get(key)?.find((suppression) => hides(suppression, alert, now));
  }

  active(): readonly ActiveSuppression[] {
    return [...this.#active.values()].flat();
  }

  /** For a control workflow that has lost everything. */
  decided(): readonly DecidedSuppression[] {
    return this.#kept.suppressions;
  }

  /** What the control workflow says now. What it no longer names is no longer hidden: that is the safe side. */
  update(state: ControlState): void {
    const suppressions: DecidedSuppression[] = [];
    const ended = [...this.#kept.ended];
    for (const { proposal, question, status } of state.suppressions) {
      const asked = state.questions.find((one) => one.question.id === question);
      const proof = asked && proofOf(asked);
      if (status.state === 'active' && proof) suppressions.push({ proposal, proof });
      if (status.state === 'ended') ended.push({ end: status.by, until: proposal.order.terms.until });
    }
    this.#believe({ suppressions, ended });
  }

  #believe({ suppressions, ended }: Kept): void {
    const { beliefs: ask, log } = this.#options;
    const beliefs = ask();
    const ends = new Map(
      ended
        .filter(({ end, until }) => Date.parse(until) > beliefs.now && isEnd(end) && checkEnd(end, beliefs).ok)
        .map((one) => [one.end.order.suppression, one]),
    );
    const believed: DecidedSuppression[] = [];
    const active = new Map<string, readonly ActiveSuppression[]>();
    for (const decided of suppressions.filter(isDecided)) {
      const { id } = decided.proposal.order.terms;
      if (ends.has(id)) continue;
      const checked = checkSafely(decided, beliefs);
      if (!checked.ok) {
        if (!this.#refused.has(id)) log.warn({ suppression: id, reason: checked.reason }, 'a suppression is not believed');
        this.#refused.add(id);
        continue;
      }
      believed.push(decided);
      const key = suppressionKey(checked.active.terms.match);
      active.set(key, [...(active.get(key) ?? []), checked.active]);
    }
    this.#active = active;
    this.#kept = { suppressions: believed, ended: [...ends.values()] };
    this.#keep();
  }

  #keep(): void {
    const { file, log } = this.#options;
    const written = this.#file.write(this.#kept);
    if (written === 'written') log.info({ suppressions: this.#kept.suppressions.length }, 'the suppressions have changed');
    if (written === 'failed')
      log.warn({ file }, 'the suppressions cannot be kept on disk: after a restart without Temporal nothing is suppressed');
  }
}

/** The file and Temporal can hold anything. */
function isDecided(decided: DecidedSuppression): boolean {
  return signedProposalSchema.safeParse(decided?.proposal).success;
}

function isEnd(end: SignedEnd): boolean {
  return signedEndSchema.safeParse(end).success;
}

/** Whatever was in the file or in Temporal: what cannot even be looked at is not believed. */
function checkSafely(decided: DecidedSuppression, beliefs: Beliefs): ReturnType<typeof checkSuppression> {
  try {
    return checkSuppression(decided, beliefs);
  } catch {
    return { ok: false, reason: 'It is not of the form that is known.' };
  }
}

function keptIn(value: unknown): Kept {
  const { suppressions, ended }: Partial<Kept> = typeof value === 'object' && value !== null ? value : {};
  const isKept = Array.isArray(suppressions) && Array.isArray(ended);
  return isKept ? { suppressions, ended } : { suppressions: [], ended: [] };
}
