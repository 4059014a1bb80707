import { namespacePattern } from '../cluster/namespace-name.ts';
import { type Duration, isDuration } from './duration.ts';

/** Possible values of a parameter: plain data that configuration can express. */
export type ParamValue = string | number | boolean | readonly string[];

interface Described {
  /** One sentence for the person who sets it: its purpose and unit. */
  readonly about?: string;
}

/** A value that configuration may set, with its default. Plain data: routing, docs and the command line read it. */
export type Param<Value extends ParamValue = ParamValue> = Described & { readonly default: Value } & (
    | { readonly kind: 'group' | 'duration' | 'namespace' | 'namespaces' | 'flag' }
    | { readonly kind: 'number'; readonly min?: number; readonly max?: number }
    | { readonly kind: 'text'; readonly longest?: number }
    | { readonly kind: 'choice'; readonly choices: readonly string[] }
  );

export type Params = Readonly<Record<string, Param>>;

/** What the body receives: each parameter by its name. */
export type ParamValues<P extends Params> = { readonly [K in keyof P]: P[K] extends Param<infer Value> ? Value : never };

/**
 * Declares the parameters of an envelope, each with its default: `params: { group: param.group('oncall'), lease: param.duration('4h') }`. The body reads them
 * as `params.group` and `params.lease`, with the values from configuration.
 */
export const param = {
  /** A group of the roster. */
  group: (value: string, described: Described = {}): Param<string> => ({ kind: 'group', default: value, ...described }),
  /** `30s`, `15m`, `4h`, `2d`. */
  duration: (value: Duration, described: Described = {}): Param<Duration> => ({
    kind: 'duration',
    default: value,
    ...described,
  }),
  /** Bounds are inclusive. */
  number: (value: number, described: Described & { readonly min?: number; readonly max?: number } = {}): Param<number> => ({
    kind: 'number',
    default: value,
    ...described,
  }),
  /** `longest`: maximum length in characters, 1 000 by default. */
  text: (value: string, described: Described & { readonly longest?: number } = {}): Param<string> => ({
    kind: 'text',
    default: value,
    ...described,
  }),
  namespace: (value: string, described: Described = {}): Param<string> => ({ kind: 'namespace', default: value, ...described }),
  namespaces: (value: readonly string[], described: Described = {}): Param<readonly string[]> => ({
    kind: 'namespaces',
    default: value,
    ...described,
  }),
  flag: (value: boolean, described: Described = {}): Param<boolean> => ({ kind: 'flag', default: value, ...described }),
  /** One of a few fixed words. */
  choice: <const Choice extends string>(
    choices: readonly [Choice, ...Choice[]],
    value: NoInfer<Choice>,
    described: Described = {},
  ): Param<Choice> => ({ kind: 'choice', choices, default: value, ...described }),
} as const;

/** Default maximum length of a text or a namespace's name. */
const longestText = 1_000;
/** Why a value is not valid for this parameter, in words that say what to write; undefined if it is valid. Only the roster knows whether a group exists. */
export function problemOfParam(of: Param, value: unknown): string | undefined {
  switch (of.kind) {
    case 'flag':
      return typeof value === 'boolean' ? undefined : 'write true or false';
    case 'number': {
      const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = of;
      if (typeof value !== 'number' || !Number.isFinite(value)) return 'write a number';
      if (value < min) return `write a number of at least ${min}`;
      return value <= max ? undefined : `write a number of at most ${max}`;
    }
    case 'duration':
      return isDuration(value) ? undefined : 'write a duration such as 30s, 15m, 4h or 2d';
    case 'namespace':
      return isNamespace(value) ? undefined : 'write the name of a namespace';
    case 'namespaces':
      return Array.isArray(value) && value.every(isNamespace) ? undefined : 'write a list of names of namespaces';
    case 'choice':
      return of.choices.some((choice) => choice === value) ? undefined : `write one of ${of.choices.join(', ')}`;
    case 'group':
      return typeof value === 'string' && value !== '' && value.length <= longestText ? undefined : 'write a group of the roster';
    case 'text': {
      const { longest = longestText } = of;
      return typeof value === 'string' && value.length <= longest ? undefined : `write a text of at most ${longest} characters`;
    }
  }
}

function isNamespace(value: unknown): boolean {
  return typeof value === 'string' && namespacePattern.test(value);
}

/**
 * The values that a body receives: those set by configuration, and defaults for the rest. Invalid values are ignored: they were rejected when the configuration
 * was read, so only somebody who has changed it since can have sent them.
 */
export function valuesOf(params: Params, given: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, ParamValue>> {
  const value = (name: string, of: Param): ParamValue => {
    const set = Object.hasOwn(given, name) ? given[name] : undefined;
    return set !== undefined && problemOfParam(of, set) === undefined ? (set as ParamValue) : of.default;
  };
  return Object.fromEntries(Object.entries(params).map(([name, of]) => [name, value(name, of)]));
}

/** The parameter with another default, which the caller has checked: see `problemOfParam`. */
export function withDefault(of: Param, value: ParamValue): Param {
  return { ...of, default: value };
}
