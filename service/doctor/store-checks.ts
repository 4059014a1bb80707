import { existsSync } from 'node:fs';
import { readFile, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { staleAfterMs } from '../../core/audit/checkpoint.ts';
import { evidenceClasses } from '../../core/evidence/evidence.ts';
import { openAsIs } from '../../integrations/database/database.ts';
import { migrations, schemaOf } from '../../integrations/database/migrations.ts';
import { createReportDeliveries } from '../../integrations/database/outbound/report-deliveries.ts';
import { createStreamFeed } from '../../integrations/database/outbound/stream-feed.ts';
import type { Database } from '../../integrations/database/queries.ts';
import { problemText } from '../../integrations/delivery-problem.ts';
import { createLogFolder } from '../../integrations/tlog/log-folder.ts';
import { noEvidenceStore } from '../config/left-out.ts';
import { resolveAuditUrl, resolveStoreSecrets } from '../config/secrets.ts';
import { checkBucket, openEvidenceStore } from '../process/evidence.ts';
import { evidencePublicKeys, openKeyWrap } from '../process/keys/evidence-keys.ts';
import { notaryKeyFiles, readPublicKeys } from '../process/keys/key-files.ts';
import { logKeys, readLogNote, readWitnessed } from '../records/log-check.ts';
import { readCopyState } from '../records/log-copies.ts';
import { dueReports } from '../records/scheduled-reports.ts';
import { lagSeconds, lateSeconds } from '../streams/streams.ts';
import {
  clockResult,
  type DoctorCheck,
  type Examined,
  failure,
  type LookResult,
  notTried,
  ok,
  reasonWhy,
  warning,
} from './diagnosis.ts';

const mebibyte = 1_048_576;

export const storeChecks: readonly DoctorCheck[] = [
  { name: 'database', roles: ['desk'], run: database },
  { name: 'streams', roles: ['desk'], run: streams },
  { name: 'transparency log', roles: ['desk'], run: transparencyLog },
  { name: 'reports', roles: ['desk'], run: reports },
  { name: 'evidence store', roles: ['cell', 'forensics'], run: evidence },
  { name: 'evidence keys', roles: ['cell', 'forensics'], run: evidenceKeys },
  { name: 'disk', run: disk },
];

/** Changes nothing, but fails on a read-only server, on a file that may not be written, or for a role without the right. */
const asIfToWrite = 'INSERT INTO audit_records SELECT * FROM audit_records WHERE 1 = 0';
const writeRemedy =
  'Name a server that is not a standby, and a role with the rights of `firebreak database rights`; the desk keeps what it cannot write.';

/** Opened as it is: the service upgrades an older schema when it starts. */
async function database({ config, env }: Examined): Promise<readonly LookResult[]> {
  const url = resolveAuditUrl({ config, env });
  const remedy = 'Start it, or correct audit.url; the desk keeps what it cannot write, and incidents stay open meanwhile.';
  const file = /^sqlite:(.*)$/.exec(url)?.[1];
  if (file !== undefined && !existsSync(file)) return [notTried(`${file} is created at the first start of the desk`)];
  const opened = await openAsIs({ url }).catch((error: unknown) => reasonWhy(error, 'it cannot be opened'));
  if (typeof opened === 'string') return [failure(opened, remedy)];
  try {
    const { number: known, needs } = await schemaOf(opened);
    const newest = migrations.length;
    const schema =
      needs > newest
        ? failure(
            `its schema is newer (${needs}) than this program (${newest})`,
            'Run the newer program, or restore the older database.',
          )
        : known < newest
          ? warning(`its schema is ${known} of ${newest}`, 'The next start of the desk brings it up to date.')
          : ok(`${opened.kind === 'sqlite' ? 'SQLite' : 'PostgreSQL'} answers; its schema is up to date (${known})`);
    if (schema.state === 'ok') {
      const refused = await opened.all(asIfToWrite).then(
        () => undefined,
        (error: unknown) => reasonWhy(error, 'it refuses'),
      );
      if (refused !== undefined) return [failure(`it can be read but not written: ${refused}`, writeRemedy)];
    }
    if (opened.kind === 'sqlite') return [schema];
    const before = Date.now();
    const [row] = await opened.all('SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS TEXT) AS now');
    const after = Date.now();
    return [schema, clockResult('PostgreSQL’s', (before + after) / 2 - Number(row?.now), (after - before) / 2)];
  } catch (error) {
    return [failure(reasonWhy(error, 'it does not answer'), remedy)];
  } finally {
    await opened.close();
  }
}

/** How far each stream has got; `firebreak stream test` shows whether its receiver would accept an event. */
async function streams({ config, env }: Examined): Promise<readonly LookResult[]> {
  if (config.streams.length === 0) return [];
  return withTables({ config, env }, async (opened) => {
    const feed = createStreamFeed(opened);
    return Promise.all(
      config.streams.map(async ({ name }) => {
        const state = await feed.state(name);
        if (!state) return notTried(`${name} starts with the next start of the desk`);
        const lag = await feed.lag(name);
        const late = Math.round(lagSeconds(lag));
        const remedy = `Look at its receiver: \`firebreak stream test ${name}\` says what it answers. Nothing is lost meanwhile.`;
        const waiting = `${name}: ${lag.records} records wait, the oldest for ${late} s`;
        if (state.failing)
          return warning(`${waiting}: ${problemText(state.failing.reason)}, since ${state.failing.since}`, remedy);
        return late > lateSeconds
          ? warning(waiting, remedy)
          : ok(lag.records === 0 ? `${name}: everything is delivered` : waiting);
      }),
    );
  });
}

/** A report overdue by this much is not made by any schedule, or cannot be delivered. */
const reportLateMs = 2 * 86_400_000;

async function reports({ config, env }: Examined): Promise<readonly LookResult[]> {
  if (config.reports.length === 0) return [];
  return withTables({ config, env }, async (opened) => {
    const due = await dueReports(config.reports, createReportDeliveries(opened));
    return config.reports.map(({ name }) => {
      const [oldest] = due.filter(({ report }) => report.name === name);
      if (!oldest) return ok(`${name}: everything is delivered`);
      const text = `${name} of ${oldest.period.name} is due`;
      return Date.now() - oldest.period.until > reportLateMs
        ? warning(
            text,
            'Run `firebreak report deliver` each day by cron, or set reports.schedule of the chart; it says what fails.',
          )
        : ok(text);
    });
  });
}

/** Runs only if the desk has created its tables. The check of the database reports an older schema. */
async function withTables(
  { config, env }: Pick<Examined, 'config' | 'env'>,
  look: (opened: Database) => Promise<readonly LookResult[]>,
): Promise<readonly LookResult[]> {
  const url = resolveAuditUrl({ config, env });
  const file = /^sqlite:(.*)$/.exec(url)?.[1];
  if (file !== undefined && !existsSync(file)) return [notTried('its tables are created at the first start of the desk')];
  const opened = await openAsIs({ url });
  try {
    if ((await schemaOf(opened)).number < migrations.length) return [notTried('the next start of the desk creates its tables')];
    return await look(opened);
  } finally {
    await opened.close();
  }
}

/** The same bytes each time, so there is only one object, under its own hash. */
const sample = new TextEncoder().encode('firebreak doctor\n');

/** Who else has seen the log, and when; `firebreak audit verify` checks whether it matches the checkpoints. */
async function transparencyLog({ config: { audit } }: Examined): Promise<readonly LookResult[]> {
  const { name, folder, witnesses, copies } = audit.log;
  const files = createLogFolder({ folder });
  const [ofToday, ...retired] = notaryKeyFiles(audit);
  const publicKey = await readFile(ofToday, 'utf8').catch(() => undefined);
  const said = publicKey === undefined ? undefined : await readLogNote(files, name);
  if (publicKey === undefined || !said) return [notTried('the first start of the desk creates it')];
  const isLate = (at: string, byMs: number): boolean => Date.parse(at) < Date.now() - byMs;
  const expected = logKeys({
    name,
    witnesses: witnesses.map(({ key }) => key),
    publicKeys: [publicKey, ...(await readPublicKeys(retired))],
  });
  const witnessed = await readWitnessed({ files, ...expected });
  const cosigned = witnessed.map(({ key, cosigned: by }) => {
    const at = by && new Date(by.seconds * 1_000).toISOString();
    const remedy = 'Look at the desk’s log: a witness that refuses is an alarm, one that does not answer is asked again.';
    if (at === undefined) return warning(`the witness ${key.name} has signed nothing`, remedy);
    const text = `the witness ${key.name} has signed it at ${at}`;
    return isLate(at, staleAfterMs) ? warning(text, remedy) : ok(text);
  });
  const copied = await Promise.all(
    Object.entries(copies).map(async ([copy, given]) => {
      const state = await readCopyState(files, copy);
      const remedy = 'Look at the desk’s log: it says why, and tries again.';
      if (!state) return warning(`nothing is in ${copy} yet`, remedy);
      const text = `${state.size} of ${said.size} checkpoints are in ${copy} since ${state.at}`;
      const everyMs = 'everyMinutes' in given ? given.everyMinutes * 60_000 : 0;
      return state.size < said.size && isLate(state.at, everyMs + staleAfterMs) ? warning(text, remedy) : ok(text);
    }),
  );
  return [ok(`${said.size} checkpoints are in it`), ...cosigned, ...copied];
}

async function evidence({ config, env }: Examined): Promise<readonly LookResult[]> {
  const secrets = resolveStoreSecrets({ config, env });
  const { store: where, retention } = config.evidence;
  const isNone = noEvidenceStore(config) !== undefined;
  const place = isNone ? 'evidence' : where.kind === 's3' ? `the bucket ${where.bucket}` : where.folder;
  const remedy = isNone
    ? 'Correct what it names, and restart every role.'
    : where.kind === 's3'
      ? 'Correct evidence.s3, its keys or its policy.'
      : 'Correct evidence.folder, or who owns it.';
  try {
    await checkBucket({ config, secrets });
    const store = await openEvidenceStore({ config, secrets });
    const kinds = evidenceClasses.toSorted((a, b) => retention[a].atLeastDays - retention[b].atLeastDays);
    const { sha256 } = await store.put(sample, 'text/plain', kinds[0]);
    await store.get(sha256);
  } catch (error) {
    return [failure(`${place}: ${reasonWhy(error, 'it accepts nothing')}`, remedy)];
  }
  if (where.kind === 'folder') return [ok(`${place} was written to and read`)];
  if (where.objectLock) return [ok(`${place} was written to and read, and locks what it keeps (${where.objectLock})`)];
  return [
    ok(`${place} was written to and read`),
    warning(
      'nothing keeps whoever has its keys from removing evidence',
      'Create the bucket with object lock, and set evidence.s3.objectLock.',
    ),
  ];
}

async function evidenceKeys({ config, env }: Examined): Promise<readonly LookResult[]> {
  const secrets = resolveStoreSecrets({ config, env });
  const inVault = config.evidence.vault !== undefined;
  if (!inVault && !existsSync(config.evidence.keyFile) && config.evidence.keyFile.startsWith(`${config.stateDir}/`))
    return [notTried('they are created at the first start')];
  try {
    const keys = await evidencePublicKeys({ config, secrets });
    await openKeyWrap({ config, secrets });
    return [ok(`${keys.length === 1 ? 'one key signs' : `${keys.length} versions of a key sign`}${inVault ? ', in Vault' : ''}`)];
  } catch (error) {
    return [
      failure(reasonWhy(error, 'they cannot be read'), inVault ? 'See evidence.vault and its token.' : 'See evidence.keyFile.'),
    ];
  }
}

async function disk({ config }: Examined): Promise<readonly LookResult[]> {
  let folder = config.stateDir;
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  const { bavail, blocks, bsize } = await statfs(folder);
  const free = bavail * bsize;
  const text = `${folder}: ${Math.round(free / mebibyte)} MiB free`;
  const needed = config.intake.spool.maxBytes;
  const remedy = 'Free some space: an intake without any refuses alerts, and records wait.';
  if (free < 256 * mebibyte) return [failure(text, remedy)];
  if (free < needed || bavail / blocks < 0.05)
    return [warning(`${text}, but the spool may take ${Math.round(needed / mebibyte)} MiB`, remedy)];
  return [ok(text)];
}
