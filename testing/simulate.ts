import type { Alert } from '../core/alert/alert.ts';
import { subjectOf } from '../core/alert/subject.ts';
import type { Question } from '../core/decide/approval.ts';
import { incidentIdOf } from '../core/incident/incident.ts';
import { answering } from '../core/playbook/answering.ts';
import { durationMs } from '../core/playbook/duration.ts';
import type { ListedPlaybook } from '../core/playbook/pack.ts';
import { isObject } from '../core/text/plain-json.ts';
import { createParts, type IncidentParts, join } from '../workflows/incident/parts.ts';
import { type Chooser, chooserFrom, type SimulateOptions } from './chooser.ts';
import { answerQuestion, type Booth } from './people.ts';
import { SimulatedWorld } from './simulated-world.ts';
import { alertsOf, batchOf, createStage, mostMs, type Stage } from './stage.ts';
import type { Story } from './story.ts';
import { StoryTeller, unmatched } from './story-teller.ts';

const stepMs = 1_000;

/**
 * Runs what answers an alert through the real engine and the real rules, without Temporal, without a cluster, and without waiting: days pass in a moment.
 * Nothing is changed anywhere: plans are sketches, and steps return what their schemas say, unless the test says otherwise.
 *
 * @throws TypeError for an answer that the question does not have
 */
export function simulate(playbook: ListedPlaybook | readonly ListedPlaybook[], options: SimulateOptions): Promise<Story> {
  return runStory('id' in playbook ? [playbook] : playbook, options, chooserFrom(options));
}

/** Runs it with this chooser. A caller that passes the same list again has it searched for alerts only once. */
export async function runStory(playbooks: readonly ListedPlaybook[], options: SimulateOptions, chooser: Chooser): Promise<Story> {
  const all = alertsOf(playbooks, options);
  if (!all.some((one) => answering(playbooks, one.alert).length > 0)) return unmatched;
  return new Simulation(playbooks, options, chooser).run(all);
}

/** One run, with everything that happens in it. */
class Simulation {
  readonly #options: SimulateOptions;
  readonly #chooser: Chooser;
  readonly #world: SimulatedWorld;
  readonly #stage: Stage;
  readonly #playbooks: readonly ListedPlaybook[];
  readonly #startsAt: number;
  readonly #teller: StoryTeller;
  #mistake: unknown;
  #parts: IncidentParts | undefined;

  constructor(playbooks: readonly ListedPlaybook[], options: SimulateOptions, chooser: Chooser) {
    this.#playbooks = playbooks;
    this.#options = options;
    this.#chooser = chooser;
    const { alert, takes = {} } = options;
    this.#startsAt = Date.parse(alert.receivedAt ?? alert.time) || 0;
    const world = new SimulatedWorld({
      clock: this.#startsAt,
      workflowId: incidentIdOf(subjectOf(alert)),
      activities: <Activities>() => activities as Activities,
      ownAction: (name) => this.#stage.cell.declarationOf(name),
    });
    this.#world = world;
    const teller = new StoryTeller(this.#startsAt);
    this.#teller = teller;
    // That a playbook has stopped is an event of its own.
    world.onLog = (text, { firebreakPlaybook: said }) => {
      if (!isObject(said) || said.stopped !== true) teller.tell(world.now(), 'playbook.log', text);
    };
    this.#stage = createStage({
      playbooks,
      options,
      chooser,
      teller,
      now: world.now,
      takes: (action) => world.sleep(takes[action] === undefined ? stepMs : durationMs(takes[action])),
      outside: (work) => world.clock.outside(work),
      queue: 'simulation',
    });
    const activities = this.#stage.cell.activities(() => this.#open.model.ref.id);
  }

  get #open(): IncidentParts {
    if (!this.#parts) throw new Error('the simulation has not begun');
    return this.#parts;
  }

  async run(alerts: readonly { readonly alert: Alert; readonly after: number }[]): Promise<Story> {
    let toCome = alerts.length;
    const over = (): boolean => toCome === 0 && !this.#open.model.openBodies && this.#open.model.busy === 0;
    const begin = (): void => {
      const parts = this.#begin();
      for (const [index, { alert, after }] of alerts.entries()) {
        const arrive = (): void => {
          this.#stage.cell.hears(parts.model.ref, batchOf(alert, index));
          join(parts, batchOf(alert, index));
          toCome -= 1;
        };
        if (after === 0) arrive();
        else void this.#world.sleep(after).then(arrive);
      }
    };
    const isOver = await this.#world.run(begin, () => this.#mistake !== undefined || over(), this.#startsAt + mostMs);
    if (this.#mistake !== undefined) throw this.#mistake;
    const { cell } = this.#stage;
    const contains = (action: string): boolean => cell.declarationOf(action)?.contains === true;
    return this.#teller.story(this.#open.model.snapshot(), { at: this.#world.now(), isOver, contains });
  }

  #begin(): IncidentParts {
    const { alert } = this.#options;
    const start = { subject: subjectOf(alert), batch: batchOf(alert, 0) };
    const parts = createParts({ start, settings: this.#stage.settings }, [this.#playbooks]);
    this.#parts = parts;
    const heard = parts.model.onRecord;
    parts.model.onRecord = (kind, text, body) => {
      heard(kind, text, body);
      this.#hear(kind, text, body);
    };
    void parts.votes.run();
    void parts.leases.run();
    return parts;
  }

  #hear(kind: string, text: string, body: Readonly<Record<string, unknown>>): void {
    this.#teller.hear(this.#world.now(), { kind, text, body }, kind === 'playbook.failed' ? this.#stackOf(text) : undefined);
    if (kind === 'step.joined' && body.lease !== undefined) {
      const lease = this.#open.model.leases.get(String(body.lease));
      if (lease) this.#stage.cell.joined(lease.action, lease.target.name);
    }
    if (kind !== 'question.asked') return;
    const { question } = body as { readonly question: Question };
    const asked = { booth: this.#booth(question.id), roster: this.#stage.roster, question, answer: this.#chooser.answer };
    void answerQuestion(asked).catch((error: unknown) => {
      this.#mistake = error ?? new Error('a question could not be answered');
    });
  }

  #booth(question: string): Booth {
    const world = this.#world;
    const { model, votes } = this.#open;
    const state = () => model.questions.get(question);
    return {
      now: world.now,
      newId: world.uuid4,
      sleep: world.sleep,
      state: async () => state(),
      untilAsked: (level) =>
        world.condition(() => {
          const asked = state();
          return asked?.status.state !== 'open' || asked.level >= level;
        }),
      vote: (vote) => {
        votes.receive(vote);
        return world.condition(() => !votes.unread);
      },
    };
  }

  /** Stack of an error that a body has thrown itself. */
  #stackOf(message: string): string | undefined {
    const thrown = this.#world.thrown.at(-1);
    return thrown instanceof Error && message.startsWith(thrown.message) ? thrown.stack : undefined;
  }
}
