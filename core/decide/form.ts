import { digestOf } from '../text/digest.ts';
import { redactSecrets } from '../text/redact.ts';

interface Labelled {
  /** The text above the field. */
  readonly label: string;
  readonly hint?: string;
}

/** One thing that an answer contains besides its choice. Plain data: it is part of the question, whose digest each vote signs. */
export type FormField = Labelled &
  (
    | { readonly kind: 'choice'; readonly options: Readonly<Record<string, string>> }
    | { readonly kind: 'number'; readonly min: number; readonly max: number }
    | { readonly kind: 'text'; readonly longest: number }
    /** From a group of the roster, or from all of it. */
    | { readonly kind: 'people'; readonly group?: string; readonly most: number }
  );

/** A field as shown to the person who fills it in: for people, with those who may be named. */
export type ShownField = FormField & { readonly people?: PeopleOfForms['people'] };

export type FormValue = string | number | readonly string[];

/** By the fields' names. */
export type Form = Readonly<Record<string, FormField>>;

/** What somebody filled in, as signed by their vote: people by their roster ids. */
export type FormAnswers = Readonly<Record<string, FormValue>>;

/** A field whose value is passed to the body as this type. */
export type TypedField<Value extends FormValue> = FormField & {
  /** For the compiler only; never set. */
  readonly type?: Value;
};

const longestText = 500;
const mostPeople = 10;

/**
 * The fields of a form, for `ask({ forms: { extend: { hours: field.number('For how many hours?', { min: 1, max: 72 }) } } })`. What is filled in
 * approves nothing: what a choice runs is its plan.
 */
export const field = {
  /** Option id → its text. */
  choice: <const Options extends Readonly<Record<string, string>>>(
    label: string,
    options: Options,
    more: { readonly hint?: string } = {},
  ): TypedField<keyof Options & string> => ({ kind: 'choice', label, options, ...more }),
  /** Bounds are inclusive. */
  number: (
    label: string,
    { min, max, hint }: { readonly min: number; readonly max: number; readonly hint?: string },
  ): TypedField<number> => ({ kind: 'number', label, min, max, ...(hint !== undefined && { hint }) }),
  /** `longest` in characters. */
  text: (
    label: string,
    { longest = longestText, hint }: { readonly longest?: number; readonly hint?: string } = {},
  ): TypedField<string> => ({ kind: 'text', label, longest, ...(hint !== undefined && { hint }) }),
  /** At least one person, at most `most`. */
  people: (
    label: string,
    { group, most = mostPeople, hint }: { readonly group?: string; readonly most?: number; readonly hint?: string } = {},
  ): TypedField<readonly string[]> => ({
    kind: 'people',
    label,
    most,
    ...(group !== undefined && { group }),
    ...(hint !== undefined && { hint }),
  }),
} as const;

/** The part of a roster that forms need. */
interface PeopleOfForms {
  readonly people: readonly { readonly id: string; readonly name: string }[];
  readonly groups: Readonly<Record<string, readonly string[]>>;
}

/** Returns the people who may be named in a field. */
export function namable(of: FormField & { readonly kind: 'people' }, roster: PeopleOfForms): PeopleOfForms['people'] {
  const { group } = of;
  return group === undefined ? roster.people : roster.people.filter(({ id }) => roster.groups[group]?.includes(id) === true);
}

/**
 * Returns, by field, what is wrong with what was filled in; empty if nothing is. No field may be missing or added. Without a roster, the people are those that
 * the field shows.
 */
export function problemsOfAnswers(
  form: Readonly<Record<string, ShownField>>,
  answers: Readonly<Record<string, unknown>> | undefined,
  roster?: PeopleOfForms,
): Readonly<Record<string, string>> {
  const given = answers ?? {};
  const wrong = Object.entries(form).flatMap(([name, of]) => {
    const problem = problemOfValue(of, Object.hasOwn(given, name) ? given[name] : undefined, roster);
    return problem === undefined ? [] : [[name, problem] as const];
  });
  const unasked = Object.keys(given).filter((name) => !Object.hasOwn(form, name));
  return Object.fromEntries([...wrong, ...unasked.map((name) => [name, 'This field was not asked for.'] as const)]);
}

