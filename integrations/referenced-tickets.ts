import { LRUCache } from 'lru-cache';
import { type FoundTicket, OneTicket, type RememberedTicket, type TicketMemory } from '../core/tickets/one-ticket.ts';
import { referenceOf, type TicketRequest, type TicketSystem } from '../core/tickets/ticket.ts';
import { OutcomeUnknown } from './json-api.ts';
import { realTime, type TicketTime } from './ticket-time.ts';

export type FinishReason = 'completed' | 'notPlanned' | 'duplicate';

/** What a system must implement if it finds tickets by a reference that they carry: a label, a column. */
export interface ReferencedSystem extends Pick<TicketSystem, 'name' | 'comment'> {
  /** All tickets that carry it, oldest first. The answer may lag behind. */
  find(reference: string, signal: AbortSignal): Promise<readonly FoundTicket[]>;
  /** @throws OutcomeUnknown if it may or may not have been created */
  create(request: TicketRequest, reference: string, signal: AbortSignal): Promise<FoundTicket>;
  /** Reads it back by its id. @throws FB_ERR_REFUSED if the reference was not stored. */
  confirm(id: string, reference: string, signal: AbortSignal): Promise<FoundTicket>;
  /** Closes it, unless it is already closed. */
  finish(id: string, how: FinishReason, notes: string, signal: AbortSignal): Promise<void>;
}

interface ReferenceOptions {
  readonly memory: TicketMemory | undefined;
  readonly time: TicketTime | undefined;
  /** How long an unanswered create is only searched for. */
  readonly settleMs: number;
  /** Milliseconds before each further search: before a create if the search lags, and after an unanswered one. */
  readonly looks: { readonly beforeCreate: readonly number[]; readonly afterSilence: readonly number[] };
}

/** One ticket per key, whatever fails in between: the common part of all systems that work by reference. */
export function referencedTickets(
  system: ReferencedSystem,
  { memory = memoryInProcess(), time = realTime, ...rest }: ReferenceOptions,
): TicketSystem {
  const once = new OneTicket({ system: system.name, memory, ...time, ...rest });
  const sweeping = (reference: string, signal: AbortSignal) => ({
    find: () => system.find(reference, signal),
    closeDouble: (double: FoundTicket, first: FoundTicket) =>
      system.finish(double.id, 'duplicate', `A duplicate of ${first.id}.`, signal),
  });
  return {
    name: system.name,
    look: async (signal) => {
      await system.find(referenceOf('nobody has this one'), signal);
    },
    open: (request, signal) => {
      const reference = referenceOf(request.key);
      const create = () =>
        system.create(request, reference, signal).catch((error: unknown) => {
          if (error instanceof OutcomeUnknown) return undefined;
          throw error;
        });
      const confirm = (id: string) => system.confirm(id, reference, signal);
      return once.open(request.key, { ...sweeping(reference, signal), create, confirm }, signal);
    },
    comment: (comment, signal) => system.comment(comment, signal),
    close: async ({ id, reason, text, openedUnder }, signal) => {
      if (openedUnder !== undefined) await once.sweep(sweeping(referenceOf(openedUnder), signal));
      await system.finish(id, reason === 'completed' ? 'completed' : 'notPlanned', text ?? reason, signal);
    },
  };
}

/** Remembers the last `limit` keys, for as long as the process lives. */
export function memoryInProcess(limit = 1_000): TicketMemory {
  const known = new LRUCache<string, RememberedTicket>({ max: limit });
  return {
    recall: async (system, key) => known.get(`${system} ${key}`),
    remember: async (system, key, what) => void known.set(`${system} ${key}`, what),
  };
}
