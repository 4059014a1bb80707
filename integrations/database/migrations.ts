import { FirebreakError } from '../../core/errors.ts';
import type { Database } from './queries.ts';
import { numberOf } from './row.ts';

/** In order, and never edited once released: a change is a new one. Column types that both databases know. */
export const migrations: readonly { readonly name: string; readonly statements: readonly string[] }[] = [
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
  },
  {
    name: 'records by their kind',
    statements: ['CREATE INDEX audit_records_by_kind ON audit_records (kind, at)'],
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
  },
  {
    name: 'which cards are open',
    statements: [
      'ALTER TABLE card_shown ADD COLUMN is_open INTEGER NOT NULL DEFAULT 0',
      'CREATE INDEX card_shown_open ON card_shown (is_open)',
    ],
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
  },
  {
    // What stood there before is nobody's: it has no signature.
    name: 'records are signed by their makers, and keep both their place and their own number',
    statements: [
      'ALTER TABLE audit_records RENAME COLUMN number TO place',
      'ALTER TABLE audit_records ADD COLUMN number INTEGER NOT NULL DEFAULT 0',
      `ALTER TABLE audit_records ADD COLUMN key_id TEXT NOT NULL DEFAULT ''`,
      `ALTER TABLE audit_records ADD COLUMN signature TEXT NOT NULL DEFAULT ''`,
      'CREATE INDEX audit_records_by_number ON audit_records (chain, number)',
    ],
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
  },
];

/** Brings the schema up to date. Each migration is one transaction; two processes that start at once do it one after the other. */
export async function migrate(database: Database): Promise<void> {
  await database.transaction(async (queries) => {
    await database.lockForMigration(queries);
    await queries.all(
      `CREATE TABLE IF NOT EXISTS schema_migrations (number INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, done_at TEXT NOT NULL)`,
    );
  });
  for (const [index, { name, statements }] of migrations.entries()) {
    await database.transaction(async (queries) => {
      await database.lockForMigration(queries);
      const [row] = await queries.all('SELECT COALESCE(MAX(number), 0) AS number FROM schema_migrations');
      const done = row ? numberOf(row, 'number') : 0;
      if (done > migrations.length) {
        throw new FirebreakError('FB_ERR_UNAVAILABLE', 'the database belongs to a newer version of Firebreak');
      }
      if (done > index) return;
      for (const statement of statements) await queries.all(statement);
      const values = [index + 1, name, new Date().toISOString()];
      await queries.all('INSERT INTO schema_migrations (number, name, done_at) VALUES ($1, $2, $3)', values);
    });
  }
}
