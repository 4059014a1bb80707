import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Alert } from '../../core/alert/alert.ts';
import { severities } from '../../core/alert/severity.ts';
import { guessWorkload } from '../../core/alert/subject.ts';
import { FirebreakError } from '../../core/errors.ts';
import { fileProblem } from '../../core/system-error.ts';
import { isObject } from '../../core/text/plain-json.ts';
import { parseAlerts } from '../intake/read/parse.ts';

const alertFile = /\.(?:json|jsonl|ndjson|log)$/i;

/** The output of `firebreak alerts parse` and input of `firebreak backtest`: an already normalised alert. */
const normalised = z.looseObject({
  id: z.string(),
  sensor: z.string(),
  rule: z.string(),
  severity: z.enum(severities),
  time: z.string(),
  title: z.string(),
  cluster: z.string(),
  observables: z.array(z.unknown()),
  tags: z.array(z.string()),
  mitre: z.array(z.string()),
});

/** An alert of a file, or why there is none at this place. */
type ReadAlert = { readonly from: string } & (
  | { readonly ok: true; readonly alert: Alert }
  | { readonly ok: false; readonly reason: string }
);

/**
 * Reads the alerts in files, in the files of folders, or in standard input (`-`): as a sensor sends them, or normalised. `find` adds what only a cluster knows;
 * without it, that is made up: the pod's uid, so that steps that need one can be tried, and the workload from the pod's name.
 *
 * @throws FB_ERR_FILE_MISSING
 */
export function readAlerts(
  paths: readonly string[],
  cluster: string,
  find: (alert: Alert) => Alert = asFound,
): readonly ReadAlert[] {
  return paths.flatMap((path): readonly ReadAlert[] => {
    const files = filesOf(path);
    if (files.length === 0) return [{ from: path, ok: false, reason: 'contains no .json, .jsonl, .ndjson or .log file' }];
    return files.flatMap((file) => alertsIn(file, cluster, find));
  });
}

function filesOf(path: string): readonly string[] {
  if (path === '-') return [path];
  try {
    if (!statSync(path).isDirectory()) return [path];
  } catch (error) {
    throw new FirebreakError('FB_ERR_FILE_MISSING', `${path}: ${fileProblem(error)}`);
  }
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((file) => alertFile.test(file))
    .map((file) => join(path, file))
    .sort();
}

function alertsIn(file: string, cluster: string, find: (alert: Alert) => Alert): readonly ReadAlert[] {
  const from = file === '-' ? 'standard input' : file;
  const bytes = readFileSync(file === '-' ? 0 : file);
  const known = normalisedIn(bytes.toString('utf8'));
  if (known) return known.map((alert) => ({ from, ok: true, alert: find(alert) }));
  const parsed = parseAlerts(bytes, { cluster });
  if (!parsed.ok) return [{ from, ok: false, reason: parsed.reason }];
  const lineOf = linesIn(bytes);
  return parsed.items.flatMap((item): readonly ReadAlert[] => {
    if (item.kind === 'alert') return [{ from, ok: true, alert: find(item.alert) }];
    return item.kind === 'rejected' ? [{ from: `${from}, line ${lineOf(item.raw)}`, ok: false, reason: item.reason }] : [];
  });
}

const newline = 0x0a;

/** Returns the line, from 1, at which a part of the bytes starts; parts must be passed in order. */
function linesIn(bytes: Uint8Array): (part: Uint8Array) => number {
  let [line, at] = [1, 0];
  return (part) => {
    for (const end = part.byteOffset - bytes.byteOffset; at < end; at += 1) if (bytes[at] === newline) line += 1;
    return line;
  };
}

/** For a file in which every line is a normalised alert. */
function normalisedIn(text: string): readonly Alert[] | undefined {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const alerts = lines.flatMap((line) => readNormalised(line) ?? []);
  return alerts.length > 0 && alerts.length === lines.length ? alerts : undefined;
}

/** Parses one line with a normalised alert; undefined for anything else. */
export function readNormalised(line: string): Alert | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isObject(value)) return undefined;
  const { raw: _, ...alert } = value;
  // Other fields are only displayed, and compared as text.
  return normalised.safeParse(alert).success ? (alert as unknown as Alert) : undefined;
}

/** Shown instead of a uid that no cluster has assigned. */
const assumedUid = 'assumed-by-the-simulation';

/** Returns the alert as a cell would resolve it in its cluster. */
export function asFound(alert: Alert): Alert {
  const { pod, workload } = alert;
  if (!pod) return alert;
  return {
    ...alert,
    pod: { ...pod, uid: pod.uid ?? `${assumedUid}/${pod.namespace}/${pod.name}` },
    workload: workload ?? withoutGuess(guessWorkload(pod)),
  };
}

function withoutGuess({ kind, namespace, name }: NonNullable<Alert['workload']>): NonNullable<Alert['workload']> {
  return { kind, namespace, name };
}
