import { readFileSync } from 'node:fs';
import { type Document, LineCounter, parseDocument } from 'yaml';
import { FirebreakError } from '../../core/errors.ts';
import { systemErrorCode } from '../../core/system-error.ts';
import { accountFolder } from '../../integrations/kubernetes/kubeconfig.ts';
import { type Config, completeConfig, type Environment } from './complete.ts';
import { type ConfigProblem, describeProblem, Lines, pathText, problemsOf } from './problems.ts';
import { configSchema } from './schema.ts';

export type { Config, Environment } from './complete.ts';
export type { SecretRef } from './fields.ts';
export type { ConfigProblem } from './problems.ts';

export type CheckedConfig =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

function readText(path: string): string | ConfigProblem {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const reason = systemErrorCode(error) ?? 'unknown reason';
    return {
      path: '',
      problem: `the file ${path} cannot be read (${reason})`,
      remedy: 'Name an existing file with --config FILE or FIREBREAK_CONFIG.',
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
}

/** Reads and checks a configuration file, and gives all problems at once. Secrets are not looked at: see `resolveSecrets`. */
export function checkConfig({ path, env, account = accountFolder }: ConfigSource): CheckedConfig {
  const text = readText(path);
  if (typeof text !== 'string') return { ok: false, problems: [text] };
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, uniqueKeys: true });
  if (document.errors.length > 0)
    return {
      ok: false,
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
      problems: [{ path: '', problem: 'too many aliases', remedy: 'Write the values out instead of *alias.' }],
    };
  const parsed = configSchema.safeParse(plain.value ?? {});
  if (!parsed.success) return { ok: false, problems: problemsOf(configSchema, parsed.error.issues, lines) };

  const problems: Parameters<typeof completeConfig>[0]['problems'] = [];
  const config = completeConfig({ file: parsed.data, path, env, account, problems });
  if (problems.length === 0) return { ok: true, config };
  return {
    ok: false,
    problems: problems.map(({ at, problem, remedy }) => {
      const line = lines.of(at);
      return { path: pathText(at), ...(line !== undefined && { line }), problem, remedy };
    }),
  };
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
  const list = checked.problems.map((problem) => `\n  ${describeProblem(problem)}`).join('');
  throw new FirebreakError('FB_ERR_CONFIG_INVALID', `${path}:${list}`);
}
