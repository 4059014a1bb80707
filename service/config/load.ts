import { readFileSync } from 'node:fs';
import { type Document, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { systemErrorCode } from '../../core/system-error.ts';
import { accountFolder } from '../../integrations/kubernetes/kubeconfig.ts';
import { type Config, completeConfig } from './complete.ts';
import type { Environment } from './fields.ts';
import { playbooksOf } from './packs.ts';
import { type PlacedProblem, quorumProblems } from './playbook-problems.ts';
import { type ConfigProblem, invalidConfig, Lines, pathText, problemsOf } from './problems.ts';
import { configSchema, type FileConfig } from './schema.ts';

export type { Config } from './complete.ts';
export type { Environment, SecretRef } from './fields.ts';
export type { ConfigProblem } from './problems.ts';

/** Everything that was found, all at once. */
export type CheckedConfig = {
  /** Questions that the roster could never answer in the required way: no reason not to contain, but they should be fixed. */
  readonly deadEnds: readonly ConfigProblem[];
} & (
  | { readonly ok: true; readonly config: Config }
  | {
      readonly ok: false;
      readonly problems: readonly ConfigProblem[];
      /** The part that could be read anyway: for further checks, never to run. `without` has the sections that could not be read. */
      readonly rest?: { readonly config: Config; readonly without: ReadonlySet<string> };
    }
);

function readText(path: string): string | ConfigProblem {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const reason = systemErrorCode(error) ?? 'unknown reason';
    return {
      path: '',
      problem: `the file ${path} cannot be read (${reason})`,
      remedy: 'Name an existing file with --config FILE or FIREBREAK_CONFIG; `firebreak init` writes a first one.',
    };
  }
}

/** The document as plain values; undefined if its aliases would make it grow without bound. */
function plainValue(document: Document): { readonly value: unknown } | undefined {
  try {
    return { value: document.toJS({ maxAliasCount: 20 }) };
  } catch {
    return undefined;
  }
}

export interface ConfigSource {
  readonly path: string;
  readonly env: Environment;
  /** Folder of the pod's service account, which says which namespace we run in. Absent: where Kubernetes mounts it. */
  readonly account?: string;
  /** Folder with the pack versions that run. Absent: the one in the state directory. */
  readonly promoted?: string;
  /**
   * Absolute folders of packs under development: used as they are, without a pin. No configuration file can request this. Absent: for callers that only read
   * and run nothing; they use the versions that a service with this state directory has accepted.
   */
  readonly watched?: readonly string[];
}

/**
 * Reads and checks a configuration file, and returns all problems at once. Secrets are not checked: see `resolveSecrets`.
 * @param changed what is checked in place of the content of the file
 */
export function checkConfig(
  { path, env, account = accountFolder, promoted, watched }: ConfigSource,
  changed: (value: unknown) => unknown = (value) => value,
): CheckedConfig {
  const text = readText(path);
  if (typeof text !== 'string') return { ok: false, deadEnds: [], problems: [text] };
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, uniqueKeys: true });
  if (document.errors.length > 0)
    return {
      ok: false,
      deadEnds: [],
      problems: document.errors.map((error) => ({
        path: '',
        line: counter.linePos(error.pos[0]).line,
        problem: `not valid YAML: ${error.code.toLowerCase().replaceAll('_', ' ')}`,
        remedy: 'Correct the line: check the indentation, quotes and duplicate keys.',
      })),
    };
  const lines = new Lines(document, counter);
  const plain = plainValue(document);
  if (plain === undefined)
    return {
      ok: false,
      deadEnds: [],
      problems: [{ path: '', problem: 'too many aliases', remedy: 'Write the values out instead of *alias.' }],
    };
  const placed = (found: readonly PlacedProblem[]): readonly ConfigProblem[] =>
    found.map(({ at, ...more }) => {
      const line = lines.of(at);
      return { path: pathText(at), ...(line !== undefined && { line }), ...more };
    });
  const value = changed(plain.value);
  const parsed = configSchema.safeParse(value ?? {});
  if (!parsed.success) {
    const problems = problemsOf(configSchema, parsed.error.issues, lines);
    const { file, without } = parsedParts(value, parsed.error.issues);
    if (!file) return { ok: false, problems, deadEnds: [] };
    const more: PlacedProblem[] = [];
    const rest = completeConfig({ file, text, path, env, account, promoted, watched, problems: more });
    // Problems in a missing section, or in one that depends on it, might not be real.
    const unsure = new Set([...without].flatMap((section) => [section, ...(goesBy[section] ?? [])]));
    const known = more.filter(({ at }) => !unsure.has(String(at[0])));
    return {
      ok: false,
      problems: [...problems, ...placed(known)],
      deadEnds: unsure.has('roster') ? [] : placed(quorumProblems(rest, playbooksOf(rest))),
      rest: { config: rest, without },
    };
  }
  const problems: PlacedProblem[] = [];
  const config = completeConfig({ file: parsed.data, text, path, env, account, promoted, watched, problems });
  const deadEnds = placed(quorumProblems(config, playbooksOf(config)));
  if (problems.length === 0) return { ok: true, config, deadEnds };
  return { ok: false, problems: placed(problems), deadEnds, rest: { config, without: new Set() } };
}

/** Section → the sections that depend on it: without it, problems in those are uncertain. */
const goesBy: Readonly<Record<string, readonly string[]>> = {
  roster: ['incidents', 'evidence', 'paging', 'slack', 'stepUp', 'playbooks'],
  incidents: ['roster'],
  stepUp: ['console'],
  playbooks: ['roster', 'actions'],
  packs: ['playbooks', 'roster', 'actions', 'guardrails'],
  actions: ['playbooks'],
  forensics: ['actions', 'playbooks'],
};

/** Placeholder for a required section that cannot be read. */
const stand: Readonly<Record<string, unknown>> = {
  cluster: 'unknown',
  intake: { tokens: [{ name: 'unknown', token: { env: 'UNKNOWN' } }] },
  roster: { people: [{ id: 'unknown', name: 'unknown' }], groups: { unknown: ['unknown'] } },
};

/** The file without the sections that have errors, so that one mistake does not hide others. */
function parsedParts(
  value: unknown,
  issues: readonly z.core.$ZodIssue[],
): { readonly file?: FileConfig; readonly without: ReadonlySet<string> } {
  const sections = issues.flatMap((issue) =>
    issue.path.length === 0 && issue.code === 'unrecognized_keys' ? issue.keys : [String(issue.path[0] ?? '')],
  );
  const without = new Set(sections);
  if (without.has('') || typeof value !== 'object' || value === null) return { without };
  const kept = Object.entries(value).filter(([name]) => !without.has(name));
  const stood = Object.entries(stand).filter(([name]) => without.has(name) || !(name in value));
  const parsed = configSchema.safeParse(Object.fromEntries([...stood, ...kept]));
  return parsed.success ? { file: parsed.data, without } : { without };
}

/**
 * Returns the effective configuration of a file. `env` only fills in what the file leaves open (`FIREBREAK_STATE_DIR`, `TEMPORAL_ADDRESS`,
 * `TEMPORAL_NAMESPACE`).
 * @throws FB_ERR_CONFIG_INVALID with every problem: path, line, what is wrong, what to do.
 */
export function loadConfig(source: ConfigSource): Config {
  const { path } = source;
  const checked = checkConfig(source);
  if (checked.ok) return checked.config;
  throw invalidConfig(checked.problems, path);
}
