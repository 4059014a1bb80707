import { isDeepStrictEqual } from 'node:util';
import { actions as allActions } from '../../core/actions/index.ts';
import { isObject } from '../../core/text/plain-json.ts';
import { type CheckedConfig, type Config, type ConfigSource, checkConfig } from './load.ts';
import { playbooksOf } from './packs.ts';
import { type ConfigProblem, invalidConfig, type LeftOut } from './problems.ts';
import { missingSecrets, type Role } from './secrets.ts';

const storeOfEvidence = /^evidence\.(folder|s3)(?=[.[]|$)/;

/** What is wrong with the store of evidence, if that is left out. */
export function noEvidenceStore({ leftOut = [] }: Pick<Config, 'leftOut'>): string | undefined {
  const found = leftOut.find(({ part }) => storeOfEvidence.test(part));
  return found && `${found.path}: ${found.problem}`;
}

/**
 * Parts without which the service still contains, and which decide nothing; of two that match, the first counts. Never here: roster, guardrails, trust,
 * sign-ins and signatures, which say who may do what, and the store of records. A store of evidence that is left out is replaced by none (`openEvidenceStore`).
 */
const optionalParts: readonly RegExp[] = [
  /^actions\.optIn\[\d+\]/,
  /^actions\.(nodeIsolation|gitops)/,
  /^playbooks\.enabled\[\d+\]/,
  /^playbooks\.params\.[^.[]+(\.[^.[]+)?/,
  /^intake\.tokens\[\d+\]/,
  /^packs\[\d+\]/,
  /^paging\.pagerduty\.groups\.[^.[]+/,
  /^(tickets|paging|telemetry)(\.[^.[]+)?/,
  /^(streams|reports)\[\d+\]/,
  /^(slack|console|rotation|backup)(?=[.[]|$)/,
  // How long evidence is kept, and for how long a step waits for it, are rules: a mistake there is none of the store.
  storeOfEvidence,
];

/** A mistake can show only once another part is left out, such as a playbook of a pack that is. */
const mostRounds = 10;

/**
 * Returns the configuration to run: without optional parts that cannot work, which it names in `leftOut`. A mistake about one ticket system, action or stream
 * must not keep a cell from containing. `firebreak config check` calls each of them an error.
 * @param roles the roles whose secrets are needed
 * @param running what runs already: if given, nothing that it has may be left out
 * @throws FB_ERR_CONFIG_INVALID if something is wrong without which the service does not run. Missing secrets of that kind are left to `resolveSecrets`.
 */
export function configToRun(source: ConfigSource, roles: readonly Role[], running?: Config): Config {
  const found: ConfigProblem[] = [];
  const leftOut: LeftOut[] = [];
  let value: unknown;
  for (let round = 0; round < mostRounds; round += 1) {
    const checked = checkConfig(source, (written) => {
      value ??= written ?? {};
      return value;
    });
    const problems = checked.ok ? missingSecrets({ config: checked.config, env: source.env, roles }) : checked.problems;
    const removals = removalsOf(problems, checked);
    const rest = removals?.reduce((left, { remove }) => remove(left), value);
    // The lines of what is left are not those of the file.
    const placed = problems.map(({ line, ...problem }) => ({ ...problem, ...(round === 0 && line !== undefined && { line }) }));
    found.push(...placed);
    const isStuck = rest === undefined || isDeepStrictEqual(rest, value) || containsNothing(rest);
    if (checked.ok && (problems.length === 0 || isStuck)) return named(checked.config, leftOut, { source, running });
    if (isStuck) break;
    leftOut.push(...placed.map((problem) => ({ ...problem, ...partOf(problem, value) })));
    value = rest;
  }
  throw invalidConfig(found, source.path);
}

/** The same for a command that only reads, decides or looks: a mistake that the service runs with keeps nobody from answering. @throws as `configToRun` */
export function configToUse(path: string): Config {
  return configToRun({ path, env: process.env }, []);
}

function named(
  config: Config,
  leftOut: readonly LeftOut[],
  { source, running }: { readonly source: ConfigSource; readonly running: Config | undefined },
): Config {
  const before = new Set(running?.leftOut?.map(({ part }) => part));
  const more = running ? leftOut.filter(({ part }) => !before.has(part)) : [];
  if (more.length > 0) throw invalidConfig(more, source.path);
  return leftOut.length > 0 ? { ...config, leftOut } : config;
}

interface Removal {
  readonly place: string;
  readonly remove: (value: unknown) => unknown;
}

/** What leaves out the parts that these problems are about; undefined if one of them is about something else. */
function removalsOf(problems: readonly ConfigProblem[], checked: CheckedConfig): readonly Removal[] | undefined {
  const byPlace = new Map<string, Removal>();
  for (const { path, playbook } of problems) {
    const place = playbook === undefined ? placeIn(path) : `playbook ${playbook}`;
    if (place === undefined) return undefined;
    const remove =
      playbook === undefined
        ? (value: unknown) => without(value, keysOf(place))
        : (value: unknown) => withoutPlaybook(value, playbook, idsOf(checked));
    byPlace.set(place, { place, remove });
  }
  // From the end of a list, so that the places of the others stay true.
  return [...byPlace.values()].toSorted((a, b) => b.place.localeCompare(a.place, 'en', { numeric: true }));
}

/** The optional part that a path is in; undefined if it is in none. */
function placeIn(path: string): string | undefined {
  return optionalParts.map((part) => part.exec(path)?.[0]).find((place) => place !== undefined);
}

/** Values of the file are not repeated, as they might be secrets in the wrong place: only names that are known. */
function partOf({ path, playbook }: ConfigProblem, value: unknown): Pick<LeftOut, 'part' | 'action'> {
  if (playbook !== undefined) return { part: `playbook ${playbook}` };
  const place = placeIn(path) ?? path;
  const written = keysOf(place).reduce<unknown>(
    (inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key],
    value,
  );
  const action = allActions.find(({ name }) => name === written)?.name;
  return action === undefined ? { part: place } : { part: `action ${action}`, action };
}

function idsOf(checked: CheckedConfig): readonly string[] {
  const config = checked.ok ? checked.config : checked.rest?.config;
  return playbooksOf(config).map(({ id }) => id);
}

function withoutPlaybook(value: unknown, playbook: string, all: readonly string[]): unknown {
  if (!isObject(value)) return value;
  const section = isObject(value.playbooks) ? value.playbooks : {};
  const enabled = Array.isArray(section.enabled) ? section.enabled : all;
  return { ...value, playbooks: { ...section, enabled: enabled.filter((id) => id !== playbook) } };
}

/** A service with no playbook would run and respond to nothing: nobody means that. */
function containsNothing(value: unknown): boolean {
  const enabled = isObject(value) && isObject(value.playbooks) && value.playbooks.enabled;
  return Array.isArray(enabled) && enabled.length === 0;
}

/** `streams[1].to` as `['streams', 1, 'to']`. */
function keysOf(place: string): readonly (string | number)[] {
  return [...place.matchAll(/\[(\d+)\]|[^.[\]]+/g)].map(([text, index]) => (index === undefined ? text : Number(index)));
}

function without(value: unknown, [key, ...deeper]: readonly (string | number)[]): unknown {
  if (key === undefined) return value;
  if (Array.isArray(value) && typeof key === 'number')
    return deeper.length === 0
      ? value.toSpliced(key, 1)
      : value.map((one, index) => (index === key ? without(one, deeper) : one));
  if (!isObject(value) || !Object.hasOwn(value, key)) return value;
  if (deeper.length > 0) return { ...value, [key]: without(value[key], deeper) };
  return Object.fromEntries(Object.entries(value).filter(([name]) => name !== key));
}
