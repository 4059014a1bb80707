import { createReadStream, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { LRUCache } from 'lru-cache';
import type { Alert, AlertNovelty } from '../../core/alert/alert.ts';
import { severities } from '../../core/alert/severity.ts';
import { type AlertArchive, type ArchivedRecord, alertsIn, sealedAt, vouchedFor } from '../../core/audit/alert-archive.ts';
import { type AuditRecord, originProblem } from '../../core/audit/audit.ts';
import { provenOf } from '../../core/audit/audit-check.ts';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { Verdict } from '../../core/incident/incident.ts';
import type { Trust } from '../../core/messages/sender.ts';
import { fileProblem } from '../../core/system-error.ts';
import { isObject } from '../../core/text/plain-json.ts';
import { type Box, createBox } from '../../integrations/crypto-box/box.ts';
import { createAlertArchive } from '../../integrations/database/alert-archive.ts';
import { createAuditStore } from '../../integrations/database/audit-store.ts';
import { openDatabase } from '../../integrations/database/database.ts';
import type { RecordedAlert } from '../../testing/backtest/backtest.ts';
import type { Environment } from '../config/fields.ts';
import type { Config } from '../config/load.ts';
import { resolveSecrets } from '../config/secrets.ts';
import { openAuditTrust } from '../records/audit-trust.ts';
import type { RetiredKey } from '../records/retired-key.ts';
import { asFound, readAlerts, readNormalised } from './read-alerts.ts';

/** Larger files are read line by line; smaller ones may have any form, and are read as a whole. */
const wholeBytes = 8 * 1_024 ** 2;

/**
 * Yields the alerts of files, folders and standard input, one after another.
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
    const from = path === '-' ? 'standard input' : path;
    const lines = createInterface({ input: path === '-' ? process.stdin : createReadStream(path) });
    let number = 0;
    let isEmpty = true;
    for await (const line of lines) {
      number += 1;
      if (line.trim() === '') continue;
      const alert = readNormalised(line);
      if (!alert)
        throw new FirebreakError(
          'FB_ERR_ALERT_INVALID',
          `${from}, line ${number}: not a normalised alert: run what a sensor sends through \`firebreak alerts parse\` first`,
        );
      isEmpty = false;
      yield { alert: asFound(alert) };
    }
    if (isEmpty) throw new FirebreakError('FB_ERR_ALERT_INVALID', `${from}: holds no alert`);
  }
}

function isLong(path: string): boolean {
  if (path === '-') return true;
  try {
    const found = statSync(path);
    return found.isFile() && found.size > wholeBytes;
  } catch (error) {
    throw new FirebreakError('FB_ERR_FILE_MISSING', `${path}: ${fileProblem(error)}`);
  }
}

/** An alert from an incident's records, with its place. */
export interface AlertOnRecord extends RecordedAlert {
  /** `INCIDENT@RUN`. */
  readonly chain: string;
  /** When it was recorded: ISO 8601, UTC. */
  readonly at: string;
  /** Whether it is complete, including command line and labels. */
  readonly isWhole: boolean;
}

const rowsAtOnce = 500;
/** Maximum number of cached verdicts of chains, and of cached records; others are looked up again. */
const mostRemembered = 20_000;

/**
 * The alerts in the records of incidents, by time, with the incident's verdict: only what is proven. While stored alerts are kept, alerts are complete; after
 * that they lack command line, labels and whatever else may be secret. Repetitions are recorded only as counts. Uses constant memory.
 */
export class AlertsOnRecord {
  readonly #archive: Pick<AlertArchive, 'read' | 'verdicts'>;
  readonly #open: Box['open'];
  readonly #trust: Trust;
  readonly #cluster: string;
  readonly #verdicts = new LRUCache<string, Verdict>({ max: mostRemembered });
  readonly #seen = new LRUCache<string, true>({ max: mostRemembered });
  #leftOut = 0;
  #bare = 0;

  constructor(options: {
    readonly archive: Pick<AlertArchive, 'read' | 'verdicts'>;
    readonly open: Box['open'];
    readonly cluster: string;
    readonly trust: Trust;
  }) {
    this.#archive = options.archive;
    this.#open = options.open;
    this.#trust = options.trust;
    this.#cluster = options.cluster;
  }

  /** Number of ignored rows: they were not signed by their chain's own cell. */
  get leftOut(): number {
    return this.#leftOut;
  }

  /** Number of alerts returned only as far as the records describe them. */
  get bare(): number {
    return this.#bare;
  }

  /** @param asked.since ISO 8601, UTC */
  async *read(asked: { readonly since: string; readonly chain?: string }): AsyncGenerator<AlertOnRecord> {
    for (let after: ArchivedRecord | undefined; ; ) {
      const page = await this.#archive.read({ ...asked, ...(after && { after }), most: rowsAtOnce });
      const proven = page
        .filter(({ stored: { chain } }) => chain.startsWith(`incident/${this.#cluster}/`))
        .flatMap((one) => this.#proven(one));
      await this.#lookUpVerdicts([...new Set(proven.map(({ record }) => record.chain))]);
      for (const { record, sealed } of proven)
        for (const alert of this.#alertsOf(record, sealed))
          yield { ...alert, chain: record.chain, at: record.at, verdict: this.#verdicts.get(record.chain) ?? 'unknown' };
      after = page.at(-1);
      if (!after || page.length < rowsAtOnce) return;
    }
  }

  #proven({
    stored: { signed },
    sealed,
  }: ArchivedRecord): readonly { readonly record: AuditRecord; readonly sealed?: Uint8Array }[] {
    const key = signed && `${signed.record.chain}\n${signed.record.number}\n${signed.signature}`;
    if (!signed || key === undefined || this.#seen.has(key) || originProblem(signed, this.#trust) !== undefined) {
      this.#leftOut += 1;
      return [];
    }
    this.#seen.set(key, true);
    return [{ record: signed.record, ...(sealed && { sealed }) }];
  }

  #alertsOf(
    record: AuditRecord,
    sealed: Uint8Array | undefined,
  ): readonly { readonly alert: Alert; readonly isWhole: boolean }[] {
    const whole = new Map((sealed ? this.#opened(record, sealed) : []).map((alert) => [alert.id, alert]));
    return listIn(record.body.alerts).flatMap((entry): readonly { readonly alert: Alert; readonly isWhole: boolean }[] => {
      const alert = whole.get(String(entry.id));
      if (alert) return [{ alert, isWhole: true }];
      const told = alertIn(entry, this.#cluster, record.at);
      if (!told) return [];
      this.#bare += 1;
      return [{ alert: told, isWhole: false }];
    });
  }

  /** Content that somebody planted, or that was sealed with a lost key, is treated as missing. */
  #opened(record: AuditRecord, sealed: Uint8Array): readonly Alert[] {
    try {
      const text = vouchedFor(Buffer.from(this.#open(sealed, sealedAt(record))).toString(), record);
      return text === undefined ? [] : alertsIn(text);
    } catch {
      return [];
    }
  }

  async #lookUpVerdicts(chains: readonly string[]): Promise<void> {
    const unknown = chains.filter((chain) => !this.#verdicts.has(chain));
    if (unknown.length === 0) return;
    const { records } = provenOf(await this.#archive.verdicts(unknown), this.#trust);
    for (const chain of unknown) this.#verdicts.set(chain, 'unknown');
    for (const { chain, body } of records) this.#verdicts.set(chain, verdictIn(body) ?? this.#verdicts.get(chain) ?? 'unknown');
  }
}

/** Opens the configured store. @throws FB_ERR_CONFIG_INVALID, FB_ERR_FILE_MISSING, FB_ERR_UNAVAILABLE */
export async function withAlertsOnRecord<Result>(
  {
    config,
    url,
    retired,
    env,
  }: { readonly config: Config; readonly url: string; readonly retired: readonly RetiredKey[]; readonly env: Environment },
  work: (alerts: AlertsOnRecord, records: { readonly store: AuditStore; readonly trust: Trust }) => Promise<Result>,
): Promise<Result> {
  const { trust } = await openAuditTrust(config, retired);
  const database = await openDatabase({ url });
  try {
    const archive = createAlertArchive(database);
    const alerts = new AlertsOnRecord({ archive, open: openerOf(config, env), cluster: config.cluster, trust });
    return await work(alerts, { store: createAuditStore(database), trust });
  } finally {
    await database.close();
  }
}

/** Without the key, only what the records describe is available. */
function openerOf(config: Config, env: Environment): Box['open'] {
  try {
    return createBox({ keys: resolveSecrets({ config, env, roles: [] }).codecKeys }).open;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

const verdicts: readonly Verdict[] = ['true_positive', 'benign', 'suspicious', 'unknown'];

/** `benign` counts only with the question whose answer said so, not if a playbook decided it by itself. */
function verdictIn({ incident, verdict, question }: Readonly<Record<string, unknown>>): Verdict | undefined {
  if (verdict === 'benign' && typeof question !== 'string') return undefined;
  return verdicts.find((one) => one === incident);
}

function listIn(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** In the format that `joinBatch` records. */
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
    ...((typeof image === 'string' || typeof digest === 'string') && {
      container: { ...(typeof image === 'string' && { image }), ...(typeof digest === 'string' && { digest }) },
    }),
    ...(typeof doubt === 'string' && { doubt }),
    ...(isObject(novelty) && { facts: { novelty: novelty as unknown as AlertNovelty } }),
    observables: [],
    tags: texts(tags),
    mitre: texts(mitre),
  };
}
