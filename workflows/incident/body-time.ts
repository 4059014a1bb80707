import { type Duration, durationMs } from '../../core/playbook/duration.ts';
import type { Slept } from '../../core/playbook/playbook.ts';
import { StepFailure } from '../step-failure.ts';
import { condition, nowMs, runInfo } from '../world.ts';
import type { Body, IncidentModel } from './model.ts';

/** The longest time a body may sleep: an incident is no calendar. */
const longestSleepMs = 30 * 86_400_000;

/**
 * A sleeping body cannot be carried into a new history, so alerts that come meanwhile make its history longer. Beyond this many events it is woken: Temporal
 * ends a history at 51 200 events.
 */
const mostEventsAsleep = 20_000;

/** Maximum turns of one `every`: each costs a timer and whatever it does. */
const mostTurns = 1_000;

interface BodyTimeParts {
  readonly model: IncidentModel;
  readonly body: Body;
  /** Called when the body sleeps, so that others may run. */
  readonly onSleep: () => void;
}

/** A body's access to time: everything is in the history, so that it survives a crash. */
export class BodyTime {
  readonly #parts: BodyTimeParts;
  #asleep = 0;

  constructor(parts: BodyTimeParts) {
    this.#parts = parts;
  }

  async sleep(time: Duration): Promise<Slept> {
    const ms = durationMs(time);
    if (ms > longestSleepMs)
      throw new StepFailure('FB_ERR_REFUSED', `a body can sleep for at most 30d, not ${time}: use a schedule`);
    const { body, model, onSleep } = this.#parts;
    const until = new Date(nowMs() + ms).toISOString();
    this.#asleep += 1;
    body.state = { ...body.state, asleepUntil: until };
    onSleep();
    const woken = await condition(() => runInfo().historyLength >= mostEventsAsleep, ms);
    this.#asleep -= 1;
    if (this.#asleep === 0) {
      const { asleepUntil: _, ...awake } = body.state;
      body.state = awake;
    }
    if (!woken) return 'whole';
    const { playbook } = body.state;
    model.record('playbook.woken', 'engine', `playbook ${playbook} is woken before ${until}: the incident's history is too long`);
    return 'woken';
  }

  /** @returns the number of turns. */
  async every(time: Duration, times: number, turn: (n: number) => Promise<unknown>): Promise<number> {
    if (!Number.isInteger(times) || times < 1 || times > mostTurns)
      throw new StepFailure('FB_ERR_REFUSED', `every() takes a number of times from 1 to ${mostTurns}, not ${times}`);
    for (let n = 1; n <= times; n += 1) {
      if ((await turn(n)) === 'enough' || n === times) return n;
      if ((await this.sleep(time)) === 'woken') return n;
    }
    return times;
  }
}
