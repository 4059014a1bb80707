import { setTimeout as sleep } from 'node:timers/promises';
import { FirebreakError, undefinedIf } from '../../core/errors.ts';
import type { IncidentState, QuestionState, StepState } from '../../core/incident/incident-state.ts';
import { incidentState, type Session } from '../../service/incidents/session.ts';
import type { RunningServer } from '../platform/server-group.ts';

/** The incident as Firebreak's own command line reads it. */
export class Incident {
  readonly id: string;
  readonly #session: Session;
  readonly #service: RunningServer;

  constructor(options: { readonly session: Session; readonly service: RunningServer; readonly id: string }) {
    this.id = options.id;
    this.#session = options.session;
    this.#service = options.service;
  }

  /**
   * Waits until the state fits, and returns it. Undefined `withinMs`: no limit, since it waits for a person.
   * @throws FB_ERR_UNAVAILABLE after `withinMs`, FB_ERR_PLATFORM_START if the service has ended.
   */
  async until(what: string, withinMs: number | undefined, fits: (state: IncidentState) => boolean): Promise<IncidentState> {
    const deadline = withinMs === undefined ? Number.POSITIVE_INFINITY : Date.now() + withinMs;
    for (;;) {
      const state = await this.#read();
      if (state && fits(state)) return state;
      if (!this.#service.isRunning())
        throw new FirebreakError('FB_ERR_PLATFORM_START', `the service exited, see ${this.#service.spec.logFile}`);
      if (Date.now() > deadline)
        throw new FirebreakError(
          'FB_ERR_UNAVAILABLE',
          `still waiting for ${what} after ${(withinMs ?? 0) / 1_000} s; ${state ? lastWords(state) : 'the incident does not respond'}; see ${this.#service.spec.logFile}`,
        );
      await sleep(withinMs === undefined ? 250 : 100);
    }
  }

  /** Not there yet, or not answering: try again. */
  async #read(): Promise<IncidentState | undefined> {
    return incidentState(this.#session, { id: this.id }).catch(undefinedIf('FB_ERR_UNKNOWN_ID', 'FB_ERR_UNAVAILABLE'));
  }
}

function lastWords({ timeline }: IncidentState): string {
  const last = timeline.at(-1);
  return last ? `its last entry is “${last.kind}: ${last.text}”` : 'its timeline is empty';
}

/** The playbook's question; a lease has its own question, which is not on a card. */
export function askedQuestion({ questions }: IncidentState): QuestionState | undefined {
  return questions.find(({ question }) => !question.id.startsWith('lease:'));
}

export function stepOf({ steps }: IncidentState, action: string): StepState | undefined {
  return steps.findLast((step) => step.action === action);
}