function problemOfValue(of: ShownField, value: unknown, roster: PeopleOfForms | undefined): string | undefined {
  switch (of.kind) {
    case 'choice':
      return typeof value === 'string' && Object.hasOwn(of.options, value) ? undefined : 'Choose one.';
    case 'number':
      return typeof value === 'number' && value >= of.min && value <= of.max
        ? undefined
        : `Enter a number from ${of.min} to ${of.max}.`;
    case 'text': {
      if (typeof value !== 'string' || value.trim() === '') return 'Enter a text.';
      return value.length <= of.longest ? undefined : `Enter at most ${of.longest} characters: these are ${value.length}.`;
    }
    case 'people': {
      if (!Array.isArray(value) || value.length === 0 || new Set(value).size < value.length)
        return 'Name at least one person, and each person only once.';
      const known = new Set((roster ? namable(of, roster) : (of.people ?? [])).map(({ id }) => id));
      if (!value.every((id) => typeof id === 'string' && known.has(id)))
        return of.group === undefined ? 'Name people on the roster.' : `Name members of ${of.group}.`;
      return value.length <= of.most ? undefined : `Name at most ${of.most} people.`;
    }
  }
}

/** Converts typed texts into answers: people are separated by commas. Whether the answers are valid is checked elsewhere. */
export function answersTyped(form: Form, typed: (name: string) => string | undefined): FormAnswers {
  const read = (of: FormField, text: string): FormValue => {
    if (of.kind === 'number') return text === '' ? Number.NaN : Number(text);
    if (of.kind !== 'people') return text;
    return text
      .split(',')
      .map((id) => id.trim())
      .filter((id) => id !== '');
  };
  return Object.fromEntries(Object.entries(form).map(([name, of]) => [name, read(of, typed(name)?.trim() ?? '')]));
}

/** Removes secrets that people paste. */
export function answersToSign(form: Form, answers: FormAnswers): FormAnswers {
  const clean = (name: string, value: FormValue): FormValue => {
    const of = form[name];
    return of?.kind === 'text' && typeof value === 'string' ? redactSecrets(value).slice(0, of.longest) : value;
  };
  return Object.fromEntries(Object.entries(answers).map(([name, value]) => [name, clean(name, value)]));
}

/** Returns what a field asks for, in a few words. */
export function askedFor(of: ShownField): string {
  switch (of.kind) {
    case 'choice':
      return `one of ${Object.keys(of.options).join(', ')}`;
    case 'number':
      return `a number from ${of.min} to ${of.max}`;
    case 'text':
      return `a text of at most ${of.longest} characters`;
    case 'people':
      return `at most ${of.most} people${of.group === undefined ? '' : ` of ${of.group}`}, by their ids, separated by commas`;
  }
}

const fieldName = /^[a-z][A-Za-z0-9]{0,29}$/;
const mostFields = 10;
/** Slack's maximum for one list. */
const mostOptions = 100;
const longestLabel = 100;

/** Returns why a form could not be filled in; undefined if everybody can fill it in, in every way in. */
export function problemOfForm(form: Form): string | undefined {
  const fields = Object.entries(form);
  if (fields.length === 0 || fields.length > mostFields) return `a form must have 1 to ${mostFields} fields`;
  for (const [name, of] of fields) {
    if (!fieldName.test(name))
      return `the field name ${name} is invalid: use letters and digits, starting with a lowercase letter`;
    if (of.label === '' || of.label.length > longestLabel)
      return `the label of ${name} must have 1 to ${longestLabel} characters`;
    if (of.kind === 'choice' && (Object.keys(of.options).length < 2 || Object.keys(of.options).length > mostOptions))
      return `${name} must have 2 to ${mostOptions} options`;
    if (of.kind === 'number' && !(of.min <= of.max)) return `${name} accepts no number: its min must not exceed its max`;
  }
  return undefined;
}

/** Identifies one choice with one filled-in form: only people with the same answer agree. */
export function sayingOf({ choice, answers }: { readonly choice: string; readonly answers?: FormAnswers }): string {
  return answers === undefined ? choice : `${choice} ${digestOf(answers)}`;
}

/** Returns `hours 4, who ana and ben`. */
export function answersText(answers: FormAnswers): string {
  const text = (value: FormValue): string => (typeof value === 'object' ? value.join(' and ') : String(value));
  return Object.entries(answers)
    .map(([name, value]) => `${name} ${text(value)}`)
    .join(', ');
}

/** Returns whether a value has the shape of answers, whatever their content. */
export function areAnswers(value: unknown): value is FormAnswers {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every(
      (one) =>
        typeof one === 'string' ||
        (typeof one === 'number' && Number.isFinite(one)) ||
        (Array.isArray(one) && one.every((part) => typeof part === 'string')),
    )
  );
}
