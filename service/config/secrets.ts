import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Pool, pools } from '../../core/action/action.ts';
import { type OpenedSection, openedSection } from '../../core/config/fields.schema.ts';
import { FirebreakError } from '../../core/errors.ts';
import type { ReportConfig } from './complete/complete-reports.ts';
import { readStreamAccess, type StreamAccess, type StreamConfig } from './complete/complete-streams.ts';
import { type OtlpAccess, type OtlpSignal, readOtlpAccess } from './complete/complete-telemetry.ts';
import type { Config } from './complete.ts';
import type { Environment, SecretRef } from './fields.ts';
import { type ConfigProblem, invalidConfig } from './problems.ts';
import { type RotationSecrets, rotationSecrets } from './rotation-secrets.ts';
import { readTemporalAccess, type TemporalAccess } from './temporal-access.ts';

/** The role of a process. Only the secrets of its roles are read. `cli` stands for a person at the command line. */
export type Role = Pool;
export const roles: readonly Role[] = [...pools].sort();

interface BucketAccess {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** The secret values. Keep them out of logs, errors, histories and `config check`. */
export interface Secrets {
  readonly codecKeys: readonly { readonly id: string; readonly key: Uint8Array }[];
  /** The credentials for Temporal; files are read again at each call. */
  readonly temporalAccess: () => TemporalAccess;
  /** For the cell; otherwise empty. */
  readonly intakeTokens: readonly { readonly name: string; readonly token: string }[];
  /** For the cell; otherwise empty. */
  readonly intakeSignatures: readonly { readonly name: string; readonly secret: string }[];
  /** If evidence is stored in S3 and the role keeps evidence. */
  readonly s3?: BucketAccess;
  /** If pack releases are stored in S3. */
  readonly releases?: BucketAccess;
  /** If the keys of the evidence are in Vault and the role keeps or checks evidence. Called before each request: files are read again. */
  readonly evidenceVault?: () => string;
  /** For the desk. */
  readonly slack?: { readonly botToken: string; readonly signingSecrets: readonly string[]; readonly appToken?: string };
  /** For the cell: signs requests to the provider about nodes. */
  readonly nodeIsolation?: string;
  /** For the desk: our own client secret at the identity provider. */
  readonly stepUpClient?: string;
  /** For the desk. */
  readonly tickets?: OpenedSection<Config['tickets']>;
  /** For the desk. */
  readonly paging?: OpenedSection<Config['paging']>;
  /** For the secrets pool. */
  readonly rotation?: RotationSecrets;
  /** For the pool of the packs' actions, by pack and by name. Called before each request: files are read again. */
  readonly packs?: ReadonlyMap<string, () => Readonly<Record<string, string>>>;
  /** The credentials for the collector, for each signal; files are read again at each call. */
  readonly telemetry?: ReadonlyMap<OtlpSignal, () => OtlpAccess>;
  /** For the desk: the credentials for the receivers of streams, by name; files are read again at each call. */
  readonly streams?: ReadonlyMap<string, () => StreamAccess>;
  /** For the desk, if the transparency log is copied to S3. */
  readonly logBucket?: BucketAccess;
  /** For the desk: `sqlite:PATH` or `postgres://…`. */
  readonly auditUrl?: string;
}

function unreadable(file: string): Omit<ConfigProblem, 'path'> {
  return { problem: `the file ${file} cannot be read or is empty`, remedy: 'Put the secret there, readable by this user only.' };
}

function notMadeYet(file: string, stateDir: string): Omit<ConfigProblem, 'path'> {
  return {
    problem: `no service has run with the state directory ${stateDir} yet: its first start creates ${file}`,
    remedy:
      'Start `firebreak run` with this configuration, and try again. If it runs elsewhere, run this command there, or copy the key from there.',
  };
}

/** Returns whether the first start creates this key. */
function isMadeAtStart(file: string, stateDir: string): boolean {
  return file.startsWith(`${stateDir}/`) && !existsSync(file);
}

/** Returns whether nothing has been started yet: a key that is lost later is not created again, since nobody could read what the old one sealed. */
function isBeforeStart(file: string, stateDir: string): boolean {
  return isMadeAtStart(file, stateDir) && !existsSync(join(stateDir, 'keys'));
}

class Reader {
  readonly problems: ConfigProblem[] = [];
  readonly #env: Environment;

