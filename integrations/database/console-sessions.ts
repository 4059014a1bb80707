import type { Database } from './queries.ts';
import { textOf } from './row.ts';

/** Which sessions of the console are not over: the cookie says whose, and this that it still counts. */
export interface SessionStore {
  begin(id: string, at: number): Promise<void>;
  /** When it was used last, in milliseconds since 1970; undefined for one that is over or was never begun. */
  seenAt(id: string): Promise<number | undefined>;
  see(id: string, at: number): Promise<void>;
  end(id: string): Promise<void>;
  /** Those that began before are forgotten. */
  forget(before: number): Promise<void>;
}

/** @param hash makes of a session's id what is stored: whoever reads the database learns no id */
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
