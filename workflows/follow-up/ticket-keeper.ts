import type { FollowUpActivities } from '../../core/action/step.ts';
import { verdictText } from '../../core/cards/card-words.ts';
import type { Verdict } from '../../core/incident/incident.ts';
import type { FollowUpState } from '../../core/incident/incident-input.ts';
import { isVerdict } from '../../core/incident/similar.ts';
import { isObject } from '../../core/text/plain-json.ts';
import type { TicketLink, TicketUpdate } from '../../core/tickets/ticket.ts';
import { stepFailure } from '../calls.ts';
import { declarationOf } from '../declarations.ts';
import type { IncidentModel } from '../incident/model.ts';
import { condition, timeNow } from '../world.ts';

/** Records that are of interest to readers of the ticket. */
const toldKinds: ReadonlySet<string> = new Set([
  'step.applied',
  'step.delayed',
  'step.failed',
  'question.decided',
  'question.expired',
  'incident.reopened',
  'lease.released',
  'lease.gone',
  'lease.permanent',
  'lease.drifted',
  'lease.escalated',
  'lease.release-refused',
  'playbook.failed',
]);

/** Each comment costs about ten events: the more there have been, the longer the next one collects entries. */
const gatherMs = [10_000, 60_000, 600_000, 3_600_000] as const;
const mostComments = 20;
const mostLines = 100;
const lineLimit = 500;
const mostLeft = 20;

const outcomes: Readonly<Record<Verdict, 'completed' | 'not_planned' | undefined>> = {
  true_positive: 'completed',
  benign: 'not_planned',
  // Nobody has determined what it was: people still have to, in the ticket.
  suspicious: undefined,
  unknown: undefined,
};

/** Keeps the incident's ticket up to date: few comments that cover everything, and the closing with its verdict. */
export class TicketKeeper {
  readonly #model: IncidentModel;
  readonly #activities: { readonly patient: FollowUpActivities; readonly brief: FollowUpActivities };
  readonly #tell: (text: string) => void;
  #sending = false;
  #ending = false;

  constructor(options: {
    readonly model: IncidentModel;
    readonly activities: { readonly patient: FollowUpActivities; readonly brief: FollowUpActivities };
    readonly tell: (text: string) => void;
  }) {
    this.#model = options.model;
    this.#activities = options.activities;
    this.#tell = options.tell;
  }

  hear(kind: string, text: string, body: Readonly<Record<string, unknown>>): void {
    const ticket = kind === 'step.applied' && body.action === 'openTicket' ? ticketIn(body.output) : undefined;
    if (ticket) this.#opened(ticket);
    if (ticket) return;
    // Anything left open is reported at once, such as a Secret of Helm, and what people have to do about it.
    for (const missing of kind === 'step.checked' ? missingIn(body.verification) : []) this.#say(`Left open: ${missing}`);
    if (kind === 'question.asked') this.#asked(body.question);
    if (kind === 'incident.verdict') this.#say(verdictIn(body, text));
    else if (toldKinds.has(kind)) this.#say(text);
  }

