import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import type { AuditStore } from '../../core/audit/audit-store.ts';
import { createAuditStore } from '../../integrations/database/audit-store.ts';
import { openDatabase } from '../../integrations/database/database.ts';
import type { Database } from '../../integrations/database/queries.ts';
import { createVerifier, openSigner } from '../../integrations/keys/ed25519.ts';
import { loadConfig } from '../../service/config/load.ts';
import { createRetention } from '../../service/desk/retention.ts';
import { openNotaryKeys } from '../../service/process/keys/key-files.ts';
import { openTrust } from '../../service/process/trust.ts';
import { createNotary } from '../../service/records/notary.ts';
import { type CommandRun, firebreakHere } from '../command-line.ts';
import { deskMaker, makerOf, writeConfiguration } from './signed-records.ts';

const dayMs = 86_400_000;
export const idle = 'incident/lab/shop/Deployment/idle@1';
export const asked = 'incident/lab/shop/Deployment/asked@1';
export const journal = 'desk/main';

/** A desk's folder with records a hundred days old, which is old enough: an incident without people (3), one with (3), and the desk's own (2). */
export interface OldRecords {
  readonly folder: string;
  readonly database: Database;
  readonly store: AuditStore;
  /** Signs as the notary, by this clock; without one, by the current time. */
  sign(now?: () => Date): Promise<void>;
  /** Runs one look of the desk, and returns what it logged. */
  look(): Promise<readonly string[]>;
  /** Runs the command line with the configuration of the folder. */
  firebreak(...args: readonly string[]): Promise<CommandRun>;
  close(): Promise<void>;
  /** Returns the same folder after the database was closed; with the keys and the configuration as they are now. */
  again(): Promise<OldRecords>;
}

export async function recordsOfLongAgo({
  folder,
  url,
  commandsUrl = url,
  retention,
}: {
  readonly folder: string;
  /** The database's address, as the desk uses it. */
  readonly url: string;
  /** The address as the commands use it. */
  readonly commandsUrl?: string;
  /** `audit.retention`, in YAML. */
  readonly retention: string;
}): Promise<OldRecords> {
  const file = configurationFor({ folder, url, retention });
  const env = { AUDIT_URL: commandsUrl };
  const opened = async (): Promise<OldRecords> => {
    const config = loadConfig({ path: file, env });
    const { signer, publicKeys } = await openNotaryKeys(config.audit);
    const database = await openDatabase({ url });
    const store = createAuditStore(database);
    return {
      ...{ folder, database, store },
      sign: (now = () => new Date()) => {
        const verifier = createVerifier({ publicKeys });
        return createNotary({ store, signer, verifier, everyMs: 60_000, now, onAlarm: fail, onError: fail }).stop();
      },
      look: async () => {
        const said: string[] = [];
        const log = pino({}, { write: (line: string) => void said.push(String(JSON.parse(line).msg)) });
        const work = await createRetention({ config, store, trust: openTrust(config, 'desk'), log });
        await work();
        return said;
      },
      firebreak: (...args) => firebreakHere([...args, '--config', file], { folder, env }),
      close: () => database.close(),
      again: opened,
    };
  };
  await openSigner({ file: join(folder, 'keys/notary.pem'), create: true });
  const old = await opened();
  const { store } = old;
  const then = new Date(Date.now() - 100 * dayMs);
  const made = (chain: string, number: number, kind: string, body = {}) =>
    makerOf(chain).sign({ chain, number, at: then.toISOString(), kind, actor: 'engine', body });
  for (const [chain, answered] of [
    [idle, 'nobody'],
    [asked, 'people'],
  ] as const)
    await store.append([
      made(chain, 1, 'incident.opened'),
      made(chain, 2, 'alert.joined'),
      made(chain, 3, 'incident.closed', { answered }),
    ]);
  for (const number of [1, 2]) await store.appendNext(journal, async () => made(journal, number, 'click.refused'));
  await old.sign(() => then);
  await old.sign();
  return old;
}

function fail(problem: unknown): never {
  throw problem;
}

/** The configuration of such a desk; for PostgreSQL the address is in AUDIT_URL. */
export function configurationFor({
  folder,
  url,
  retention,
}: {
  readonly folder: string;
  readonly url: string;
  readonly retention: string;
}): string {
  mkdirSync(join(folder, 'keys'), { recursive: true });
  writeConfiguration(folder);
  writeFileSync(join(folder, 'desk-vote.pem'), deskMaker.pem);
  const file = join(folder, 'firebreak.yaml');
  const text = readFileSync(file, 'utf8')
    .replace(
      /^audit: .*$/m,
      `audit:\n  url: ${url.startsWith('sqlite:') ? `'${url}'` : '{ env: AUDIT_URL }'}\n  retention: ${retention}`,
    )
    .replace('desk: { ', 'desk: { voteKeyFile: desk-vote.pem, ');
  writeFileSync(file, text);
  return file;
}
