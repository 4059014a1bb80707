import type { ControlState } from '../../../core/decide/control.ts';
import { proofOf } from '../../../core/decide/question.ts';
import { signedRestraintEndSchema, signedRestraintSchema } from '../../../core/orders/restraint.schema.ts';
import {
  type ActiveRestraint,
  type DecidedRestraint,
  type Restrainable,
  restraintOn,
  type SignedRestraintEnd,
} from '../../../core/orders/restraint.ts';
import { checkRestraint, checkRestraintEnd } from '../../../core/orders/restraint-check.ts';
import type { Beliefs } from '../../../core/orders/suppression-check.ts';
import { KeptFile } from './state-file.ts';
import type { BookLog } from './suppression-book.ts';

interface Kept {
  readonly restraints: readonly DecidedRestraint[];
  /** Ended by a person, until it would have ended by itself: its old proof must not bring it back. */
  readonly ended: readonly { readonly end: SignedRestraintEnd; readonly until: string }[];
}

/**
 * Freezes and observe modes that this cell believes: each checked here, whoever brought it. One look-up a step, from memory. Kept on disk, so that
 * they stand while Temporal is down; each ends by the clock.
 */
export class RestraintBook {
  readonly #beliefs: () => Beliefs;
  readonly #log: BookLog;
  readonly #file: KeptFile;
  readonly #refused = new Set<string>();
  #kept: Kept = { restraints: [], ended: [] };
  #active: readonly ActiveRestraint[] = [];

  constructor({ file, beliefs, log }: { readonly file: string; readonly beliefs: () => Beliefs; readonly log: BookLog }) {
    this.#beliefs = beliefs;
    this.#log = log;
    this.#file = new KeptFile(file);
    this.#believe(keptIn(this.#file.read()));
  }

  /** The strictest restraint on a step now. */
  on(step: Restrainable): ActiveRestraint | undefined {
    return this.#active.length === 0 ? undefined : restraintOn(this.#active, step, this.#beliefs().now);
  }

  active(): readonly ActiveRestraint[] {
    return this.#active;
  }

  /** For a control workflow that has lost everything. */
  decided(): readonly DecidedRestraint[] {
    return this.#kept.restraints;
  }

  /**
   * What the control workflow says now. A freeze that it no longer names stands until a person ends it or its time is over: whoever reaches Temporal
   * can have the workflow forget one. A broken glass that it no longer names is whole again.
   */
  update(state: ControlState): void {
    const restraints: DecidedRestraint[] = [];
    const ended = [...this.#kept.ended];
    for (const { proposal, question, status } of state.restraints ?? []) {
      const asked = state.questions.find((one) => one.question.id === question);
      const proof = asked && proofOf(asked);
      if (status.state === 'active' && proof) restraints.push({ proposal, proof });
      if (status.state === 'ended') ended.push({ end: status.by, until: proposal.order.terms.until });
    }
    const named = new Set(restraints.map(idOf));
    const lasting = this.#kept.restraints.filter(
      (one) => one.proposal.order.terms.mode !== 'break-glass' && !named.has(idOf(one)),
    );
    this.#believe({ restraints: [...restraints, ...lasting], ended });
  }

  #believe({ restraints, ended }: Kept): void {
    const beliefs = this.#beliefs();
    const ends = new Map(
      ended
        .filter(({ end, until }) => Date.parse(until) > beliefs.now && isEnd(end) && checkRestraintEnd(end, beliefs).ok)
        .map((one) => [one.end.order.restraint, one]),
    );
    const believed: DecidedRestraint[] = [];
    const active: ActiveRestraint[] = [];
    for (const decided of restraints) {
      if (Date.parse(decided?.proposal?.order?.terms?.until) <= beliefs.now) continue;
      const checked = checkSafely(decided, beliefs);
      const id = checked.ok ? checked.active.terms.id : String(decided?.proposal?.order?.terms?.id).slice(0, 32);
      if (ends.has(id)) continue;
      if (checked.ok) {
        believed.push(decided);
        active.push(checked.active);
      } else {
        if (!this.#refused.has(id)) this.#log.warn({ restraint: id, reason: checked.reason }, 'a freeze is not believed');
        this.#refused.add(id);
      }
    }
    const ids = active.map(({ terms }) => terms.id);
    if (ids.join() !== this.#active.map(({ terms }) => terms.id).join())
      this.#log.info({ restraints: ids }, 'freezes and observe modes have changed');
    this.#active = active;
    this.#kept = { restraints: believed, ended: [...ends.values()] };
    if (this.#file.write(this.#kept) === 'failed')
      this.#log.warn({}, 'freezes cannot be kept on disk: after a restart without Temporal nothing is frozen');
  }
}

function idOf({ proposal }: DecidedRestraint): string {
  return proposal.order.terms.id;
}

function isEnd(end: SignedRestraintEnd): boolean {
  return signedRestraintEndSchema.safeParse(end).success;
}

/** Whatever was in the file or in Temporal: what cannot even be looked at is not believed. */
function checkSafely(decided: DecidedRestraint, beliefs: Beliefs): ReturnType<typeof checkRestraint> {
  try {
    if (signedRestraintSchema.safeParse(decided.proposal).success) return checkRestraint(decided, beliefs);
  } catch {
    // Below.
  }
  return { ok: false, reason: 'It is not of the form that is known.' };
}

function keptIn(value: unknown): Kept {
  const { restraints, ended }: Partial<Kept> = typeof value === 'object' && value !== null ? value : {};
  return { restraints: Array.isArray(restraints) ? restraints : [], ended: Array.isArray(ended) ? ended : [] };
}
