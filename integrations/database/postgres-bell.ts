import { Client, escapeIdentifier, type Pool } from 'pg';
import type { Bell } from './queries.ts';

const againMs = 1_000;
const answerWithinMs = 5_000;

/**
 * LISTEN and NOTIFY: https://www.postgresql.org/docs/current/sql-notify.html. A listener needs its own connection. Through a pooler that assigns a connection
 * per transaction, such as PgBouncer in that mode, nothing arrives: then it is as if nobody rang.
 */
export function createPostgresBell({ url, pool }: { readonly url: string; readonly pool: Pool }): Bell {
  return {
    ring: async (name) => {
      await pool.query({ text: `SELECT pg_notify($1, '')`, values: [name] }).catch(() => undefined);
    },
    hear: (name, heard) => {
      let open: Client | undefined;
      let timer: NodeJS.Timeout | undefined;
      let isOver = false;
      const connect = async (): Promise<void> => {
        const client = new Client({
          ...{ connectionString: url, application_name: 'firebreak', keepAlive: true },
          ...{ connectionTimeoutMillis: answerWithinMs, query_timeout: answerWithinMs },
        });
        open = client;
        let isLost = false;
        const lost = (): void => {
          if (isLost) return;
          isLost = true;
          client.end().catch(() => undefined);
          if (!isOver) timer = setTimeout(() => void connect(), againMs).unref();
        };
        client.on('error', lost);
        client.on('end', lost);
        client.on('notification', heard);
        try {
          await client.connect();
          await client.query(`LISTEN ${escapeIdentifier(name)}`);
          // Rings before this were missed.
          heard();
        } catch {
          lost();
        }
      };
      void connect();
      return async () => {
        isOver = true;
        clearTimeout(timer);
        await open?.end().catch(() => undefined);
      };
    },
  };
}
