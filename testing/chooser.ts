import type { GuardrailRules } from '../core/action/guardrail.ts';
import type { Plan } from '../core/action/plan.ts';
import type { Alert } from '../core/alert/alert.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { Duration } from '../core/playbook/duration.ts';
import type { ParamValue } from '../core/playbook/params.ts';
import type { Said, SimulatedQuestion } from './people.ts';
import type { SampleOutput } from './sample-output.ts';
import type { Failure, SimulatedCall } from './simulated-actions.ts';

/** What happens in a simulation besides what the playbook does. */
export interface SimulateOptions {
  readonly alert: Alert;
  /** Further alerts of the same incident, each so long after the first. */
  readonly more?: readonly { readonly after: Duration; readonly alert: Alert }[];
  /**
   * What people say: one choice for every question of the playbooks that has it; the answers to their questions, one after another; or a function
   * of each question, also of the engine's own. Whatever is not answered is silence.
   */
  readonly answer?: string | readonly string[] | ((question: SimulatedQuestion) => Said);
  /** What actions give back, by name: what is not said of it is made up from its schema. */
  readonly outputs?: Readonly<Record<string, object | ((input: never) => object)>>;
  /** What fails, by name: `deletePod`, only the first time as `deletePod#1`, or its plan or its release as `deletePod.plan`, `quarantinePod.undo`. */
  readonly failures?: Readonly<Record<string, ErrorCode | Failure>>;
  /** What plans say, by name of the action, or by its input too. What is not said of it is sketched from its declaration and its input. */
  readonly plans?: Readonly<Record<string, Partial<Plan> | ((input: unknown) => Partial<Plan> | Promise<Partial<Plan>>)>>;
  /** How long steps take, by name; a second, where nothing is said. */
  readonly takes?: Readonly<Record<string, Duration>>;
  /** Parameters as a configuration sets them; their defaults, where nothing is said. */
  readonly params?: Readonly<Record<string, ParamValue>>;
  /** Where they differ from the shipped configuration. */
  readonly guardrails?: Partial<GuardrailRules>;
  /** Pods of the alert's workload. Absent: nobody knows. */
  readonly replicas?: number;
  /** Ids of people whom forms may name besides `oncall-1` and the others: they are in each group. */
  readonly named?: readonly string[];
  /** Who decides on incidents; as the shipped configuration has it, where nothing is said. */
  readonly levels?: readonly { readonly group: string; readonly within: Duration; readonly page?: true }[];
}

/** Who decides in a simulation what happens, at each point where it could be otherwise. */
export interface Chooser {
  readonly answer: (question: SimulatedQuestion) => Said;
  /** @param nth of the calls of this action that do the same, from 1 on */
  readonly failure: (call: SimulatedCall, nth: number) => Failure | undefined;
  /** @param samples what it may give back, the plainest first */
  readonly output: (call: SimulatedCall, samples: readonly SampleOutput[], nth: number) => unknown;
}

/** As the test says it. */
export function chooserFrom({ answer, outputs = {}, failures = {} }: SimulateOptions): Chooser {
  const list = typeof answer === 'object' ? [...answer] : undefined;
  return {
    answer: (question) => {
      if (typeof answer === 'function') return answer(question);
      if (question.asker === 'engine') return undefined;
      if (list) return list.shift();
      return question.choices.some(({ id }) => id === answer) ? (answer as string) : undefined;
    },
    failure: ({ action, does }, nth) => {
      const name = does === 'apply' ? action : `${action}.${does}`;
      const failure = failures[`${name}#${nth}`] ?? failures[name];
      return typeof failure === 'string' ? { code: failure, reason: 'simulated' } : failure;
    },
    output: ({ action, input }, [plainest]) => withGiven(outputs[action], input, plainest?.()),
  };
}

/** What a test says of an output stands in place of what was made up. */
export function withGiven(given: object | ((input: never) => object) | undefined, input: unknown, sample: unknown): unknown {
  if (given === undefined) return sample;
  const said: object = typeof given === 'function' ? given(input as never) : given;
  return { ...(sample as object), ...said };
}