  /** A reader of the ticket may be one of those asked: it states the deadline, and what happens without an answer. */
  #asked(asked: unknown): void {
    const { question, levelUntil } = this.#model.questions.get(isObject(asked) ? String(asked.id) : '') ?? {};
    if (!question) return;
    const [first, ...later] = question.levels.map(({ group }) => group);
    const next = later.length > 0 ? `, then ${later.join(' and ')}` : '';
    const who = first === undefined ? '' : ` ${first} may answer until ${levelUntil}${next}.`;
    this.#say(`Asked: ${question.text}${who} Without an answer: ${question.onSilence}`);
  }

  #say(text: string): void {
    const line = `${timeNow().slice(0, 19).replace('T', ' ')} UTC: ${text.slice(0, lineLimit)}`;
    this.#set({ lines: [...this.#state.lines, line].slice(-mostLines) });
  }

  /** Writes comments for as long as the incident lives. */
  async run(): Promise<never> {
    for (;;) {
      await condition(() => this.#hasNews && !this.#sending && !this.#ending);
      const gather = gatherMs[Math.min(this.#state.comments, gatherMs.length - 1)] ?? 0;
      if (await condition(() => this.#ending, gather)) continue;
      await this.#send(undefined);
    }
  }

  async finish(): Promise<void> {
    this.#ending = true;
    try {
      await condition(() => !this.#sending);
      if (this.#state.tickets.length > 0) await this.#send(this.#closing());
    } finally {
      this.#ending = false;
    }
  }

  #opened(ticket: TicketLink): void {
    const known = this.#state.tickets.some((other) => other.system === ticket.system && other.id === ticket.id);
    if (known) return;
    this.#set({ tickets: [...this.#state.tickets, ticket] });
    this.#tell(`Ticket: ${ticket.url ?? `${ticket.system} ${ticket.id}`}`);
  }

  get #hasNews(): boolean {
    const { tickets, lines, comments, gaveUp } = this.#state;
    return tickets.length > 0 && lines.length > 0 && comments < mostComments && !gaveUp;
  }

  #closing(): TicketUpdate['close'] {
    const { verdict, verdictWhy } = this.#model;
    const reason = outcomes[verdict];
    const text = `Verdict: ${verdictText[verdict]}${verdictWhy ? ` (${verdictWhy})` : ''}.`;
    if (!reason) {
      this.hear('incident.verdict', `The incident has ended. ${text} This ticket stays open for people to decide.`, {});
      return undefined;
    }
    const left = this.#left();
    if (left.length > 0) {
      this.hear('incident.verdict', `The incident has ended. ${text} This ticket stays open for what is left to people:`, {});
      for (const one of left.slice(0, mostLeft)) this.#say(one);
      if (left.length > mostLeft) this.#say(`and ${left.length - mostLeft} more`);
      return undefined;
    }
    this.hear('incident.verdict', `The incident has ended. ${text}`, {});
    return { reason, text };
  }

  /** What destructive steps left open, by the last result for each target: nothing else will handle it. */
  #left(): readonly string[] {
    const last = new Map<string, unknown>();
    for (const { action, target, verification } of this.#model.steps.values())
      if (declarationOf(action).effect === 'destructive') last.set(`${action} ${target}`, verification);
    return [...last.values()].flatMap(missingIn);
  }

  async #send(close: TicketUpdate['close']): Promise<void> {
    const { tickets, lines, comments, gaveUp } = this.#state;
    const comment = lines.length > 0 ? { nth: comments, text: lines.join('\n') } : undefined;
    this.#sending = true;
    this.#set({ lines: [], comments: comments + 1 });
    const { updateTicket } = gaveUp ? this.#activities.brief : this.#activities.patient;
    const update = { ...(comment ? { comment } : {}), ...(close ? { close } : {}) };
    await this.#model.during(
      Promise.all(
        tickets.map((ticket) =>
          updateTicket({ incident: this.#model.ref, ticket, ...update }).then(
            () => this.#told(ticket, close),
            (error) => this.#failed(ticket, error),
          ),
        ),
      ),
    );
    this.#sending = false;
  }

  #told(ticket: TicketLink, close: TicketUpdate['close']): void {
    if (close) this.#model.record('ticket.closed', 'engine', `${ticket.system} ${ticket.id}: ${close.text ?? close.reason}`);
  }

  /** The incident goes on without its ticket, and records that. */
  #failed({ system, id }: TicketLink, error: unknown): void {
    const { code, message } = stepFailure(error);
    this.#set({ gaveUp: true });
    this.#model.record('ticket.failed', 'engine', `${system} ${id} could not be updated: ${message}`, { code });
  }

  get #state(): FollowUpState {
    return this.#model.followUp;
  }

  #set(change: Partial<FollowUpState>): void {
    this.#model.followUp = { ...this.#model.followUp, ...change };
  }
}

function missingIn(verification: unknown): readonly string[] {
  if (typeof verification !== 'object' || verification === null || !('missing' in verification)) return [];
  const { missing } = verification;
  return Array.isArray(missing) ? missing.filter((one) => typeof one === 'string') : [];
}

function ticketIn(output: unknown): TicketLink | undefined {
  if (typeof output !== 'object' || output === null) return undefined;
  const { system, id, url }: { readonly system?: unknown; readonly id?: unknown; readonly url?: unknown } = output;
  if (typeof system !== 'string' || typeof id !== 'string') return undefined;
  return { system, id, ...(typeof url === 'string' ? { url } : {}) };
}

function verdictIn({ verdict }: Readonly<Record<string, unknown>>, text: string): string {
  return isVerdict(verdict) ? `Found to be ${verdictText[verdict]}${text.slice(verdict.length)}` : text;
}
