import { type Document, isMap, isNode, isScalar, type LineCounter, stringify } from 'yaml';
import type { z } from 'zod';
import { FirebreakError } from '../../core/errors.ts';
import { nearestName } from './nearest.ts';
import { kindOf, knownKeys, schemaAt } from './schema-walk.ts';

/** One problem in the configuration. Never contains a value from the file: it might be a secret in the wrong place. */
export interface ConfigProblem {
  /** `roster.people[1].id`; empty for the file as a whole. */
  readonly path: string;
  /** Line in the file, from 1. */
  readonly line?: number;
  readonly problem: string;
  readonly remedy: string;
  /** Id of the playbook that cannot run because of it, if nothing else is wrong. */
  readonly playbook?: string;
}

/** A part of the configuration that cannot work, and without which the service runs. */
export interface LeftOut extends ConfigProblem {
  /** `tickets`, or `actions.optIn: cutConnections`. */
  readonly part: string;
  /** The action, if it is one. */
  readonly action?: string;
}

/** `['roster', 'people', 1, 'id']` as `roster.people[1].id`. */
export function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : text === '' ? String(key) : `${text}.${String(key)}`),
    '',
  );
}

/** Finds the line of a path; for something missing, the line of its nearest parent. */
export class Lines {
  readonly #document: Document;
  readonly #counter: LineCounter;

  constructor(document: Document, counter: LineCounter) {
    this.#document = document;
    this.#counter = counter;
  }

  of(path: readonly PropertyKey[]): number | undefined {
    for (let length = path.length; length > 0; length--) {
      const line = this.#ofKey(path.slice(0, length)) ?? this.#ofValue(path.slice(0, length));
      if (line !== undefined) return line;
    }
    return undefined;
  }

  #ofKey(path: readonly PropertyKey[]): number | undefined {
    const holder = path.length === 1 ? this.#document.contents : this.#document.getIn(path.slice(0, -1), true);
    if (!isMap(holder)) return undefined;
    const key = holder.items.map((item) => item.key).find((one) => isScalar(one) && one.value === path.at(-1));
    return isNode(key) ? this.#line(key.range?.[0]) : undefined;
  }

  #ofValue(path: readonly PropertyKey[]): number | undefined {
    const node = this.#document.getIn(path, true);
    return isNode(node) ? this.#line(node.range?.[0]) : undefined;
  }

  #line(offset: number | undefined): number | undefined {
    return offset === undefined ? undefined : this.#counter.linePos(offset).line;
  }
}

function exampleText(path: readonly PropertyKey[], example: unknown): string {
  const key = path.findLast((one) => typeof one === 'string');
  const value = stringify(example, { collectionStyle: 'flow', lineWidth: 0 }).trim();
  return key === undefined ? value : `${String(key)}: ${value}`;
}

function remedyFor(schema: z.core.$ZodType, path: readonly PropertyKey[], missing: boolean): string {
  const place = schemaAt(schema, path);
  if (!place) return 'See `firebreak docs configuration`.';
  const wanted = kindOf(place.schema).replace(/^section$/, `section with ${knownKeys(place.schema).join(', ')}`);
  const example = place.example === undefined ? '' : `, for example ${exampleText(path, place.example)}`;
  return `${missing ? 'Add it' : 'Expected'}: ${wanted}${example}.`;
}

/** Our own checks may provide a remedy. */
function remedyOf({ params }: z.core.$ZodIssueCustom): string {
  const remedy: unknown = params?.remedy;
  return typeof remedy === 'string' ? remedy : 'Correct it: see `firebreak docs configuration`.';
}

/** Keys of earlier versions, and what to write instead. */
const replacedKeys: Readonly<Record<string, string>> = {
  'guardrails.automaticFrom':
    'What is cut off without people is decided by response.profile: `strict` is nearest to `automaticFrom: high`. See `firebreak docs assessment`.',
};

