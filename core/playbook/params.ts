import { namespacePattern } from '../cluster/namespace-name.ts';
import { type Duration, isDuration } from './duration.ts';

/** What a parameter may be worth: plain data, which configuration can say. */
export type ParamValue = string | number | boolean | readonly string[];

interface Described {
  /** One sentence for whoever sets it: what it is for, its unit. */
  readonly about?: string;
}

/** A value that configuration may set, with what it is worth where nobody does. Data: routing, docs and the command line read it. */
export type Param<Value extends ParamValue = ParamValue> = Described & { readonly default: Value } & (
    | { readonly kind: 'group' | 'duration' | 'namespace' | 'namespaces' | 'flag' }
    | { readonly kind: 'number'; readonly min?: number; readonly max?: number }
    | { readonly kind: 'text'; readonly longest?: number }
    | { readonly kind: 'choice'; readonly choices: readonly string[] }
  );

export type Params = Readonly<Record<string, Param>>;

/** What the body gets: each parameter by its name. */
export type ParamValues<P extends Params> = { readonly [K in keyof P]: P[K] extends Param<infer Value> ? Value : never };

/**
 * Makes the parameters of an envelope, each with its default: `params: { group: param.group('oncall'), lease: param.duration('4h') }`.
 * The body has them as `params.group` and `params.lease`, as configuration has set them.
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
  /** Bounds count as allowed. */
  number: (value: number, described: Described & { readonly min?: number; readonly max?: number } = {}): Param<number> => ({
    kind: 'number',
    default: value,
    ...described,
  }),
  /** `longest` in characters, 1 000 where it is absent. */
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
  /** One of a few words. */
  choice: <const Choice extends string>(
    choices: readonly [Choice, ...Choice[]],
    value: NoInfer<Choice>,
    described: Described = {},
  ): Param<Choice> => ({ kind: 'choice', choices, default: value, ...described }),
} as const;

/** A text or a namespace's name is at most this long where nothing else is said. */
const longestText = 1_000;
/** Why a value is not one for this parameter, in words that say what to write; undefined where it is. Whether a group exists only the roster knows. */
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
 * The values that a body gets: those that configuration has set, and the default of every other. What does not fit is not taken: it was refused
 * when the configuration was read, so only somebody who has changed it since can have sent it.
 */
export function valuesOf(params: Params, given: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, ParamValue>> {
  const value = (name: string, of: Param): ParamValue => {
    const set = Object.hasOwn(given, name) ? given[name] : undefined;
    return set !== undefined && problemOfParam(of, set) === undefined ? (set as ParamValue) : of.default;
  };
  return Object.fromEntries(Object.entries(params).map(([name, of]) => [name, value(name, of)]));
}

/** The parameter with another default, which has been looked at: see `problemOfParam`. */
export function withDefault(of: Param, value: ParamValue): Param {
  return { ...of, default: value };
}
