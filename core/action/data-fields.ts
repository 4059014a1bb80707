import type { PodRef, WorkloadRef } from '../alert/alert.ts';
import { isObject } from '../text/plain-json.ts';

interface DescribedField {
  /** One sentence: its meaning and its unit. */
  readonly about: string;
  /** It may be left out. */
  readonly optional?: true;
}

/** One field of an action's input or output. Plain data: the pool checks values by it; pages and the command line show it. */
export type DataField = DescribedField &
  (
    | { readonly kind: 'text'; readonly longest?: number }
    | { readonly kind: 'number'; readonly min?: number; readonly max?: number }
    | { readonly kind: 'flag' | 'pod' | 'workload' }
    | { readonly kind: 'choice'; readonly choices: readonly string[] }
    | { readonly kind: 'texts'; readonly most?: number }
  );

/** Fields by name. */
export type DataFields = Readonly<Record<string, DataField>>;

/** A field whose value has this type. */
export type FieldOf<Value> = DataField & {
  /** For the compiler only; never set. */
  readonly type?: Value;
};

type FieldValue<F> = F extends { readonly type?: infer Value } ? Exclude<Value, undefined> : unknown;
type OptionalNames<F extends DataFields> = { [K in keyof F]: F[K] extends { readonly optional: true } ? K : never }[keyof F];

/** The type of a value with these fields. */
export type DataOf<F extends DataFields> = {
  readonly [K in Exclude<keyof F, OptionalNames<F>>]: FieldValue<F[K]>;
} & { readonly [K in OptionalNames<F>]?: FieldValue<F[K]> };

/** A pod with the uid that the alert named: not another one of the same name. */
type KnownPod = PodRef & { readonly uid: string };

/**
 * Makes the fields of an action's input and output, each with a sentence for its readers: `input: { group: data.text('Id of the security group'), port:
 * data.number('Port', { min: 1, max: 65_535 }) }`.
 */
export const data = {
  /** `longest` in characters; 1 000 if absent. */
  text: (about: string, bounds: { readonly longest?: number } = {}): FieldOf<string> => ({ kind: 'text', about, ...bounds }),
  /** Bounds are inclusive. */
  number: (about: string, bounds: { readonly min?: number; readonly max?: number } = {}): FieldOf<number> => ({
    kind: 'number',
    about,
    ...bounds,
  }),
  flag: (about: string): FieldOf<boolean> => ({ kind: 'flag', about }),
  choice: <const Choice extends string>(about: string, choices: readonly [Choice, ...Choice[]]): FieldOf<Choice> => ({
    kind: 'choice',
    about,
    choices,
  }),
  /** A list; `most` is 100 if absent. */
  texts: (about: string, bounds: { readonly most?: number } = {}): FieldOf<readonly string[]> => ({
    kind: 'texts',
    about,
    ...bounds,
  }),
  /** `alert.pod` of a playbook that requires it. Evidence of it has to be kept before a destructive step. */
  pod: (about: string): FieldOf<KnownPod> => ({ kind: 'pod', about }),
  workload: (about: string): FieldOf<WorkloadRef> => ({ kind: 'workload', about }),
  /** A field that may be left out. */
  optional: <F extends DataField>(field: F): F & { readonly optional: true } => ({ ...field, optional: true }),
} as const;

const longestText = 1_000;
const mostTexts = 100;

/** How a value differs from what the fields specify. Additional fields are not allowed. */
export function problemsOfData(
  fields: DataFields,
  value: unknown,
): readonly { readonly field: string; readonly problem: string }[] {
  if (!isObject(value)) return [{ field: 'whole', problem: 'write an object' }];
  const wrong = Object.entries(fields).flatMap(([field, of]) => {
    const given = Object.hasOwn(value, field) ? value[field] : undefined;
    if (given === undefined) return of.optional ? [] : [{ field, problem: 'it is missing' }];
    const problem = problemOfField(of, given);
    return problem === undefined ? [] : [{ field, problem }];
  });
  const unknown = Object.keys(value).filter((field) => !Object.hasOwn(fields, field) && value[field] !== undefined);
  return [...wrong, ...unknown.map((field) => ({ field, problem: 'there is no such field' }))];
}

function problemOfField(of: DataField, value: unknown): string | undefined {
  switch (of.kind) {
    case 'flag':
      return typeof value === 'boolean' ? undefined : 'write true or false';
    case 'number': {
      const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = of;
      if (typeof value !== 'number' || !Number.isFinite(value)) return 'write a number';
      return value >= min && value <= max ? undefined : `write a number from ${min} to ${max}`;
    }
    case 'text':
      return isText(value, of.longest) ? undefined : `write a text of at most ${of.longest ?? longestText} characters`;
    case 'texts': {
      const { most = mostTexts } = of;
      const fits = Array.isArray(value) && value.length <= most && value.every((text) => isText(text));
      return fits ? undefined : `write a list of at most ${most} texts`;
    }
    case 'choice':
      return of.choices.some((choice) => choice === value) ? undefined : `write one of ${of.choices.join(', ')}`;
    case 'pod':
      return isNamed(value, ['namespace', 'name', 'uid']) ? undefined : 'give a pod with namespace, name and uid';
    case 'workload':
      return isNamed(value, ['kind', 'namespace', 'name']) ? undefined : 'give a workload with kind, namespace and name';
  }
}

function isText(value: unknown, longest = longestText): boolean {
  return typeof value === 'string' && value.length <= longest;
}

function isNamed(value: unknown, names: readonly string[]): boolean {
  return isObject(value) && names.every((name) => isText(value[name]) && value[name] !== '');
}
