import { FirebreakError, hasCode } from '../../core/errors.ts';
import type { Database, Queries } from './queries.ts';
import { numberOf } from './row.ts';

interface Migration {
  readonly name: string;
  readonly statements: readonly string[];
  /** Reverts it, and deletes everything that only this version knows: for going back to an older program. */
  readonly back: readonly string[];
  /** A program that does not know it can no longer work on the database. Without this, older programs continue next to it, as in a rolling upgrade. */
  readonly isBreaking?: true;
}

/** In order, and never edited once released: a change is a new migration. Uses only column types that both databases know. */
export const migrations: readonly Migration[] = [
  {
    name: 'audit chains, checkpoints, cards',
    statements: [
      `CREATE TABLE audit_records (
         chain TEXT NOT NULL,
         number INTEGER NOT NULL,
         at TEXT NOT NULL,
         kind TEXT NOT NULL,
         actor TEXT NOT NULL,
         body TEXT NOT NULL,
         previous TEXT NOT NULL,
         hash TEXT NOT NULL,
         PRIMARY KEY (chain, number)
       )`,
      `CREATE TABLE audit_heads (
         chain TEXT NOT NULL PRIMARY KEY,
         number INTEGER NOT NULL,
         hash TEXT NOT NULL
       )`,
      `CREATE TABLE audit_checkpoints (
         number INTEGER NOT NULL PRIMARY KEY,
         content TEXT NOT NULL
       )`,
      `CREATE TABLE card_buttons (
         button_id TEXT NOT NULL PRIMARY KEY,
         incident_id TEXT NOT NULL,
         incident_run TEXT NOT NULL,
         question TEXT NOT NULL,
         question_digest TEXT NOT NULL,
         choice TEXT NOT NULL,
         place INTEGER NOT NULL,
         label TEXT NOT NULL,
         groups_json TEXT NOT NULL,
         requester TEXT NOT NULL,
         UNIQUE (question, choice)
       )`,
      `CREATE TABLE card_messages (
         message_key TEXT NOT NULL PRIMARY KEY,
         channel TEXT NOT NULL,
         ts TEXT NOT NULL
       )`,
    ],
    back: [
      'DROP TABLE audit_records',
      'DROP TABLE audit_heads',
      'DROP TABLE audit_checkpoints',
      'DROP TABLE card_buttons',
      'DROP TABLE card_messages',
    ],
  },
  {
    name: 'what is known of tickets',
    statements: [
      `CREATE TABLE ticket_memory (
         system TEXT NOT NULL,
         ticket_key TEXT NOT NULL,
         sent_at INTEGER NOT NULL,
         ticket TEXT NOT NULL,
         PRIMARY KEY (system, ticket_key)
       )`,
    ],
    back: ['DROP TABLE ticket_memory'],
  },
  {
    name: 'cards as they were shown, and open dialogs',
    statements: [
      `CREATE TABLE card_shown (
         question TEXT NOT NULL PRIMARY KEY,
         shown_json TEXT NOT NULL
       )`,
      `CREATE TABLE card_modals (
         modal_id TEXT NOT NULL PRIMARY KEY,
         opened_at TEXT NOT NULL,
         modal_json TEXT NOT NULL
       )`,
    ],
    back: ['DROP TABLE card_shown', 'DROP TABLE card_modals'],
  },
  {
    name: 'which incidents look alike',
    statements: [
      `CREATE TABLE incident_likeness (
         likeness TEXT NOT NULL,
         chain TEXT NOT NULL,
         at TEXT NOT NULL,
         mark TEXT NOT NULL,
         PRIMARY KEY (likeness, chain)
       )`,
      'CREATE INDEX incident_likeness_newest ON incident_likeness (likeness, at)',
      'CREATE INDEX incident_likeness_age ON incident_likeness (at)',
      `CREATE TABLE incident_verdicts (
         chain TEXT NOT NULL PRIMARY KEY,
         number INTEGER NOT NULL,
         verdict TEXT NOT NULL,
         at TEXT NOT NULL,
         mark TEXT NOT NULL
       )`,
      'CREATE INDEX incident_likeness_chain ON incident_likeness (chain)',
      'CREATE INDEX incident_verdicts_age ON incident_verdicts (at)',
    ],
    back: ['DROP TABLE incident_likeness', 'DROP TABLE incident_verdicts'],
  },
  {
    name: 'records by their kind',
    statements: ['CREATE INDEX audit_records_by_kind ON audit_records (kind, at)'],
    back: ['DROP INDEX audit_records_by_kind'],
  },
  {
    name: 'answers that wait for a sign-in',
    statements: [
      `CREATE TABLE sign_ins (
         sign_in_id TEXT NOT NULL PRIMARY KEY,
         opened_at TEXT NOT NULL,
         state TEXT NOT NULL,
         pending_json TEXT NOT NULL
       )`,
      'CREATE INDEX sign_ins_by_state ON sign_ins (state)',
    ],
    back: ['DROP TABLE sign_ins'],
  },
  {
    name: 'which cards are open',
    statements: [
      'ALTER TABLE card_shown ADD COLUMN is_open INTEGER NOT NULL DEFAULT 0',
      'CREATE INDEX card_shown_open ON card_shown (is_open)',
    ],
    back: ['DROP INDEX card_shown_open', 'ALTER TABLE card_shown DROP COLUMN is_open'],
  },
  {
    name: 'questions that are one card',
    statements: [
      `CREATE TABLE card_groups (
         group_id TEXT NOT NULL PRIMARY KEY,
         likeness TEXT NOT NULL,
         begun_at TEXT NOT NULL,
         is_open INTEGER NOT NULL,
         group_json TEXT NOT NULL
       )`,
      'CREATE INDEX card_groups_open ON card_groups (likeness, is_open)',
      `CREATE TABLE card_group_buttons (
         button_id TEXT NOT NULL PRIMARY KEY,
         group_id TEXT NOT NULL,
         shown_at TEXT NOT NULL,
         button_json TEXT NOT NULL
       )`,
      'CREATE INDEX card_group_buttons_shown ON card_group_buttons (group_id, shown_at)',
    ],
    back: ['DROP TABLE card_groups', 'DROP TABLE card_group_buttons'],
  },
  {
    name: 'what ticket systems tell',
    statements: [
      `CREATE TABLE ticket_owners (
         system TEXT NOT NULL,
         ticket TEXT NOT NULL,
         incident_id TEXT NOT NULL,
         incident_run TEXT NOT NULL,
         at TEXT NOT NULL,
         PRIMARY KEY (system, ticket)
       )`,
      'CREATE INDEX ticket_owners_age ON ticket_owners (at)',
      `CREATE TABLE ticket_news (
         delivery TEXT NOT NULL PRIMARY KEY,
         incident_id TEXT NOT NULL,
         incident_run TEXT NOT NULL,
         number INTEGER NOT NULL,
         system TEXT NOT NULL,
         ticket TEXT NOT NULL,
         done_by TEXT NOT NULL,
         words TEXT NOT NULL,
         at TEXT NOT NULL,
         UNIQUE (incident_id, incident_run, number)
       )`,
      'CREATE INDEX ticket_news_age ON ticket_news (at)',
    ],
    back: ['DROP TABLE ticket_owners', 'DROP TABLE ticket_news'],
  },
  {
    name: 'who waits for an answer',
    statements: [
      `CREATE TABLE slack_unanswered (
         id TEXT NOT NULL PRIMARY KEY,
         at TEXT NOT NULL,
         unanswered_json TEXT NOT NULL
       )`,
    ],
    back: ['DROP TABLE slack_unanswered'],
  },
  {
    name: 'what of a ticket carries the address of its thread',
    statements: [
      `CREATE TABLE ticket_threads (
         ticket_key TEXT NOT NULL PRIMARY KEY,
         carrier TEXT NOT NULL,
         url TEXT NOT NULL,
         at TEXT NOT NULL
       )`,
      'CREATE INDEX ticket_threads_age ON ticket_threads (at)',
    ],
    back: ['DROP TABLE ticket_threads'],
  },
  {
    name: 'where the answer to a click goes',
    statements: [
      `CREATE TABLE click_replies (
         click TEXT NOT NULL PRIMARY KEY,
         at TEXT NOT NULL,
         answers INTEGER NOT NULL,
         reply_json TEXT NOT NULL
       )`,
      'CREATE INDEX click_replies_age ON click_replies (at)',
    ],
    back: ['DROP TABLE click_replies'],
  },
  {
    // Rows from before have no signature, so they belong to nobody.
    name: 'records are signed by their makers, and keep both their place and their own number',
    statements: [
      'ALTER TABLE audit_records RENAME COLUMN number TO place',
      'ALTER TABLE audit_records ADD COLUMN number INTEGER NOT NULL DEFAULT 0',
      `ALTER TABLE audit_records ADD COLUMN key_id TEXT NOT NULL DEFAULT ''`,
      `ALTER TABLE audit_records ADD COLUMN signature TEXT NOT NULL DEFAULT ''`,
      'CREATE INDEX audit_records_by_number ON audit_records (chain, number)',
    ],
    back: [
      'DROP INDEX audit_records_by_number',
      'ALTER TABLE audit_records DROP COLUMN signature',
      'ALTER TABLE audit_records DROP COLUMN key_id',
      'ALTER TABLE audit_records DROP COLUMN number',
      'ALTER TABLE audit_records RENAME COLUMN place TO number',
    ],
    isBreaking: true,
  },
  {
    name: 'alerts as they were, sealed',
    statements: [
      `CREATE TABLE stored_alerts (
         chain TEXT NOT NULL,
         number INTEGER NOT NULL,
         at TEXT NOT NULL,
         sealed TEXT NOT NULL,
         PRIMARY KEY (chain, number)
       )`,
      'CREATE INDEX stored_alerts_age ON stored_alerts (at)',
      `CREATE INDEX audit_records_of_verdicts ON audit_records (chain, place) WHERE kind = 'incident.verdict'`,
    ],
    back: ['DROP INDEX audit_records_of_verdicts', 'DROP TABLE stored_alerts'],
  },
  {
    name: 'streams',
    statements: [
      `ALTER TABLE audit_heads ADD COLUMN grown_at TEXT NOT NULL DEFAULT ''`,
      'CREATE INDEX audit_heads_grown ON audit_heads (grown_at)',
      `CREATE TABLE streams (
         name TEXT NOT NULL PRIMARY KEY,
         begun_at TEXT NOT NULL,
         holder TEXT NOT NULL,
         held_until TEXT NOT NULL,
         delivered_at TEXT NOT NULL,
         failing_since TEXT NOT NULL,
         reason TEXT NOT NULL
       )`,
      `CREATE TABLE stream_cursors (
         stream TEXT NOT NULL,
         chain TEXT NOT NULL,
         place INTEGER NOT NULL,
         PRIMARY KEY (stream, chain)
       )`,
    ],
    back: [
      'DROP TABLE stream_cursors',
      'DROP TABLE streams',
      'DROP INDEX audit_heads_grown',
      'ALTER TABLE audit_heads DROP COLUMN grown_at',
    ],
  },
  {
    name: 'what the console lists, and who is signed in',
    statements: [
      `CREATE TABLE incident_summaries (
         chain TEXT NOT NULL PRIMARY KEY,
         incident_key TEXT NOT NULL,
         seen INTEGER NOT NULL,
         cluster TEXT NOT NULL,
         namespace TEXT NOT NULL,
         state TEXT NOT NULL,
         severity TEXT NOT NULL,
         verdict TEXT NOT NULL,
         opened_at TEXT NOT NULL,
         changed_at TEXT NOT NULL,
         is_contained INTEGER NOT NULL,
         words TEXT NOT NULL,
         summary_json TEXT NOT NULL,
         mark TEXT NOT NULL
       )`,
      'CREATE INDEX incident_summaries_newest ON incident_summaries (opened_at, incident_key)',
      'CREATE INDEX incident_summaries_by_state ON incident_summaries (state, opened_at, incident_key)',
      'CREATE INDEX incident_summaries_by_namespace ON incident_summaries (namespace, opened_at, incident_key)',
      'CREATE INDEX incident_summaries_by_severity ON incident_summaries (severity, opened_at, incident_key)',
      'CREATE INDEX incident_summaries_contained ON incident_summaries (is_contained, opened_at)',
      'CREATE INDEX incident_summaries_key ON incident_summaries (incident_key)',
      'CREATE INDEX incident_summaries_changed ON incident_summaries (changed_at)',
      `CREATE TABLE console_sessions (
         session_id TEXT NOT NULL PRIMARY KEY,
         began_at TEXT NOT NULL,
         seen_at TEXT NOT NULL
       )`,
      'CREATE INDEX console_sessions_age ON console_sessions (began_at)',
    ],
    back: ['DROP TABLE incident_summaries', 'DROP TABLE console_sessions'],
  },
  {
    name: 'records name the one that their maker signed before them',
    statements: [`ALTER TABLE audit_records ADD COLUMN follows TEXT NOT NULL DEFAULT ''`],
    back: ['ALTER TABLE audit_records DROP COLUMN follows'],
    isBreaking: true,
  },
  {
    name: 'reports that were delivered',
    statements: [
      `CREATE TABLE report_deliveries (
         name TEXT NOT NULL,
         period TEXT NOT NULL,
         holder TEXT NOT NULL,
         held_until TEXT NOT NULL,
         delivered_at TEXT NOT NULL,
         PRIMARY KEY (name, period)
       )`,
    ],
    back: ['DROP TABLE report_deliveries'],
  },
  {
    name: 'up to where records are cut',
    statements: ['ALTER TABLE audit_heads ADD COLUMN cut_to INTEGER NOT NULL DEFAULT 0'],
    back: ['ALTER TABLE audit_heads DROP COLUMN cut_to'],
  },
  {
    name: 'what a record says can be removed from it',
    statements: [
      `ALTER TABLE audit_records ADD COLUMN salt TEXT NOT NULL DEFAULT ''`,
      `ALTER TABLE audit_records ADD COLUMN removed TEXT NOT NULL DEFAULT ''`,
    ],
    back: ['ALTER TABLE audit_records DROP COLUMN removed', 'ALTER TABLE audit_records DROP COLUMN salt'],
    isBreaking: true,
  },
];

