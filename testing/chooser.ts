import type { GuardrailRules } from '../core/action/guardrail.ts';
import type { Plan } from '../core/action/plan.ts';
import type { Alert } from '../core/alert/alert.ts';
import type { ResponseRules } from '../core/assessment/policy.ts';
import type { OwnConfidence } from '../core/assessment/rule-confidence.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { Duration } from '../core/playbook/duration.ts';
import type { ParamValue } from '../core/playbook/params.ts';
import type { Said, SimulatedQuestion } from './people.ts';
import type { SampleOutput } from './sample-output.ts';
import type { Failure, SimulatedCall } from './simulated-actions.ts';

/** What happens in a simulation apart from what the playbook does. */
export interface SimulateOptions {
  readonly alert: Alert;
  /** Further alerts of the same incident, each this long after the first. */
  readonly more?: readonly { readonly after: Duration; readonly alert: Alert }[];
  /**
   * What people answer: one choice for every question of the playbooks that offers it; the answers to their questions, one after another; or a function of each
   * question, including the engine's own. Anything not answered is silence.
   */
  readonly answer?: string | readonly string[] | ((question: SimulatedQuestion) => Said);
  /** Outputs of actions, by name; anything missing is made up from the action's schema. */
  readonly outputs?: Readonly<Record<string, object | ((input: never) => object)>>;
  /** What fails, by name: `deletePod`, only the first time as `deletePod#1`, or its plan or its release as `deletePod.plan`, `quarantinePod.undo`. */
  readonly failures?: Readonly<Record<string, ErrorCode | Failure>>;
  /** Plans by name of the action, or computed from its input. Anything missing is sketched from the action's declaration and input. */
  readonly plans?: Readonly<Record<string, Partial<Plan> | ((input: unknown) => Partial<Plan> | Promise<Partial<Plan>>)>>;
  /** How long steps take, by name; one second by default. */
  readonly takes?: Readonly<Record<string, Duration>>;
  /** Parameters as a configuration would set them; defaults for those not set. */
  readonly params?: Readonly<Record<string, ParamValue>>;
  /** Only what differs from the shipped configuration. */
  readonly guardrails?: Partial<GuardrailRules>;
  /** Mode, profile and scopes, as `response` of a configuration; what is absent is as in the shipped configuration, in mode `contain`. Labels of namespaces are not known. */
  readonly response?: Partial<ResponseRules>;
  /** How sure rules are, as `sensors.NAME.rules` of a configuration. */
  readonly own?: readonly OwnConfidence[];
  /** Number of pods of the alert's workload. Absent: unknown. */
  readonly replicas?: number;
  /** Ids of people that forms may name in addition to `oncall-1` and the others: they are in each group. */
  readonly named?: readonly string[];
  /** Who decides on incidents; by default as in the shipped configuration. */
  readonly levels?: readonly { readonly group: string; readonly within: Duration; readonly page?: true }[];
}

/** Decides in a simulation what happens at each point that could go more than one way. */
export interface Chooser {
  readonly answer: (question: SimulatedQuestion) => Said;
  /** @param nth which of this action's identical calls it is, from 1 on */
  readonly failure: (call: SimulatedCall, nth: number) => Failure | undefined;
  /** @param samples possible outputs, the plainest first */
  readonly output: (call: SimulatedCall, samples: readonly SampleOutput[], nth: number) => unknown;
}

/** Creates a chooser from the options of a test. */
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

/** Values given by a test replace the made-up ones. */
export function withGiven(given: object | ((input: never) => object) | undefined, input: unknown, sample: unknown): unknown {
  if (given === undefined) return sample;
  const said: object = typeof given === 'function' ? given(input as never) : given;
  return { ...(sample as object), ...said };
}