function unknownKey(schema: z.core.$ZodType, path: readonly PropertyKey[], key: string): Omit<ConfigProblem, 'line'> {
  const known = knownKeys(schemaAt(schema, path)?.schema ?? schema);
  const near = nearestName(key, known);
  const at = pathText([...path, key]);
  const instead = replacedKeys[at];
  if (instead !== undefined) return { path: at, problem: 'no longer read', remedy: instead };
  return {
    path: at,
    problem: 'unknown key',
    remedy: near === undefined ? `Remove it, or use one of: ${known.join(', ')}.` : `Did you mean ${near}?`,
  };
}

const units: Readonly<Record<string, readonly [string, string]>> = {
  string: ['character', 'characters'],
  array: ['entry', 'entries'],
  set: ['entry', 'entries'],
  object: ['key', 'keys'],
  record: ['key', 'keys'],
};

function boundText(how: 'least' | 'most', bound: number | bigint, origin: string): string {
  const [one, many] = units[origin] ?? ['', ''];
  const unit = Number(bound) === 1 ? one : many;
  if (unit === '') return `it must be at ${how} ${bound}`;
  return `it ${how === 'least' ? 'needs' : 'may have'} at ${how} ${bound} ${unit}`;
}

/** A zod issue in words. */
function issueText(issue: z.core.$ZodIssue): string {
  if (issue.code === 'too_small' && issue.inclusive === true) return boundText('least', issue.minimum, issue.origin);
  if (issue.code === 'too_big' && issue.inclusive === true) return boundText('most', issue.maximum, issue.origin);
  return issue.message.replace(/^(Invalid (input|option): |Too (big|small): )/, '');
}

/** All zod issues, in the order of the file. */
export function problemsOf(schema: z.core.$ZodType, issues: readonly z.core.$ZodIssue[], lines: Lines): ConfigProblem[] {
  const at = (path: readonly PropertyKey[]) => {
    const line = lines.of(path);
    return line === undefined ? {} : { line };
  };
  return issues
    .flatMap((issue): ConfigProblem[] => {
      if (issue.code === 'unrecognized_keys')
        return issue.keys.map((key) => ({ ...unknownKey(schema, issue.path, key), ...at([...issue.path, key]) }));
      const missing = issue.code === 'invalid_type' && /received undefined$/.test(issue.message);
      return [
        {
          path: pathText(issue.path),
          ...at(issue.path),
          problem: missing ? 'it is missing' : issueText(issue),
          remedy: issue.code === 'custom' ? remedyOf(issue) : remedyFor(schema, issue.path, missing),
        },
      ];
    })
    .toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0));
}

/** The error for these problems: a single one on one line with its remedy below, several on one line each with its remedy. */
export function invalidConfig(problems: readonly ConfigProblem[], file?: string): FirebreakError {
  const [first] = problems;
  if (problems.length === 1 && first) {
    const { problem, remedy } = first;
    const where = file === undefined || problem.includes(file) ? '' : `${file}: `;
    return new FirebreakError('FB_ERR_CONFIG_INVALID', `${where}${placeOf(first)}${problem}`, { remedy });
  }
  const list = problems.map((problem) => `\n  ${describeProblem(problem)}`).join('');
  return new FirebreakError(
    'FB_ERR_CONFIG_INVALID',
    `${file === undefined ? '' : `${file}, `}${problems.length} problems:${list}`,
    {
      remedy: 'Correct these. `firebreak config check` also says which secrets and files are missing.',
    },
  );
}

function placeOf({ path, line }: ConfigProblem): string {
  const place = [line === undefined ? '' : `line ${line}`, path].filter((part) => part !== '').join(', ');
  return place === '' ? '' : `${place}: `;
}

/** One line for people: `line 3, roster.people[1].id: … → …`. */
export function describeProblem(found: ConfigProblem): string {
  return `${placeOf(found)}${found.problem}. ${found.remedy}`;
}
