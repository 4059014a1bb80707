import type { Plan } from '../core/action/plan.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { IncidentState, QuestionState } from '../core/incident/incident-state.ts';
import { atLeaseEnd } from '../core/incident/lease.ts';
import { verdictOfHolders } from '../workflows/incident/verdicts.ts';
import type { Story, StoryEvent, StoryQuestion, StoryStep } from './story.ts';

/** The story of an alert that nothing answers. */
export const unmatched: Story = {
  playbooks: [],
  events: [],
  plans: [],
  steps: [],
  questions: [],
  notes: [],
  verdict: 'unknown',
  left: [],
  end: 'unmatched',
  notAwaited: [],
};

/** One record of an incident, as the engine makes it. */
interface HeardRecord {
  readonly kind: string;
  readonly text: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** How an incident ended. */
interface StoryEnd {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** False if it would have gone on for ever. */
  readonly isOver: boolean;
  /** Whether an action contains, by its declaration. */
  readonly contains: (action: string) => boolean;
}

/**
 * Records what happens in an incident, wherever it runs, and tells it in the same form for a simulation and a real Temporal. Times are milliseconds since 1970.
 */
export class StoryTeller {
  readonly #startsAt: number;
  readonly #events: StoryEvent[] = [];
  readonly #plans: Plan[] = [];
  readonly #steps: StoryStep[] = [];
  readonly #notes: string[] = [];
  readonly #notAwaited: string[] = [];
  #skipped = 0;
  #failed: Story['error'];

  constructor(startsAt: number) {
    this.#startsAt = startsAt;
  }

  tell(at: number, kind: string, text: string): void {
    this.#events.push({ at: at - this.#startsAt, kind, text });
  }

  planned(at: number, plan: Plan): void {
    this.#plans.push(plan);
    this.tell(at, 'step.planned', `${plan.action}: ${plan.changes.map(({ target, what }) => `${target}: ${what}`).join('; ')}`);
  }

  stepped(at: number, step: Omit<StoryStep, 'at'>): void {
    this.#steps.push({ ...step, at: at - this.#startsAt });
  }

  /** @param stack of the error that the body has thrown, if known */
  hear(at: number, { kind, text, body }: HeardRecord, stack?: string): void {
    this.tell(at, kind, text);
    if (kind === 'playbook.note') this.#notes.push(text);
    if (kind === 'playbook.unsettled') this.#notAwaited.push(...(body.unsettled as readonly string[]));
    if (kind === 'playbook.skipped') this.#skipped += 1;
    if (kind === 'playbook.failed')
      this.#failed ??= { code: body.code as ErrorCode, message: text, ...(stack !== undefined && { stack }) };
  }

  /** @param state of the incident when nothing was left to do */
  story(state: IncidentState, { at, isOver, contains }: StoryEnd): Story {
    const questions = state.questions.filter(({ question }) => !question.id.startsWith('lease:'));
    return {
      playbooks: [...new Set(state.bodies.filter((body) => body.state !== 'waiting').map(({ playbook }) => playbook))],
      events: this.#events.toSorted((a, b) => a.at - b.at),
      plans: this.#plans,
      steps: this.#steps,
      questions: questions.map((asked) => this.#toldQuestion(asked, at)),
      notes: this.#notes,
      verdict: state.verdict,
      left: this.#left(state, contains),
      end: this.#end(isOver),
      notAwaited: this.#notAwaited,
      ...(this.#failed && { error: this.#failed }),
    };
  }

  #left({ leases, bodies, severity }: IncidentState, contains: StoryEnd['contains']): Story['left'] {
    return leases
      .filter(({ state }) => state === 'active' || state === 'releasing')
      .map((lease) => ({
        action: lease.action,
        target: lease.target.name,
        contains: contains(lease.action),
        until: lease.until - this.#startsAt,
        // Nothing is open any more: only past answers count.
        inSilence: atLeaseEnd(lease, {
          severity,
          verdict: verdictOfHolders(bodies, lease),
          questionOpen: false,
          now: lease.until,
        }),
      }));
  }

  #end(isOver: boolean): Story['end'] {
    if (!isOver) return 'endless';
    if (this.#failed) return 'failed';
    return this.#skipped > 0 && this.#steps.every(({ effect }) => effect === 'read') ? 'skipped' : 'done';
  }

  #toldQuestion({ question, status }: QuestionState, now: number): StoryQuestion {
    const { text, requester, choices, levels, onSilence } = question;
    const answers = { open: 'silence', expired: 'silence', void: 'void', decided: '' };
    return {
      text,
      asker: requester.replace(/^playbook\//, ''),
      choices: choices.map(({ id, label, plans, quorum, harmless }) => ({
        id,
        label,
        plans: plans.map(({ action }) => action),
        people: quorum,
        isHarmless: harmless === true,
      })),
      groups: levels.map(({ group }) => group),
      onSilence,
      endedAt: (status.state === 'open' ? now : Date.parse(status.at)) - this.#startsAt,
      answer: status.state === 'decided' ? status.choice : answers[status.state],
      by: status.state === 'decided' ? status.by : [],
    };
  }
}
