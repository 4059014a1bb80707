import { FirebreakError } from '../../core/errors.ts';
import type { Row } from './queries.ts';

export function textOf(row: Row, column: string): string {
  const value = row[column];
  if (typeof value === 'string') return value;
  throw new FirebreakError('FB_ERR_INTERNAL', `the database's column ${column} does not hold text`);
}

export function numberOf(row: Row, column: string): number {
  const value = row[column];
  if (typeof value === 'number') return value;
  throw new FirebreakError('FB_ERR_INTERNAL', `the database's column ${column} does not hold a number`);
}

/** `($1, $2), ($3, $4)` for two rows of two columns. */
export function placeholders({ rows, columns }: { readonly rows: number; readonly columns: number }): string {
  return Array.from({ length: rows }, (_, row) => {
    const names = Array.from({ length: columns }, (_, column) => `$${row * columns + column + 1}`);
    return `(${names.join(', ')})`;
  }).join(', ');
}
