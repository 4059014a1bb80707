import { FirebreakError } from '../../core/errors.ts';
import { migrations } from '../../integrations/database/migrations.ts';

/** Users of a PostgreSQL database besides its owner, who alone changes the schema. */
export interface DatabaseUsers {
  readonly desk: string;
  /** Who carries out cuts. */
  readonly cuts?: string | undefined;
}

/** Records are only ever added: by a desk they are neither changed nor deleted. */
const addedOnly = 'audit_records';
/** Their rows are replaced: a head moves on, and a forged checkpoint gives way to the true one. */
const replaced = ['audit_heads', 'audit_checkpoints'] as const;
const register = 'schema_migrations';
/** What goes with the records of an incident. */
const besideRecords = ['stored_alerts', 'incident_summaries', 'incident_likeness', 'incident_verdicts'] as const;

/**
 * Statements for PostgreSQL, for the owner to run after each change of the schema: what a desk may do, and what who deletes may. Nothing else, and nothing
 * of what they had before.
 * @throws FB_ERR_INCOMPLETE for a name that is none
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

/** Of the schema as this program makes it. */
function tables(): readonly string[] {
  const statements = migrations.flatMap((migration) => migration.statements);
  return statements.flatMap((statement) => /^CREATE TABLE (\w+)/.exec(statement)?.[1] ?? []);
}

function quoted(name: string): string {
  if (!/^[A-Za-z_][\w$-]{0,62}$/.test(name))
    throw new FirebreakError('FB_ERR_INCOMPLETE', `${name} is no name of a database user`);
  return `"${name}"`;
}
