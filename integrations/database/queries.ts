export type Parameter = string | number | null;

export type Row = Readonly<Record<string, unknown>>;

/** Statements that SQLite and PostgreSQL both understand, with `$1`, `$2` … for the parameters. */
export interface Queries {
  all(sql: string, parameters?: readonly Parameter[]): Promise<readonly Row[]>;
}

/** Wakes listeners on the same database. A ring carries no data, may be lost, and may come from anybody: anyone who depends on it must also poll. */
export interface Bell {
  /** Never fails. */
  ring(name: string): Promise<void>;
  /** Returns a function that stops listening. */
  hear(name: string, heard: () => void): () => Promise<void>;
}

export interface Database extends Queries {
  readonly kind: 'sqlite' | 'postgres';
  /** All or nothing; durable once it resolves. */
  transaction<Result>(work: (queries: Queries) => Promise<Result>): Promise<Result>;
  /** All or nothing; if the power fails soon afterwards, nothing. It does not wait for the disk. */
  note<Result>(work: (queries: Queries) => Promise<Result>): Promise<Result>;
  /** Reads that all see the same point in time. */
  snapshot<Result>(work: (queries: Queries) => Promise<Result>): Promise<Result>;
  /** A transaction that changes tables: one process at a time, and without the usual time limit per statement, since tables may be large. */
  migration<Result>(work: (queries: Queries) => Promise<Result>): Promise<Result>;
  /** Absent: one process has the database to itself, or nearly so. */
  readonly bell?: Bell;
  close(): Promise<void>;
}
