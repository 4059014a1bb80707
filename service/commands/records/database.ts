import { type Command, InvalidArgumentError } from 'commander';
import { FirebreakError } from '../../../core/errors.ts';
import { openAsIs, openDatabase } from '../../../integrations/database/database.ts';
import { migrateBack, migrations, schemaOf } from '../../../integrations/database/migrations.ts';
import { configToUse } from '../../config/left-out.ts';
import { type DatabaseUsers, rightsStatements } from '../../records/database-rights.ts';
import { type ConfirmOptions, confirm, mustBeConfirmable, withConfirmation } from '../confirm.ts';
import { type ConfiguredOptions, withConfig, withExamples } from '../options.ts';
import { print, printable, printJson, printTable } from '../output.ts';
import { existingAuditUrl } from './audit.ts';

interface BackOptions extends ConfiguredOptions, ConfirmOptions {
  readonly to: number;
}

/** Adds `firebreak admin database show|migrate|rights|back`. */
export function registerDatabaseCommand(program: Command): void {
  const database = program.command('database').description('the schema of the database with the records');
  const show = database
    .command('show')
    .description('list the versions of the schema: which are applied, and which older programs cannot use');
  withExamples(withConfig(show), ['firebreak admin database show']).action(showSchema);
  const migrated = database
    .command('migrate')
    .description('upgrade the schema as the owner of the database, if the desk’s user may not');
  withExamples(withConfig(migrated), ['firebreak admin database migrate']).action(migrateSchema);
  const rights = database
    .command('rights')
    .description('print PostgreSQL grants that let a desk add records, but not change or delete them')
    .requiredOption('--desk <user>', 'the database user in `audit.url` of a desk')
    .option('--cuts <user>', 'the database user that runs `firebreak records cut`');
  withExamples(rights, [
    'firebreak admin database rights --desk firebreak_desk --cuts firebreak_cuts | psql "$OWNER_URL"',
  ]).action((users: DatabaseUsers) => print(rightsStatements(users).join('\n')));
  const back = database
    .command('back')
    .description(
      'undo newer versions of the schema, with the data that only they have, before going back to an older program; Firebreak must be stopped',
    )
    .requiredOption(
      '--to <number>',
      'the version of the schema that the older program knows (see its `firebreak version`)',
      schemaNumber,
    );
  withExamples(withConfirmation(withConfig(back)), ['firebreak admin database back --to 14']).action(goBack);
}

function schemaNumber(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Expected the number of a schema version.');
}

async function migrateSchema(options: ConfiguredOptions): Promise<void> {
  const database = await openDatabase({ url: existingAuditUrl(configToUse(options.config)) });
  try {
    const { number } = await schemaOf(database);
    if (options.json) return printJson({ schema: number });
    print(`The database has schema ${number}.`);
  } finally {
    await database.close();
  }
}

async function showSchema(options: ConfiguredOptions): Promise<void> {
  const config = configToUse(options.config);
  const database = await openAsIs({ url: existingAuditUrl(config) });
  try {
    const done = await schemaOf(database);
    if (options.json) return printJson({ ...done, known: migrations.length });
    const rows = migrations.map(({ name, isBreaking }, index) => ({
      number: index + 1,
      name,
      isBreaking,
      isDone: index < done.number,
    }));
    printTable(rows, [
      { title: 'SCHEMA', text: ({ number }) => String(number) },
      { title: 'STATE', text: ({ isDone }) => (isDone ? 'done' : 'pending') },
      { title: 'OLDER PROGRAMS', text: ({ isBreaking }) => (isBreaking ? 'cannot work with it' : 'still work') },
      { title: 'WHAT', text: ({ name }) => name },
    ]);
    if (done.number > migrations.length) print(`The database has schema ${done.number}, of a newer version of Firebreak.`);
  } finally {
    await database.close();
  }
}

async function goBack(options: BackOptions): Promise<void> {
  mustBeConfirmable(options, 'the name of the cluster');
  const config = configToUse(options.config);
  const database = await openAsIs({ url: existingAuditUrl(config) });
  try {
    const { number } = await schemaOf(database);
    const gone = migrations.slice(options.to, number).toReversed();
    if (number > migrations.length)
      throw new FirebreakError(
        'FB_ERR_UNAVAILABLE',
        `the database has schema ${number} of a newer version of Firebreak: only that version can go back`,
      );
    if (gone.length === 0) return print(`The database has schema ${number}: there is nothing to undo.`);
    const lines = [
      `The database goes back from schema ${number} to ${options.to}. This removes the data in:`,
      ...gone.map(({ name }) => `  ${name}`),
    ];
    await confirm({ lines, ends: config.cluster }, options);
    await migrateBack(database, { to: options.to });
    if (options.json) printJson({ schema: options.to });
    else print(printable(`The database has schema ${options.to}.`));
  } finally {
    await database.close();
  }
}
