import { FirebreakError } from '../errors.ts';
import type { Ticket } from './ticket.ts';

/** What is remembered per key, preferably in a database: a process that starts after a crash then knows that a create may be under way. */
export interface TicketMemory {
  recall(system: string, key: string): Promise<RememberedTicket | undefined>;
  remember(system: string, key: string, what: RememberedTicket): Promise<void>;
}

/** `sentAt` (milliseconds since 1970): a create was sent then, and its outcome is unknown. */
export interface RememberedTicket {
  readonly sentAt?: number;
  readonly id?: string;
}

export interface FoundTicket {
  readonly id: string;
  readonly url: string;
  readonly open: boolean;
}

/** The calls to one system, for one key. */
interface TicketCalls {
  /** All tickets of the key, oldest first. The result may lag behind. */
  find(): Promise<readonly FoundTicket[]>;
  /** Undefined: it may or may not have been created. Throws only if it was certainly not created. */
  create(): Promise<FoundTicket | undefined>;
  /** Reads it back by its id, which never lags. Throws FB_ERR_REFUSED if it was not stored as written. */
  confirm(id: string): Promise<FoundTicket>;
  closeDouble(double: FoundTicket, first: FoundTicket): Promise<void>;
}

interface OneTicketOptions {
  readonly system: string;
  readonly memory: TicketMemory;
  /** How long an unanswered create is only searched for, and not repeated. */
  readonly settleMs: number;
  /** Pauses before further searches: one before a create if the search lags, several after an unanswered create. */
  readonly looks: { readonly beforeCreate: readonly number[]; readonly afterSilence: readonly number[] };
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly now?: () => number;
}

/** Find → create → confirm: one ticket per key, whatever fails in between and however often it is retried. */
export class OneTicket {
  readonly #options: OneTicketOptions;
  readonly #running = new Map<string, Promise<Ticket>>();

  constructor(options: OneTicketOptions) {
    this.#options = options;
  }

  open(key: string, calls: TicketCalls, signal: AbortSignal): Promise<Ticket> {
    const running = this.#running.get(key);
    if (running) return running;
    const opening = this.#open(key, calls, signal).finally(() => this.#running.delete(key));
    this.#running.set(key, opening);
    return opening;
  }

  /** Returns the key's oldest ticket; later ones, created at the same moment by someone else, are closed as duplicates. */
  async sweep(calls: Pick<TicketCalls, 'find' | 'closeDouble'>): Promise<FoundTicket | undefined> {
    const [first, ...doubles] = await calls.find();
    if (first) for (const double of doubles) if (double.open) await calls.closeDouble(double, first);
    return first;
  }

  async #open(key: string, calls: TicketCalls, signal: AbortSignal): Promise<Ticket> {
    const { system, memory, settleMs, looks } = this.#options;
    const known = await memory.recall(system, key);
    if (known?.id !== undefined) return ticketOf(await calls.confirm(known.id), 'existing');
    const existing = await this.#look(calls, [0], signal);
    if (existing) return this.#keep(key, existing, 'existing');
    if (known?.sentAt !== undefined && this.#now() - known.sentAt < settleMs) {
      const late = await this.#look(calls, looks.afterSilence, signal);
      return late ? this.#keep(key, late, 'existing') : { state: 'ambiguous' };
    }
    const slow = await this.#look(calls, looks.beforeCreate, signal);
    if (slow) return this.#keep(key, slow, 'existing');
    if (signal.aborted) throw new FirebreakError('FB_ERR_UNAVAILABLE', `${system} took too long`);
    return this.#create(key, calls, signal);
  }

  async #create(key: string, calls: TicketCalls, signal: AbortSignal): Promise<Ticket> {
    const { system, memory, looks } = this.#options;
    await memory.remember(system, key, { sentAt: this.#now() });
    let created: FoundTicket | undefined;
    try {
      created = await calls.create();
    } catch (error) {
      await memory.remember(system, key, {});
      throw error;
    }
    if (created) {
      await memory.remember(system, key, { id: created.id });
      return ticketOf(await calls.confirm(created.id), 'created');
    }
    const late = await this.#look(calls, looks.afterSilence, signal);
    return late ? this.#keep(key, late, 'created') : { state: 'ambiguous' };
  }

  /** A search that fails temporarily is no reason to create a second ticket: the error is thrown unless a later search finds something. */
  async #look(calls: TicketCalls, pauses: readonly number[], signal: AbortSignal): Promise<FoundTicket | undefined> {
    let fault: unknown;
    for (const pause of pauses) {
      if (pause > 0) await this.#options.wait(pause, signal);
      if (signal.aborted) break;
      try {
        const found = await this.sweep(calls);
        if (found) return found;
        fault = undefined;
      } catch (error) {
        if (!(error instanceof FirebreakError && error.retryable)) throw error;
        fault = error;
      }
    }
    if (fault !== undefined) throw fault;
    return undefined;
  }

  async #keep(key: string, found: FoundTicket, state: 'created' | 'existing'): Promise<Ticket> {
    await this.#options.memory.remember(this.#options.system, key, { id: found.id });
    return ticketOf(found, state);
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }
}

function ticketOf({ id, url }: FoundTicket, state: 'created' | 'existing'): Ticket {
  return { state, id, url };
}
