import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { ResponseRules } from '../../core/assessment/policy.ts';
import type { RecordRetention } from '../../core/audit/record-cut.ts';
import { movedSecrets } from '../../core/config/fields.schema.ts';
import type { RetentionRules } from '../../core/evidence/evidence-retention.ts';
import type { Roster } from '../../core/people/roster.ts';
import { sha256Hex } from '../../core/text/digest.ts';
import { completeImages } from './complete/complete-images.ts';
import { completeKubernetes, type KubernetesConfig } from './complete/complete-kubernetes.ts';
import { type ConfiguredPack, completePacks, unpromoted } from './complete/complete-packs.ts';
import { completeReports, type ReportConfig } from './complete/complete-reports.ts';
import { completeOnCall, onCallProblems, userGroupProblems } from './complete/complete-roster.ts';
import { completeRotation } from './complete/complete-rotation.ts';
import { completeStreams, type StreamConfig } from './complete/complete-streams.ts';
import { completeTelemetry, type TelemetryConfig } from './complete/complete-telemetry.ts';
import type { Environment, SecretRef } from './fields.ts';
import { ownActionsOf, playbooksOf } from './packs.ts';
import { type PlacedProblem, playbookProblems } from './playbook-problems.ts';
import type { LeftOut } from './problems.ts';
import type { FileConfig } from './schema.ts';
import { consoleProblems } from './sections/console-section.ts';
import { retentionOf } from './sections/records/retention-section.ts';
import { completeResponse } from './sections/response-section.ts';
import { stepUpProblems } from './sections/step-up-section.ts';
import { completeTemporalAccess, type TemporalTls } from './temporal-access.ts';

interface CodecKeyRef {
  readonly id: string;
  readonly key: SecretRef;
}

/** Where objects are stored. */
type FolderOrBucket<Bucket> = { readonly kind: 'folder'; readonly folder: string } | ({ readonly kind: 's3' } & Bucket);

type Completed =
  | 'stateDir'
  | 'packs'
  | 'releases'
  | 'temporal'
  | 'kubernetes'
  | 'evidence'
  | 'intake'
  | 'desk'
  | 'roster'
  | 'audit'
  | 'streams'
  | 'reports'
  | 'keys'
  | 'response'
  | 'telemetry'
  | 'trust';

