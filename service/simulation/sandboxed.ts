import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Plan } from '../../core/action/plan.ts';
import { type ErrorCode, FirebreakError, isErrorCode } from '../../core/errors.ts';
import { isObject } from '../../core/text/plain-json.ts';
import { visibleLine } from '../../core/text/visible-text.ts';
import { playbooks as shipped } from '../../playbooks/index.ts';
import type { RecordedAlert } from '../../testing/backtest/backtest.ts';
import { readPackAt } from '../packs/pack-files.ts';
import { type PackProgram, startPackProgram } from '../packs/pack-program.ts';
import { packFaults } from '../packs/pack-rules.ts';
import { LocalSimulations, type PlanStep, type Simulations } from './simulations.ts';

/** A question to the process of a pack, or the answer to one of its own. */
export type ToSandbox = { readonly call: keyof Simulations; readonly asked: unknown } | PlannedForSandbox;

/** Identified by the number of the request. */
export type PlannedForSandbox = { readonly planned: number } & (
  | { readonly plan: Partial<Plan> }
  | { readonly error: ErrorCode; readonly detail: string }
);

export type FromSandbox =
  | { readonly value: unknown }
  | { readonly error: ErrorCode; readonly detail: string; readonly remedy: string }
  /** Asks what a step would do, before it answers. */
  | { readonly plans: number; readonly action: string; readonly input: unknown }
  /** Output for people, besides the answers. */
  | { readonly printed: string }
  /** A mistake of the caller. */
  | { readonly mistake: string };

/**
 * Tries playbooks: shipped ones in this process; those of a pack in a separate process without an environment, which may read only the pack and Firebreak's
 * code. Keys, records and configuration stay with the caller.
 *
 * @param where folder of the pack, or its tarball; absent: the shipped playbooks.
 * @param plan plans steps; the process of a pack requests plans and receives nothing else: the cluster stays with the caller. Absent: all are sketched.
 * @throws FB_ERR_NOT_FOUND, FB_ERR_CONFIG_INVALID for what no pack may have
 */
export async function withSimulations<T>(
  where: string | undefined,
  work: (simulations: Simulations) => Promise<T>,
  plan?: PlanStep,
): Promise<T> {
  if (where === undefined) return work(new LocalSimulations(shipped, plan));
  const pack = readPackAt(where);
  const [fault] = packFaults(pack);
  if (fault)
    throw new FirebreakError('FB_ERR_CONFIG_INVALID', `${where}: ${fault.file}:${fault.line}: ${fault.problem}. ${fault.remedy}`);
  const program = startPackProgram(pack, 'service/simulation/sandbox-main', plan && ['plans']);
  try {
    return await work(new SandboxedSimulations(program, where, plan));
  } finally {
    program.close();
  }
}

/** Number of alerts sent to the pack at once. */
const alertsAtOnce = 200;

class SandboxedSimulations implements Simulations {
  readonly #program: PackProgram;
  readonly #where: string;
  readonly #plan: PlanStep | undefined;
  readonly #answers: AsyncIterator<string>;
  readonly #waiting: RecordedAlert[] = [];

  constructor(program: PackProgram, where: string, plan: PlanStep | undefined) {
    this.#program = program;
    this.#where = where;
    this.#plan = plan;
    this.#answers = createInterface({ input: program.output })[Symbol.asyncIterator]();
  }

  readonly examples: Simulations['examples'] = (asked) => this.#ask('examples', asked);
  readonly story: Simulations['story'] = (asked) => this.#ask('story', asked);
  readonly wouldAnswer: Simulations['wouldAnswer'] = (asked) => this.#ask('wouldAnswer', asked);
  readonly every: Simulations['every'] = (asked) => this.#ask('every', asked);
  readonly graph: Simulations['graph'] = (asked) => this.#ask('graph', asked);
  readonly fork: Simulations['fork'] = (asked) => this.#ask('fork', asked);
  readonly beginBacktest: Simulations['beginBacktest'] = (asked) => this.#ask('beginBacktest', asked);

  async backtestOn({ alerts }: { readonly alerts: readonly RecordedAlert[] }): Promise<void> {
    this.#waiting.push(...alerts);
    if (this.#waiting.length >= alertsAtOnce) await this.#ask('backtestOn', { alerts: this.#waiting.splice(0) });
  }

  async backtestReport(): ReturnType<Simulations['backtestReport']> {
    if (this.#waiting.length > 0) await this.#ask('backtestOn', { alerts: this.#waiting.splice(0) });
    return this.#ask('backtestReport', {});
  }

  /** One after another: an answer belongs to the question before it. */
  async #ask<Call extends keyof Simulations>(call: Call, asked: unknown): Promise<Awaited<ReturnType<Simulations[Call]>>> {
    await this.#write({ call, asked });
    const answer = await this.#answer();
    if (isErrorCode(answer.error))
      throw new FirebreakError(answer.error, visibleLine(String(answer.detail)), { remedy: visibleLine(String(answer.remedy)) });
    if (typeof answer.mistake === 'string') throw new TypeError(visibleLine(answer.mistake));
    // A pack's own statement: it is printed, and nothing relies on it.
    return answer.value as Awaited<ReturnType<Simulations[Call]>>;
  }

  async #write(said: ToSandbox): Promise<void> {
    const { input } = this.#program;
    if (!input.write(`${JSON.stringify(said)}\n`)) await Promise.race([once(input, 'drain'), this.#program.ended]);
  }

  /** Only for an existing action, and an input that its schema accepts: the action checks both. */
  async #planned(number: number, { action, input }: Readonly<Record<string, unknown>>): Promise<void> {
    try {
      await this.#write({ planned: number, plan: (await this.#plan?.(String(action), input)) ?? {} });
    } catch (error) {
      const known = error instanceof FirebreakError ? error : new FirebreakError('FB_ERR_INTERNAL', 'its plan could not be made');
      await this.#write({ planned: number, error: known.code, detail: known.detail });
    }
  }

  async #answer(): Promise<Readonly<Record<string, unknown>>> {
    for (;;) {
      const { value: line, done } = await this.#answers.next();
      if (done === true)
        throw new FirebreakError(
          'FB_ERR_CONFIG_INVALID',
          `${this.#where}: the pack cannot be tried: ${visibleLine(await this.#program.ended)}`,
        );
      const said: unknown = JSON.parse(line);
      if (!isObject(said)) throw new FirebreakError('FB_ERR_INTERNAL', `${this.#where}: its process returned nothing readable`);
      if (typeof said.plans === 'number') {
        // Several at a time: answers are written in the order in which they arrive.
        void this.#planned(said.plans, said);
        continue;
      }
      if (typeof said.printed !== 'string') return said;
      for (const text of said.printed.split('\n')) process.stderr.write(`${visibleLine(text)}\n`);
    }
  }
}
