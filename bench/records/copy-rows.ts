import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { findPostgres } from '../../test/suites.mjs';

/** A row in the text format that `COPY` reads. */
export function copyLine(values: readonly (string | number)[]): string {
  return `${values.map((value) => copyText(String(value))).join('\t')}\n`;
}

function copyText(value: string): string {
  if (!/[\\\n\t]/.test(value)) return value;
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\t', '\\t');
}

/** Writes rows into a table with psql's `COPY`: a hundred times as fast as statements. */
export function copyInto(url: string, table: string) {
  const programs = findPostgres();
  if (programs === undefined) throw new Error('This machine has no PostgreSQL programs.');
  const args = ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-c', `COPY ${table} FROM STDIN`, url];
  const psql = spawn(join(programs, 'psql'), args, { stdio: ['pipe', 'inherit', 'inherit'] });
  const closed = once(psql, 'close');
  return {
    write: async (lines: string): Promise<void> => {
      if (!psql.stdin.write(lines)) await once(psql.stdin, 'drain');
    },
    end: async (): Promise<void> => {
      psql.stdin.end();
      const [code] = await closed;
      if (code !== 0) throw new Error(`psql ended with ${code}`);
    },
  };
}