/** The effective configuration: every path is absolute, every default filled in, and it holds no secrets. */
export interface Config extends Readonly<Omit<FileConfig, Completed>> {
  /** SHA-256 of the file, hex: records use it to name a version of the configuration. */
  readonly fileSha256: string;
  /** What the file has, but cannot work, and is run without. Absent: nothing. */
  readonly leftOut?: readonly LeftOut[];
  readonly stateDir: string;
  /** In addition to the shipped playbooks. */
  readonly packs: readonly ConfiguredPack[];
  readonly releases: {
    readonly store: FolderOrBucket<NonNullable<FileConfig['releases']['s3']>>;
    /** Names of the packs that come from there, whether or not a version of them runs. */
    readonly packs: readonly string[];
    /** Files with their public keys. */
    readonly publishers: FileConfig['releases']['publishers'];
  };
  readonly temporal: {
    readonly address: string;
    readonly namespace: string;
    readonly codecKeys: readonly CodecKeyRef[];
    /** Absent: no TLS. */
    readonly tls?: TemporalTls;
    readonly apiKey?: SecretRef;
  };
  readonly kubernetes: KubernetesConfig;
  readonly evidence: {
    readonly store: FolderOrBucket<NonNullable<FileConfig['evidence']['s3']>>;
    readonly keyFile: string;
    /** Wraps the keys of the incidents. */
    readonly wrapKeyFile: string;
    readonly deadlineMinutes: number;
    /** Replaces both files. */
    readonly vault?: NonNullable<FileConfig['evidence']['vault']>;
    readonly stewards: readonly string[];
    readonly retention: RetentionRules;
  };
  readonly intake: FileConfig['intake'] & { readonly spool: { readonly dir: string; readonly maxBytes: number } };
  readonly desk: {
    readonly listen: FileConfig['desk']['listen'];
    /** Private key, read only by the desk. */
    readonly voteKeyFile: string;
    /** Public keys that the cell trusts. */
    readonly votePublicKeys: readonly string[];
  };
  /** With the keys as PEM text, whether the file named or contained them. */
  readonly roster: Roster;
  readonly audit: {
    /** `sqlite:/absolute/path`, or a reference to the PostgreSQL URL. */
    readonly url: string | SecretRef;
    readonly notaryKeyFile: string;
    /** Public keys. */
    readonly retiredNotaryKeys: readonly string[];
    readonly everySeconds: number;
    readonly alertDays: number;
    /** The transparency log over the checkpoints. `key`: `NAME+ID+KEY`. */
    readonly log: {
      readonly name: string;
      readonly folder: string;
      readonly witnesses: readonly { readonly url: string; readonly key: string }[];
      readonly copies: {
        readonly s3?: NonNullable<FileConfig['audit']['log']['copies']['s3']>;
        readonly rekor?: NonNullable<FileConfig['audit']['log']['copies']['rekor']>;
      };
    };
    readonly retention: RecordRetention;
    /** Whether the desk deletes records that were cut. */
    readonly carriesOutCuts: boolean;
  };
  readonly streams: readonly StreamConfig[];
  readonly reports: readonly ReportConfig[];
  /** With what holds if nobody has chosen a mode. */
  readonly response: ResponseRules & { readonly baseline?: string; readonly isModeChosen: boolean };
  readonly telemetry: TelemetryConfig;
  readonly keys: {
    readonly cellKeyFile: string;
    /** Private keys, each read only by its role. The desk's is `desk.voteKeyFile`. */
    readonly signing: Readonly<Record<'cell' | 'secrets' | 'forensics' | 'packs', string>>;
  };
  /** Files with the trusted public keys. The desks' are in `desk.votePublicKeys`. */
  readonly trust: {
    readonly cells: readonly { readonly cluster: string; readonly key: string }[];
    readonly secrets: readonly string[];
    readonly forensics: readonly string[];
    readonly packs: readonly string[];
  };
}

function isEd25519(pem: string): boolean {
  try {
    return createPublicKey(pem).asymmetricKeyType === 'ed25519' && !pem.includes('PRIVATE');
  } catch {
    return false;
  }
}

function readKey(written: string, absolute: (path: string) => string): { readonly pem: string } | { readonly problem: string } {
  let pem = written;
  if (!written.includes('-----BEGIN')) {
    try {
      pem = readFileSync(absolute(written), 'utf8');
    } catch {
      return { problem: `the file ${absolute(written)} cannot be read` };
    }
  }
  return isEd25519(pem) ? { pem } : { problem: 'not an Ed25519 public key in PEM' };
}

/** If two people shared a key, one of them could vote for both. */
function sharedKeys(people: readonly { readonly id: string; readonly keys: readonly string[] }[]) {
  const all = people.flatMap(({ id, keys }, index) =>
    keys.map((pem, place) => ({ id, index, place, key: pem.replace(/\s/g, '') })),
  );
  return all.flatMap(({ id, index, place, key }, nth) => {
    const other = all.slice(0, nth).find((one) => one.key === key && one.id !== id);
    if (!other) return [];
    const at = ['roster', 'people', index, 'keys', place];
    return [{ at, problem: `this key also belongs to ${other.id}`, remedy: 'Each person needs a key of their own.' }];
  });
}

type TlsConfig = NonNullable<FileConfig['intake']['tls']>;

function absoluteTls({ clientCaFile, ...tls }: TlsConfig, absolute: (path: string) => string): TlsConfig {
  const files = { certFile: absolute(tls.certFile), keyFile: absolute(tls.keyFile) };
  return { ...tls, ...files, ...(clientCaFile !== undefined && { clientCaFile: absolute(clientCaFile) }) };
}

/** Folder in which a process keeps the promoted versions of packs. */
export function promotedFolder(stateDir: string): string {
  return join(stateDir, 'packs', 'promoted');
}

/** The same for the pack versions that some incidents start with. */
export function rampedFolder(stateDir: string): string {
  return join(stateDir, 'packs', 'ramped');
}

