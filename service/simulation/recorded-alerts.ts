import { createReadStream, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Alert, AlertNovelty } from '../../core/alert/alert.ts';
import { severities } from '../../core/alert/severity.ts';
import { provenOf } from '../../core/audit/audit-check.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { Verdict } from '../../core/incident/incident.ts';
import type { Trust } from '../../core/messages/sender.ts';
import { systemErrorCode } from '../../core/system-error.ts';
import { isObject } from '../../core/text/plain-json.ts';
import type { RecordedAlert } from '../../testing/backtest.ts';
import { asFound, readAlerts, readNormalised } from './read-alerts.ts';

/** A file of lines is read line by line; what is smaller may be of any form, and is read whole. */
const wholeBytes = 8 * 1_024 ** 2;

/**
 * The alerts of files, folders and standard input, one after another.
 *
 * @throws FB_ERR_FILE_MISSING, FB_ERR_ALERT_INVALID
 */
export async function* alertsOfFiles(paths: readonly string[], cluster: string): AsyncGenerator<RecordedAlert> {
  for (const path of paths) {
    if (!isLong(path)) {
      for (const read of readAlerts([path], cluster)) {
        if (!read.ok) throw new FirebreakError('FB_ERR_ALERT_INVALID', `${read.from}: ${read.reason}`);
        yield { alert: read.alert };
      }
      continue;
    }
    const lines = createInterface({ input: path === '-' ? process.stdin : createReadStream(path) });
    let number = 0;
    for await (const line of lines) {
      number += 1;
      if (line.trim() === '') continue;
      const alert = readNormalised(line);
      if (!alert)
        throw new FirebreakError(
          'FB_ERR_ALERT_INVALID',
          `${path === '-' ? 'standard input' : path}, line ${number}: no normalised alert: what a sensor sends goes through \`firebreak alerts parse\` first`,
        );
      yield { alert: asFound(alert) };
    }
  }
}

function isLong(path: string): boolean {
  if (path === '-') return true;
  try {
    const found = statSync(path);
    return found.isFile() && found.size > wholeBytes;
  } catch (error) {
    throw new FirebreakError('FB_ERR_FILE_MISSING', `${path}: ${systemErrorCode(error) ?? 'cannot be read'}`);
  }
}

const kinds: ReadonlySet<string> = new Set(['incident.opened', 'alert.joined', 'incident.verdict']);

/**
 * The alerts that the records of incidents tell of, with what the incident was found to be: only what is proven. Records have an alert as it was, but
 * for its command line, its labels and what else may be a secret; and repetitions only counted.
 */
export async function* alertsOfRecords(asked: {
  readonly store: AuditStore;
  readonly cluster: string;
  /** ISO 8601, UTC. */
  readonly since: string;
  readonly trust: Trust;
}): AsyncGenerator<RecordedAlert> {
  const { store, cluster, since, trust } = asked;
  for (const chain of await store.chains()) {
    if (!chain.startsWith(`incident/${cluster}/`)) continue;
    const { records: rows } = await store.storedChain(chain);
    const { records } = provenOf(
      rows.filter(({ signed }) => !signed || kinds.has(signed.record.kind)),
      trust,
    );
    let verdict: Verdict = 'unknown';
    for (const { kind, body } of records) if (kind === 'incident.verdict') verdict = verdictIn(body) ?? verdict;
    for (const { at, body } of records)
      if (at >= since)
        for (const alert of listIn(body.alerts)) {
          const read = alertIn(alert, cluster, at);
          if (read) yield { alert: read, verdict };
        }
  }
}

const verdicts: readonly Verdict[] = ['true_positive', 'benign', 'suspicious', 'unknown'];

/** `benign` counts with the question whose answer said so, and not on a playbook's own word. */
function verdictIn({ incident, verdict, question }: Readonly<Record<string, unknown>>): Verdict | undefined {
  if (verdict === 'benign' && typeof question !== 'string') return undefined;
  return verdicts.find((one) => one === incident);
}

function listIn(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** As `joinBatch` puts it on record. */
function alertIn(entry: Readonly<Record<string, unknown>>, cluster: string, receivedAt: string): Alert | undefined {
  const { id, rule, sensor, time, title, pod, node, workload, image, digest, doubt, novelty, tags, mitre } = entry;
  const severity = severities.find((one) => one === entry.severity);
  if (typeof id !== 'string' || typeof rule !== 'string' || typeof sensor !== 'string' || !severity) return undefined;
  const texts = (value: unknown): readonly string[] =>
    Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
  return {
    id,
    rule,
    sensor,
    severity,
    time: String(time ?? receivedAt),
    receivedAt,
    title: String(title ?? rule),
    cluster,
    ...(isObject(pod) && { pod: pod as unknown as NonNullable<Alert['pod']> }),
    ...(typeof node === 'string' && { node }),
    ...(isObject(workload) && { workload: workload as unknown as NonNullable<Alert['workload']> }),
    ...(typeof image === 'string' && { container: { image, ...(typeof digest === 'string' && { digest }) } }),
    ...(typeof doubt === 'string' && { doubt }),
    ...(isObject(novelty) && { facts: { novelty: novelty as unknown as AlertNovelty } }),
    observables: [],
    tags: texts(tags),
    mitre: texts(mitre),
  };
}
