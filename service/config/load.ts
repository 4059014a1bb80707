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

/** What was found, all of it at once. */
export type CheckedConfig = {
  /** Questions that the roster could never answer as they need it: no reason not to contain, and nothing to leave so. */
  readonly deadEnds: readonly ConfigProblem[];
} & (
  | { readonly ok: true; readonly config: Config }
  | {
      readonly ok: false;
      readonly problems: readonly ConfigProblem[];
      /** What could be read all the same: to look on, never to run. `without` are the sections that could not. */
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

/** The document as plain values; undefined where its aliases would make it grow without bound. */
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
  /** Folder of the pod's account, which says in which namespace we run. Absent: where Kubernetes mounts it. */
  readonly account?: string;
  /** Folder with the versions of packs that run. Absent: the one in the state directory. */
  readonly promoted?: string;
  /**
   * Folders of packs that are being written, absolute: taken as they are, without a pin. Nothing that is written in a file may ask for it. Absent: for who
   * only looks, and runs nothing; then what a service with this state directory has taken of them stands in.
   */
  readonly watched?: readonly string[];
}

/** Reads and checks a configuration file, and gives all problems at once. Secrets are not looked at: see `resolveSecrets`. */
export function checkConfig({ path, env, account = accountFolder, promoted, watched }: ConfigSource): CheckedConfig {
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
        remedy: 'Correct the line: indentation, quotes or a key that is there twice.',
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
    found.map(({ at, problem, remedy }) => {
      const line = lines.of(at);
      return { path: pathText(at), ...(line !== undefined && { line }), problem, remedy };
    });
  const parsed = configSchema.safeParse(plain.value ?? {});
  if (!parsed.success) {
    const problems = problemsOf(configSchema, parsed.error.issues, lines);
    const { file, without } = parsedParts(plain.value, parsed.error.issues);
    if (!file) return { ok: false, problems, deadEnds: [] };
    const more: PlacedProblem[] = [];
    const rest = completeConfig({ file, text, path, env, account, promoted, watched, problems: more });
    // What is said of a part that is not there, or of what goes by it, would not be so.
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

/** Where something is said that goes by another section: without this nothing of it can be said for sure. */
const goesBy: Readonly<Record<string, readonly string[]>> = {
  roster: ['incidents', 'evidence', 'paging', 'slack', 'stepUp', 'playbooks'],
  incidents: ['roster'],
  stepUp: ['console'],
  playbooks: ['roster', 'actions'],
  packs: ['playbooks', 'roster', 'actions', 'guardrails'],
  actions: ['playbooks'],
  forensics: ['actions', 'playbooks'],
};

/** Stands in for a section that has to be there and cannot be read. */
const stand: Readonly<Record<string, unknown>> = {
  cluster: 'unknown',
  intake: { tokens: [{ name: 'unknown', token: { env: 'UNKNOWN' } }] },
  roster: { people: [{ id: 'unknown', name: 'unknown' }], groups: { unknown: ['unknown'] } },
};

/** The file without the sections in which something is wrong, so that one mistake hides no other. */
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
 * The effective configuration of a file. `env` only fills in what the file leaves open (`FIREBREAK_STATE_DIR`, `TEMPORAL_ADDRESS`,
 * `TEMPORAL_NAMESPACE`).
 * @throws FB_ERR_CONFIG_INVALID with every problem: path, line, what is wrong, what to do.
 */
export function loadConfig(source: ConfigSource): Config {
  const { path } = source;
  const checked = checkConfig(source);
  if (checked.ok) return checked.config;
  throw invalidConfig(checked.problems, path);
}
