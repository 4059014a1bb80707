export type Parameter = string | number | null;

export type Row = Readonly<Record<string, unknown>>;

/** Statements that SQLite and PostgreSQL both understand, with `$1`, `$2` … for the parameters. */
export interface Queries {
  all(sql: string, parameters?: readonly Parameter[]): Promise<readonly Row[]>;
}

/** Wakes who listens on the same database. It says nothing, and may never come, or come from anybody: who has to know looks by themselves besides. */
export interface Bell {
  /** Never fails. */
  ring(name: string): Promise<void>;
  /** Returns what ends it. */
  hear(name: string, heard: () => void): () => Promise<void>;
}

export interface Database extends Queries {
  readonly kind: 'sqlite' | 'postgres';
  /** All or nothing, durable when it resolves. */
  transaction<Result>(work: (queries: Queries) => Promise<Result>): Promise<Result>;
  /** All or nothing; when the power fails soon afterwards, nothing. It does not wait for the disk. */
  note<Result>(work: (queries: Queries) => Promise<Result>): Promise<Result>;
  /** Reads that all see the same moment. */
  snapshot<Result>(work: (queries: Queries) => Promise<Result>): Promise<Result>;
  /** A transaction that changes tables: one process at a time, and its statements take as long as large tables need. */
  migration<Result>(work: (queries: Queries) => Promise<Result>): Promise<Result>;
  /** Absent: one process has the database for itself, or nearly so. */
  readonly bell?: Bell;
  close(): Promise<void>;
}