/** Folder in which a process keeps what was decided above all incidents, for when Temporal is down. */
export function controlFolder(stateDir: string): string {
  return join(stateDir, 'control');
}

/** Turns the file's content into the effective configuration. Relative paths are resolved from the folder of the file. Adds what is wrong to `problems`. */
export function completeConfig(options: {
  readonly file: FileConfig;
  /** The text of the file, unchanged. */
  readonly text: string;
  readonly path: string;
  readonly env: Environment;
  readonly account: string;
  readonly promoted?: string | undefined;
  readonly watched: readonly string[] | undefined;
  readonly problems: PlacedProblem[];
}): Config {
  const { env, problems } = options;
  const absolute = (path: string) => resolve(dirname(resolve(options.path)), path);
  const file = movedSecrets(options.file, (ref) => ('file' in ref ? { file: absolute(ref.file) } : ref));
  const stateDir = absolute(file.stateDir ?? env.FIREBREAK_STATE_DIR ?? 'firebreak-state');
  const inState = (own: string | undefined, ...parts: readonly string[]) =>
    own === undefined ? join(stateDir, ...parts) : absolute(own);

  const people = file.roster.people.map((person, index) => {
    const keys = person.keys.flatMap((written, place) => {
      const key = readKey(written, absolute);
      if ('pem' in key) return [key.pem];
      problems.push({
        at: ['roster', 'people', index, 'keys', place],
        problem: key.problem,
        remedy: 'Write the public half there: openssl pkey -in KEY -pubout.',
      });
      return [];
    });
    const { timeZone, pagerduty, subject } = person;
    return {
      id: person.id,
      name: person.name,
      slackIds: person.slack,
      keys,
      accounts: person.accounts,
      ...(subject !== undefined && { subject }),
      ...(timeZone !== undefined && { timeZone }),
      ...(pagerduty !== undefined && { pagerdutyId: pagerduty }),
    };
  });
  for (const [index, { to }] of file.reports.entries())
    if (to.slack && !file.slack)
      problems.push({
        at: ['reports', index, 'to', 'slack'],
        problem: 'Slack is not configured',
        remedy: 'Configure `slack`, or send it to a folder, a bucket or by mail.',
      });
  const { kubernetes, problems: ofKubernetes } = completeKubernetes({ file, absolute, account: options.account });
  const { schedules, delegations } = file.roster;
  const timeZoneOf = (person: string) => people.find(({ id }) => id === person)?.timeZone;
  const promoted = options.promoted ?? promotedFolder(stateDir);
  const packs = completePacks(file, { absolute, stateDir, promoted, watched: options.watched, problems });
  problems.push(
    ...ofKubernetes,
    ...sharedKeys(people),
    ...onCallProblems(file),
    ...userGroupProblems(file),
    ...stepUpProblems(file.stepUp, people),
    ...consoleProblems(file.console, file.stepUp),
    ...playbookProblems(file, playbooksOf({ packs }), unpromoted(file, packs)),
  );

  const { s3 } = file.evidence;
  const { s3: releaseBucket } = file.releases;
  const url = file.audit.url ?? `sqlite:${join(stateDir, 'audit.db')}`;
  return {
    ...file,
    stateDir,
    fileSha256: sha256Hex(options.text),
    packs,
    releases: {
      store: releaseBucket
        ? { kind: 's3', ...releaseBucket }
        : { kind: 'folder', folder: inState(file.releases.folder, 'releases') },
      packs: file.packs.flatMap(({ release }) => release ?? []),
      publishers: file.releases.publishers.map(({ name, key }) => ({ name, key: absolute(key) })),
    },
    temporal: {
      address: file.temporal.address ?? env.TEMPORAL_ADDRESS ?? '127.0.0.1:7233',
      namespace: file.temporal.namespace ?? env.TEMPORAL_NAMESPACE ?? 'default',
      ...completeTemporalAccess({ file: file.temporal, env, absolute, problems }),
      codecKeys: file.temporal.codecKeys ?? [{ id: 'local', key: { file: join(stateDir, 'keys', 'codec.key') } }],
    },
    kubernetes,
    evidence: {
      store: s3 ? { kind: 's3', ...s3 } : { kind: 'folder', folder: inState(file.evidence.folder, 'evidence') },
      keyFile: inState(file.evidence.keyFile, 'keys', 'evidence.pem'),
      wrapKeyFile: inState(file.evidence.wrapKeyFile, 'keys', 'evidence-wrap.key'),
      deadlineMinutes: file.evidence.deadlineMinutes,
      ...(file.evidence.vault && { vault: file.evidence.vault }),
      stewards: file.evidence.stewards,
      retention: file.evidence.retention,
    },
    intake: {
      ...file.intake,
      ...(file.intake.tls && { tls: absoluteTls(file.intake.tls, absolute) }),
      spool: { dir: join(stateDir, 'spool'), maxBytes: file.intake.spool.maxBytes },
    },
    desk: {
      listen: file.desk.listen,
      voteKeyFile: inState(file.desk.voteKeyFile, 'keys', 'vote.pem'),
      votePublicKeys: file.desk.votePublicKeys?.map(absolute) ?? [join(stateDir, 'keys', 'vote.pem.pub')],
    },
    roster: { people, groups: file.roster.groups, ...completeOnCall({ schedules, delegations, timeZoneOf }) },
    ...(file.stepUp && {
      stepUp: {
        ...file.stepUp,
        publicUrl: file.stepUp.publicUrl.replace(/\/$/, ''),
        ...(file.stepUp.jwksFile !== undefined && { jwksFile: absolute(file.stepUp.jwksFile) }),
      },
    }),
    ...(file.console && {
      console: {
        ...file.console,
        ...(file.console.temporalUrl !== undefined && { temporalUrl: file.console.temporalUrl.replace(/\/$/, '') }),
      },
    }),
    rotation: completeRotation(file.rotation, absolute),
    images: completeImages(file.images, absolute),
    audit: {
      url: typeof url === 'string' ? `sqlite:${absolute(url.slice('sqlite:'.length))}` : url,
      notaryKeyFile: inState(file.audit.notaryKeyFile, 'keys', 'notary.pem'),
      retiredNotaryKeys: file.audit.retiredNotaryKeys.map(absolute),
      everySeconds: file.audit.everySeconds,
      alertDays: file.audit.alertDays,
      log: {
        name: file.audit.log.name ?? `firebreak/${file.cluster}`,
        folder: inState(file.audit.log.folder, 'transparency-log'),
        witnesses: file.audit.log.witnesses,
        copies: file.audit.log.copies,
      },
      retention: retentionOf(file.audit.retention),
      carriesOutCuts: file.audit.retention.carryOut,
    },
    streams: completeStreams(file.streams, absolute),
    reports: completeReports(file.reports, absolute),
    response: completeResponse(file.response, absolute),
    telemetry: completeTelemetry({ file: file.telemetry, env, absolute, problems }),
    keys: {
      cellKeyFile: inState(file.keys.cellKeyFile, 'keys', 'cell.key'),
      signing: {
        cell: inState(file.keys.signing.cell, 'keys', 'cell.pem'),
        secrets: inState(file.keys.signing.secrets, 'keys', 'secrets.pem'),
        forensics: inState(file.keys.signing.forensics, 'keys', 'forensics.pem'),
        packs: inState(file.keys.signing.packs, 'keys', 'packs.pem'),
      },
    },
    trust: {
      cells: (file.trust.cells ?? [{ key: join(stateDir, 'keys', 'cell.pem.pub') }]).map(({ cluster, key }) => ({
        cluster: cluster ?? file.cluster,
        key: absolute(key),
      })),
      secrets: (file.trust.secrets ?? [join(stateDir, 'keys', 'secrets.pem.pub')]).map(absolute),
      forensics: (file.trust.forensics ?? [join(stateDir, 'keys', 'forensics.pem.pub')]).map(absolute),
      // Without packs' own actions there is no such pool.
      packs: (file.trust.packs ?? (ownActionsOf({ packs }).length > 0 ? [join(stateDir, 'keys', 'packs.pem.pub')] : [])).map(
        absolute,
      ),
    },
  };
}
