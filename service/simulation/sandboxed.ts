import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type ErrorCode, FirebreakError, isErrorCode } from '../../core/errors.ts';
import { isObject } from '../../core/text/plain-json.ts';
import { visibleLine } from '../../core/text/visible-text.ts';
import { playbooks as shipped } from '../../playbooks/index.ts';
import type { RecordedAlert } from '../../testing/backtest.ts';
import { readPackAt } from '../packs/pack-files.ts';
import { type PackProgram, startPackProgram } from '../packs/pack-program.ts';
import { packFaults } from '../packs/pack-rules.ts';
import { LocalSimulations, type Simulations } from './simulations.ts';

/** One question to the process in which a pack is. */
export interface ToSandbox {
  readonly call: keyof Simulations;
  readonly asked: unknown;
}

export type FromSandbox =
  | { readonly value: unknown }
  | { readonly error: ErrorCode; readonly detail: string }
  /** For people, beside the answers. */
  | { readonly printed: string }
  /** Of whoever has asked. */
  | { readonly mistake: string };

/**
 * Tries playbooks: those that are shipped in this process; those of a pack in one of its own, without an environment, which may read the pack and Firebreak's code
 * alone. Keys, records and configuration stay with whoever asks.
 *
 * @param where folder of the pack, or its tarball; absent: what is shipped.
 * @throws FB_ERR_NOT_FOUND, FB_ERR_CONFIG_INVALID for what no pack may have
 */
export async function withSimulations<T>(where: string | undefined, work: (simulations: Simulations) => Promise<T>): Promise<T> {
  if (where === undefined) return work(new LocalSimulations(shipped));
  const pack = readPackAt(where);
  const [fault] = packFaults(pack);
  if (fault)
    throw new FirebreakError('FB_ERR_CONFIG_INVALID', `${where}: ${fault.file}:${fault.line}: ${fault.problem}. ${fault.remedy}`);
  const program = startPackProgram(pack, 'service/simulation/sandbox-main');
  try {
    return await work(new SandboxedSimulations(program, where));
  } finally {
    program.close();
  }
}

/** So many alerts go to the pack at once. */
const alertsAtOnce = 200;

class SandboxedSimulations implements Simulations {
  readonly #program: PackProgram;
  readonly #where: string;
  readonly #answers: AsyncIterator<string>;
  readonly #waiting: RecordedAlert[] = [];

  constructor(program: PackProgram, where: string) {
    this.#program = program;
    this.#where = where;
    this.#answers = createInterface({ input: program.output })[Symbol.asyncIterator]();
  }

  readonly examples: Simulations['examples'] = (asked) => this.#ask('examples', asked);
  readonly story: Simulations['story'] = (asked) => this.#ask('story', asked);
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
    const { input } = this.#program;
    if (!input.write(`${JSON.stringify({ call, asked } satisfies ToSandbox)}\n`))
      await Promise.race([once(input, 'drain'), this.#program.ended]);
    const answer = await this.#answer();
    if (isErrorCode(answer.error)) throw new FirebreakError(answer.error, visibleLine(String(answer.detail)));
    if (typeof answer.mistake === 'string') throw new TypeError(visibleLine(answer.mistake));
    // What a pack says of itself: it is printed, and nothing rests on it.
    return answer.value as Awaited<ReturnType<Simulations[Call]>>;
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
      if (!isObject(said))
        throw new FirebreakError('FB_ERR_INTERNAL', `${this.#where}: its process says nothing that can be read`);
      if (typeof said.printed !== 'string') return said;
      for (const text of said.printed.split('\n')) process.stderr.write(`${visibleLine(text)}\n`);
    }
  }
}