/** The schema version of a database. */
interface SchemaVersion {
  readonly number: number;
  /** Programs that do not know this schema number cannot work on it. */
  readonly needs: number;
}

/** The schema version of a database as it is; 0 if it is empty. */
export async function schemaOf(queries: Queries): Promise<SchemaVersion> {
  try {
    const [row] = await queries.all(
      'SELECT COALESCE(MAX(number), 0) AS number, COALESCE(MAX(number * is_breaking), 0) AS needs FROM schema_migrations',
    );
    return row ? { number: numberOf(row, 'number'), needs: numberOf(row, 'needs') } : { number: 0, needs: 0 };
  } catch (error) {
    // Without the table, both databases reject the statement as wrong.
    if (hasCode(error, 'FB_ERR_INTERNAL')) return { number: 0, needs: 0 };
    throw error;
  }
}

/**
 * Brings the schema up to date. Each migration is one transaction; two processes that start at once run them one after the other. If the schema is up to date,
 * nothing is written, so a user without the right to change tables can work on it.
 */
export async function migrate(database: Database): Promise<void> {
  const there = await schemaOf(database);
  if (there.needs > migrations.length) throw newer(there);
  if (there.number >= migrations.length) return;
  await database.migration(makeRegister);
  for (const index of migrations.keys()) {
    await database.migration(async (queries) => {
      const done = await schemaOf(queries);
      if (done.needs > migrations.length) throw newer(done);
      if (done.number <= index) await forward(queries, index);
    });
  }
}