  constructor(env: Environment) {
    this.#env = env;
  }

  /** @param stateDir the state directory in whose `keys` folder the first start creates it */
  text(path: string, ref: SecretRef, stateDir?: string): string {
    const value = 'env' in ref ? this.#env[ref.env] : this.#file(ref.file);
    if (value !== undefined && value !== '') return value;
    this.problems.push(
      'env' in ref
        ? { path, problem: `the environment variable ${ref.env} is not set`, remedy: 'Set it for this process.' }
        : {
            path,
            ...(stateDir !== undefined && isBeforeStart(ref.file, stateDir)
              ? notMadeYet(ref.file, stateDir)
              : unreadable(ref.file)),
          },
    );
    return '';
  }

  /** The current value; for a file, its content at the time of the call. */
  current(path: string, ref: SecretRef): () => string {
    const first = this.text(path, ref);
    return () => ('env' in ref ? first : this.#file(ref.file) || first);
  }

  key(path: string, ref: SecretRef, stateDir?: string): Uint8Array {
    const text = this.text(path, ref, stateDir);
    const bytes = Buffer.from(text, 'base64');
    if (text !== '' && bytes.length !== 32)
      this.problems.push({ path, problem: 'the key is not 32 bytes in base64', remedy: 'Make one: openssl rand -base64 32.' });
    return new Uint8Array(bytes);
  }

  #file(path: string): string | undefined {
    try {
      return readFileSync(path, 'utf8').trimEnd();
    } catch {
      return undefined;
    }
  }
}

interface SecretsQuery {
  readonly config: Config;
  readonly env: Environment;
  /** Empty for the command line, which only gets the payload keys. */
  readonly roles: readonly Role[];
}

function readSecrets(read: Reader, { config, roles: wanted }: SecretsQuery): Secrets {
  const cell = wanted.includes('cell');
  const desk = wanted.includes('desk');
  const keepsEvidence = wanted.some((role) => role !== 'desk');
  const { store } = config.evidence;
  const { url } = config.audit;
  return {
    codecKeys: config.temporal.codecKeys.map(({ id, key }, index) => ({
      id,
      key: read.key(`temporal.codecKeys[${index}].key`, key, config.stateDir),
    })),
    temporalAccess: readTemporalAccess(config.temporal, (path, ref) => read.current(path, ref)),
    intakeTokens: cell
      ? config.intake.tokens.map(({ name, token }, index) => ({ name, token: read.text(`intake.tokens[${index}].token`, token) }))
      : [],
    intakeSignatures: cell
      ? config.intake.signatures.map(({ name, secret }, index) => ({
          name,
          secret: read.text(`intake.signatures[${index}].secret`, secret),
        }))
      : [],
    ...(cell &&
      config.actions.nodeIsolation && {
        nodeIsolation: read.text('actions.nodeIsolation.webhook.secret', config.actions.nodeIsolation.webhook.secret),
      }),
    ...(store.kind === 's3' &&
      keepsEvidence && {
        s3: bucketAccess(read, 'evidence.s3', store),
      }),
    ...(wanted.length > 0 && releaseSecrets(read, config)),
    ...(config.evidence.vault &&
      keepsEvidence && {
        evidenceVault: read.current('evidence.vault.token', config.evidence.vault.token),
      }),
    ...(desk && logBucketSecrets(read, config)),
    ...(desk && config.slack && { slack: slackSecrets(read, config.slack) }),
    ...(desk && config.stepUp?.clientSecret && { stepUpClient: read.text('stepUp.clientSecret', config.stepUp.clientSecret) }),
    ...(desk && {
      tickets: openedSection(config.tickets, 'tickets', (path, ref) => read.text(path, ref)),
      paging: openedSection(config.paging, 'paging', (path, ref) => read.text(path, ref)),
    }),
    ...(wanted.includes('secrets') && {
      rotation: rotationSecrets(config.rotation, read, read.problems),
    }),
    ...(wanted.includes('packs') && { packs: packSecrets(read, config) }),
    ...(wanted.length > 0 &&
      config.telemetry.otlp && { telemetry: readOtlpAccess(config.telemetry.otlp, (path, ref) => read.current(path, ref)) }),
    ...(desk &&
      config.streams.length > 0 && { streams: readStreamAccess(config.streams, (path, ref) => read.current(path, ref)) }),
    ...(desk && { auditUrl: typeof url === 'string' ? url : read.text('audit.url', url) }),
  };
}

function releaseSecrets(read: Reader, { releases: { store } }: Pick<Config, 'releases'>): Pick<Secrets, 'releases'> {
  if (store.kind !== 's3') return {};
  return { releases: bucketAccess(read, 'releases.s3', store) };
}

/** Reads only the credentials for the store of releases. @throws FB_ERR_CONFIG_INVALID if one of them is not available. */
export function resolveReleaseSecrets({
  config,
  env,
}: {
  readonly config: Pick<Config, 'releases'>;
  readonly env: Environment;
}): Pick<Secrets, 'releases'> {
  return resolved(env, (read) => releaseSecrets(read, config));
}

/** Reads the credentials for the bucket of backups; undefined if there is none. @throws FB_ERR_CONFIG_INVALID if one of them is not available. */
export function resolveBackupSecrets({
  config: { backup },
  env,
}: {
  readonly config: Pick<Config, 'backup'>;
  readonly env: Environment;
}): BucketAccess | undefined {
  if (!backup.s3) return undefined;
  const { s3 } = backup;
  return resolved(env, (read) => bucketAccess(read, 'backup.s3', s3));
}

/** Reads only the credentials for the receivers of these streams. @throws FB_ERR_CONFIG_INVALID if one of them is not available. */
export function resolveStreamAccess({
  streams,
  env,
}: {
  readonly streams: readonly StreamConfig[];
  readonly env: Environment;
}): ReadonlyMap<string, () => StreamAccess> {
  return resolved(env, (read) => readStreamAccess(streams, (path, ref) => read.current(path, ref)));
}

function logBucketSecrets(read: Reader, { audit }: Pick<Config, 'audit'>): Pick<Secrets, 'logBucket'> {
  const { s3 } = audit.log.copies;
  if (!s3) return {};
  return { logBucket: bucketAccess(read, 'audit.log.copies.s3', s3) };
}

/** The credentials for the place that a report goes to. */
export interface ReportAccess {
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  readonly botToken?: string;
  readonly password?: string;
}

/** Reads only the credentials for this report. @throws FB_ERR_CONFIG_INVALID if one of them is not available. */
export function resolveReportAccess({
  report: { name, to },
  slack,
  env,
}: {
  readonly report: Pick<ReportConfig, 'name' | 'to'>;
  readonly slack: Config['slack'];
  readonly env: Environment;
}): ReportAccess {
  return resolved(env, (read) => ({
    ...(to.kind === 's3' && bucketAccess(read, `reports.${name}.to.s3`, to)),
    ...(to.kind === 'mail' && to.password && { password: read.text(`reports.${name}.to.mail.password`, to.password) }),
    ...(to.kind === 'slack' && slack && { botToken: read.text('slack.botToken', slack.botToken) }),
  }));
}

/** Each pack gets only its own secrets. */
function packSecrets(read: Reader, { packs }: Config): NonNullable<Secrets['packs']> {
  return new Map(
    packs.map(({ name, secrets }) => {
      const current = Object.entries(secrets).map(
        ([secret, ref]) => [secret, read.current(`packs.${name}.secrets.${secret}`, ref)] as const,
      );
      return [name, () => Object.fromEntries(current.map(([secret, now]) => [secret, now()]))];
    }),
  );
}

/** Only those of its mode: what is not needed is not read. */
function slackSecrets(read: Reader, { mode, botToken, signingSecrets = [], appToken }: NonNullable<Config['slack']>) {
  return {
    botToken: read.text('slack.botToken', botToken),
    signingSecrets: mode === 'http' ? signingSecrets.map((ref, index) => read.text(`slack.signingSecrets[${index}]`, ref)) : [],
    ...(mode === 'socket' && appToken && { appToken: read.text('slack.appToken', appToken) }),
  };
}

/**
 * Reads only the secrets that the roles need: a process with cluster rights never sees Slack's token.
 * @throws FB_ERR_CONFIG_INVALID naming every secret that is not available; never a value.
 */
export function resolveSecrets(query: SecretsQuery): Secrets {
  return resolved(query.env, (read) => readSecrets(read, query));
}

/** Reads only the secrets needed to read evidence. An unavailable Vault token is left out: sealed artefacts then stay sealed. @throws FB_ERR_CONFIG_INVALID */
export function resolveStoreSecrets({ config, env }: Omit<SecretsQuery, 'roles'>): Pick<Secrets, 's3' | 'evidenceVault'> {
  const { vault, ...evidence } = config.evidence;
  // Evidence outlives Temporal: checking it does not require the key of Temporal's payloads.
  const { address, namespace } = config.temporal;
  const temporal = { address, namespace, codecKeys: [] };
  const { s3 } = resolveSecrets({ config: { ...config, evidence, temporal }, env, roles: ['forensics'] });
  const read = new Reader(env);
  const token = vault && read.current('evidence.vault.token', vault.token);
  return { ...(s3 && { s3 }), ...(token && read.problems.length === 0 && { evidenceVault: token }) };
}

/** Reads the credentials for the OpenTelemetry collector. @throws FB_ERR_CONFIG_INVALID if one of them is not available. */
export function resolveTelemetrySecrets({
  config,
  env,
}: {
  readonly config: Pick<Config, 'telemetry'>;
  readonly env: Environment;
}): Pick<Secrets, 'telemetry'> {
  const { otlp } = config.telemetry;
  if (!otlp) return {};
  return resolved(env, (read) => ({ telemetry: readOtlpAccess(otlp, (path, ref) => read.current(path, ref)) }));
}

/** Where the records are, for callers that only read them. @throws FB_ERR_CONFIG_INVALID if the secret is not available. */
export function resolveAuditUrl({ config, env }: Omit<SecretsQuery, 'roles'>): string {
  const { url } = config.audit;
  if (typeof url === 'string') return url;
  return resolved(env, (read) => read.text('audit.url', url));
}

/** The first token of the intake, for sending an alert to it. @throws FB_ERR_CONFIG_INVALID if there is none, or it is not available. */
export function resolveIntakeToken({
  config,
  env,
}: {
  readonly config: Pick<Config, 'intake'>;
  readonly env: Environment;
}): string {
  const [first] = config.intake.tokens;
  if (!first) throw new FirebreakError('FB_ERR_CONFIG_INVALID', 'the intake has no token, only signatures or certificates');
  return resolved(env, (read) => read.text('intake.tokens[0].token', first.token));
}

/** Reads only the credentials for Temporal. @throws FB_ERR_CONFIG_INVALID if one of them is not available. */
export function resolveTemporalAccess({
  config,
  env,
}: {
  readonly config: Pick<Config, 'temporal'>;
  readonly env: Environment;
}): () => TemporalAccess {
  return resolved(env, (read) => readTemporalAccess(config.temporal, (path, ref) => read.current(path, ref)));
}

/** Returns what was read. @throws FB_ERR_CONFIG_INVALID naming every secret that is not available; never a value. */
function resolved<Result>(env: Environment, from: (read: Reader) => Result): Result {
  const read = new Reader(env);
  const result = from(read);
  if (read.problems.length === 0) return result;
  throw invalidConfig(read.problems);
}

function bucketAccess(
  read: Reader,
  path: string,
  bucket: { readonly accessKeyId: SecretRef; readonly secretAccessKey: SecretRef },
): BucketAccess {
  return {
    accessKeyId: read.text(`${path}.accessKeyId`, bucket.accessKeyId),
    secretAccessKey: read.text(`${path}.secretAccessKey`, bucket.secretAccessKey),
  };
}

/** What `resolveSecrets` would reject, except keys that the first start creates in the state directory. */
export function missingSecrets(query: SecretsQuery): readonly ConfigProblem[] {
  const { stateDir, temporal } = query.config;
  const madeLater = temporal.codecKeys.flatMap(({ key }, index) =>
    'file' in key && isMadeAtStart(key.file, stateDir) ? [`temporal.codecKeys[${index}].key`] : [],
  );
  const read = new Reader(query.env);
  readSecrets(read, query);
  return read.problems.filter(({ path }) => !madeLater.includes(path));
}
