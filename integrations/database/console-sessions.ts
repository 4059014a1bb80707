import type { Database } from './queries.ts';
import { textOf } from './row.ts';

/** The console sessions that have not ended: the cookie says whose a session is, this store whether it is still valid. */
export interface SessionStore {
  begin(id: string, at: number): Promise<void>;
  /** When it was last used, in milliseconds since 1970; undefined if it has ended or never began. */
  seenAt(id: string): Promise<number | undefined>;
  see(id: string, at: number): Promise<void>;
  end(id: string): Promise<void>;
  /** Deletes the sessions that began before then. */
  forget(before: number): Promise<void>;
}

/** @param hash maps a session's id to what is stored, so that anyone who reads the database learns no id */
export function createSessionStore(database: Database, hash: (id: string) => string): SessionStore {
  const time = (at: number): string => new Date(at).toISOString();
  return {
    begin: async (id, at) => {
      await database.all('INSERT INTO console_sessions (session_id, began_at, seen_at) VALUES ($1, $2, $3)', [
        hash(id),
        time(at),
        time(at),
      ]);
    },
    seenAt: async (id) => {
      const [row] = await database.all('SELECT seen_at FROM console_sessions WHERE session_id = $1', [hash(id)]);
      return row && Date.parse(textOf(row, 'seen_at'));
    },
    see: async (id, at) => {
      await database.all('UPDATE console_sessions SET seen_at = $2 WHERE session_id = $1', [hash(id), time(at)]);
    },
    end: async (id) => {
      await database.all('DELETE FROM console_sessions WHERE session_id = $1', [hash(id)]);
    },
    forget: async (before) => {
      await database.all('DELETE FROM console_sessions WHERE began_at < $1', [time(before)]);
    },
  };
}
