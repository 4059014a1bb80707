import type { PendingSignIn, SignInStore } from '../../core/decide/sign-in.ts';
import type { Database, Row } from './queries.ts';
import { textOf } from './row.ts';

const retentionMs = 3_600_000;

export function createSignInStore(database: Database): SignInStore {
  return {
    save: async (pending) => {
      const { id, openedAt, begun } = pending;
      await database.all('DELETE FROM sign_ins WHERE opened_at < $1', [new Date(openedAt - retentionMs).toISOString()]);
      await database.all(
        `INSERT INTO sign_ins (sign_in_id, opened_at, state, pending_json) VALUES ($1, $2, $3, $4)
         ON CONFLICT (sign_in_id) DO UPDATE SET state = excluded.state, pending_json = excluded.pending_json`,
        [id, new Date(openedAt).toISOString(), begun?.state ?? '', JSON.stringify(pending)],
      );
    },
    find: async (id) => pendingOf(await database.all('SELECT pending_json FROM sign_ins WHERE sign_in_id = $1', [id])),
    findByState: async (state) =>
      state === '' ? undefined : pendingOf(await database.all('SELECT pending_json FROM sign_ins WHERE state = $1', [state])),
  };
}

function pendingOf([row]: readonly Row[]): PendingSignIn | undefined {
  if (!row) return undefined;
  const pending: PendingSignIn = JSON.parse(textOf(row, 'pending_json'));
  return pending;
}
