export type Parameter = string | number | null;

export type Row = Readonly<Record<string, unknown>>;

/** Statements that SQLite and PostgreSQL both understand, with `$1`, `$2` … for the parameters. */
export interface Queries {
  all(sql: string, parameters?: readonly Parameter[]): Promise<readonly Row[]>;
}

export interface Database extends Queries {
  readonly kind: 'sqlite' | 'postgres';
  /** All or nothing, durable when it resolves. */
  transaction<Result>(work: (queries: Queries) => Promise<Result>): Promise<Result>;
  /** Reads that all see the same moment. */
  snapshot<Result>(work: (queries: Queries) => Promise<Result>): Promise<Result>;
  /** A transaction that changes tables: one process at a time, and its statements take as long as large tables need. */
  migration<Result>(work: (queries: Queries) => Promise<Result>): Promise<Result>;
  close(): Promise<void>;
}