/**
 * Reverts migrations newer than `to`, and deletes everything that only newer versions know: for going back to an older program.
 * @throws FB_ERR_UNAVAILABLE if the database is newer than this program, which then cannot revert it.
 */
export async function migrateBack(database: Database, { to }: { readonly to: number }): Promise<void> {
  for (;;) {
    const isDone = await database.migration(async (queries) => {
      const done = await schemaOf(queries);
      if (done.number <= to) return true;
      const last = migrations[done.number - 1];
      if (!last) throw newer(done);
      for (const statement of last.back) await queries.all(statement);
      await queries.all('DELETE FROM schema_migrations WHERE number = $1', [done.number]);
      return false;
    });
    if (isDone) return;
  }
}

/** Creates the tables of that version in a database that has none; call it inside a transaction. */
export async function makeSchema(queries: Queries, schema: number): Promise<void> {
  await makeRegister(queries);
  for (let index = 0; index < schema; index += 1) await forward(queries, index);
}

async function makeRegister(queries: Queries): Promise<void> {
  await queries.all(
    `CREATE TABLE IF NOT EXISTS schema_migrations
     (number INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, done_at TEXT NOT NULL, is_breaking INTEGER NOT NULL)`,
  );
}

async function forward(queries: Queries, index: number): Promise<void> {
  const migration = migrations[index];
  if (!migration) throw new FirebreakError('FB_ERR_INTERNAL', `there is no migration ${index + 1}`);
  const { name, statements, isBreaking } = migration;
  for (const statement of statements) await queries.all(statement);
  const values = [index + 1, name, new Date().toISOString(), isBreaking ? 1 : 0];
  await queries.all('INSERT INTO schema_migrations (number, name, done_at, is_breaking) VALUES ($1, $2, $3, $4)', values);
}

function newer({ number }: SchemaVersion): FirebreakError {
  return new FirebreakError(
    'FB_ERR_UNAVAILABLE',
    `the database has schema ${number} of a newer version of Firebreak; this version supports up to ${migrations.length}`,
  );
}
