import type { SignInReader } from '../../../activities/chokepoint/parts.ts';
import type { SignedVote } from '../../../core/decide/approval.ts';
import type { ControlState } from '../../../core/decide/control.ts';
import type { SignIn } from '../../../core/decide/step-up.ts';
import type { StepUp } from '../../../core/decide/vote-check.ts';
import { type CellKey, seal, unseal } from '../../../core/messages/sealed.ts';
import type { SignedEnd } from '../../../core/orders/order.ts';
import { digestOf } from '../../../core/text/digest.ts';
import type { BookLog } from './decision-book.ts';
import { StateFile } from './state-file.ts';

const domain = 'firebreak.sign-ins.v1\n';
const mostEnds = 500;

/**
 * The identity provider's answers about votes on decisions that last for days, with each token checked once: providers rotate their keys sooner than that, and
 * a decision is verified again every few seconds and after a restart, without waiting for anybody. Data on disk carries the cell's MAC.
 */
export class SignInMemory {
  readonly #reader: SignInReader;
  readonly #stored: { readonly file: StateFile; readonly key: CellKey } | undefined;
  readonly #log: BookLog;
  #known: ReadonlyMap<string, SignIn> = new Map();
  /** Sign-ins of orders to end something, the newest last: the cell remembers ended decisions for longer than the workflow does. */
  #ends: ReadonlyMap<string, SignIn> = new Map();
  #down = false;

  constructor(options: {
    readonly reader: SignInReader;
    /** Absent: nothing is stored, and each token is read again after a restart. */
    readonly stored?: { readonly file: string; readonly key: CellKey };
    readonly log: BookLog;
  }) {
    const { reader, stored, log } = options;
    this.#reader = reader;
    this.#log = log;
    this.#stored = stored && { file: new StateFile(stored.file), key: stored.key };
    const { signIns, ends } = this.#read();
    this.#known = new Map(Object.entries(signIns));
    this.#ends = new Map(Object.entries(ends));
  }

  /** For verifying a decision: immediately, from memory. */
  get stepUp(): StepUp {
    return { policy: this.#reader.policy, signInOf: (signed) => this.#known.get(keyOf(signed) ?? '') };
  }

  /** The same for an order to end something. */
  ofEnd({ order }: SignedEnd): SignIn | undefined {
    return this.#ends.get(digestOf(order));
  }

  /** Stores the sign-in whose token was read when the order was given. */
  noteEnd({ order }: SignedEnd, signIn: SignIn): void {
    this.#ends = new Map([...this.#ends, [digestOf(order), signIn] as const].slice(-mostEnds));
    this.#write();
  }

  /** Reads the tokens of decided or ended orders not known yet. Never rejects: an unreadable token is not trusted, and is asked for again. */
  async learn({ questions, decisions }: Pick<ControlState, 'questions' | 'decisions'>): Promise<void> {
    const votes = questions.flatMap((asked) => (asked.status.state === 'decided' ? asked.votes : []));
    const known = new Map<string, SignIn>();
    let down = false;
    for (const signed of votes) {
      const key = keyOf(signed);
      if (key === undefined || signed.idToken === undefined) continue;
      try {
        const signIn = this.#known.get(key) ?? (await this.#reader.readToken(signed.idToken, Date.parse(signed.vote.at)));
        if (signIn) known.set(key, signIn);
      } catch {
        down = true;
      }
    }
    for (const { status } of decisions) {
      if (status.state !== 'ended' || status.by.idToken === undefined || this.ofEnd(status.by)) continue;
      try {
        const signIn = await this.#reader.readToken(status.by.idToken, Date.parse(status.by.order.at));
        if (signIn) this.noteEnd(status.by, signIn);
      } catch {
        down = true;
      }
    }
    if (down && !this.#down)
      this.#log.warn({}, 'cannot reach the identity provider; decisions that need a sign-in are not accepted until it answers');
    this.#down = down;
    this.#known = known;
    this.#write();
  }

  #read(): StoredSignIns {
    const text = this.#stored?.file.read();
    if (!this.#stored || typeof text !== 'string') return none;
    const opened = unseal(domain, text, this.#stored.key);
    if (opened.kind !== 'read' || opened.authentic !== 'yes') {
      this.#log.warn({}, 'the stored sign-ins do not belong to this cell; people will be asked again');
      return none;
    }
    // The MAC proves that this is what was written below.
    return opened.value as StoredSignIns;
  }

  #write(): void {
    if (!this.#stored || (this.#known.size + this.#ends.size === 0 && this.#stored.file.isEmpty)) return;
    const stored: StoredSignIns = { signIns: Object.fromEntries(this.#known), ends: Object.fromEntries(this.#ends) };
    this.#stored.file.write(seal(domain, stored, this.#stored.key));
  }
}

interface StoredSignIns {
  readonly signIns: Readonly<Record<string, SignIn>>;
  readonly ends: Readonly<Record<string, SignIn>>;
}

const none: StoredSignIns = { signIns: {}, ends: {} };

/** The same token at another time is a different entry. Undefined if there is no token. */
function keyOf({ vote, idToken }: SignedVote): string | undefined {
  return idToken === undefined || Number.isNaN(Date.parse(vote.at)) ? undefined : digestOf({ idToken, at: vote.at });
}
