import { FirebreakError } from '../../core/errors.ts';
import { migrations } from '../../integrations/database/migrations.ts';

/** Users of a PostgreSQL database besides its owner, who alone may change the schema. */
export interface DatabaseUsers {
  readonly desk: string;
  /** User that carries out cuts. */
  readonly cuts?: string | undefined;
}

/** Append-only: a desk may neither change nor delete records. */
const addedOnly = 'audit_records';
/** Rows may be replaced: a head advances, and a forged checkpoint is replaced by the genuine one. */
const replaced = ['audit_heads', 'audit_checkpoints'] as const;
const register = 'schema_migrations';
/** Tables with data that belongs to the records of an incident. */
const besideRecords = ['stored_alerts', 'incident_summaries', 'incident_likeness', 'incident_verdicts'] as const;

/**
 * Returns PostgreSQL statements for the owner to run after each change of the schema: they grant exactly what a desk and the user that deletes may do, and
 * revoke everything else that they had before.
 * @throws FB_ERR_INCOMPLETE for an invalid name
 */
export function rightsStatements({ desk, cuts }: DatabaseUsers): readonly string[] {
  const user = quoted(desk);
  const others = tables().filter((table) => table !== addedOnly && !replaced.some((one) => one === table));
  const everything = [...tables(), register].join(', ');
  return [
    `REVOKE ALL ON ${everything} FROM PUBLIC, ${user};`,
    `GRANT SELECT ON ${register} TO ${user};`,
    `GRANT SELECT, INSERT ON ${addedOnly} TO ${user};`,
    `GRANT SELECT, INSERT, UPDATE ON ${replaced.join(', ')} TO ${user};`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON ${others.join(', ')} TO ${user};`,
    ...(cuts === undefined ? [] : cutStatements(quoted(cuts), everything)),
  ];
}

function cutStatements(user: string, everything: string): readonly string[] {
  return [
    `REVOKE ALL ON ${everything} FROM ${user};`,
    `GRANT SELECT ON ${[register, ...replaced].join(', ')} TO ${user};`,
    `GRANT UPDATE (cut_to) ON audit_heads TO ${user};`,
    `GRANT SELECT, DELETE ON ${[addedOnly, ...besideRecords].join(', ')} TO ${user};`,
    `GRANT UPDATE (actor, body, salt, removed) ON ${addedOnly} TO ${user};`,
  ];
}

/** Tables of the schema that this program creates. */
function tables(): readonly string[] {
  const statements = migrations.flatMap((migration) => migration.statements);
  return statements.flatMap((statement) => /^CREATE TABLE (\w+)/.exec(statement)?.[1] ?? []);
}

function quoted(name: string): string {
  if (!/^[A-Za-z_][\w$-]{0,62}$/.test(name))
    throw new FirebreakError('FB_ERR_INCOMPLETE', `${name} is not a valid name of a database user`);
  return `"${name}"`;
}
