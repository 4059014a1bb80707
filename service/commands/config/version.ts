import { Client } from '@temporalio/client';
import type { Command } from 'commander';
import { FirebreakError } from '../../../core/errors.ts';
import { configToUse } from '../../config/left-out.ts';
import { resolveAuditUrl } from '../../config/secrets.ts';
import { openClusterApi } from '../../process/cluster-api.ts';
import { firebreakVersion } from '../../process/project-root.ts';
import { type Installed, installedIn, knownSchema, rolesAtTemporal, schemaAt, skewFindings } from '../../skew/skew.ts';
import { openConnection } from '../../temporal/access.ts';
import { workflowBuild } from '../../temporal/bundle/pack-build.ts';
import { type ConfiguredOptions, withConfig, withExamples } from '../options.ts';
import { print, printable, printFacts, printJson, printTable, styled } from '../output.ts';

interface VersionOptions extends ConfiguredOptions {
  readonly skew?: true;
}

/** Adds `firebreak version`. */
export function registerVersionCommand(program: Command): void {
  const command = program
    .command('version')
    .description('print the version; with --skew, the versions of everything running and stored, and whether they are compatible')
    .option('--skew', 'check the database, Temporal and the cluster; exit code 1 if something is incompatible');
  withExamples(withConfig(command), ['firebreak version', 'firebreak version --skew --json']).action(version);
}

async function version(options: VersionOptions): Promise<void> {
  const build = await workflowBuild({ packs: [], stateDir: '' }).catch(() => undefined);
  const own = { version: firebreakVersion(), schema: knownSchema, ...(build && { build: build.id }) };
  const installed = options.skew ? await look(options, own) : undefined;
  if (!installed) {
    if (options.json) return printJson({ ...own, node: process.version });
    return printFacts([
      ['firebreak', own.version],
      ['build', own.build ?? 'none: these are the sources'],
      ['schema', String(own.schema)],
      ['node', process.version],
    ]);
  }
  const findings = skewFindings(installed);
  if (findings.some(({ kind }) => kind === 'broken')) process.exitCode = 1;
  const { database, temporal, cluster, unasked } = installed;
  if (options.json)
    return printJson({
      ...installed,
      ...(temporal && { temporal: { ...temporal, open: Object.fromEntries(temporal.open) } }),
      findings,
    });
  printFacts([
    ['this program', `${own.version}, schema ${own.schema}, build ${own.build ?? 'none'}`],
    ['database', database ? `schema ${database.schema}, for programs that know ${database.needs}` : 'not checked'],
    ['current build', printable(temporal?.current ?? 'unknown')],
  ]);
  if (temporal && temporal.roles.length > 0)
    printTable(temporal.roles, [
      { title: 'ROLE', text: ({ role }) => role },
      { title: 'VERSION', text: (row) => row.version },
      { title: 'BUILD', text: (row) => row.build ?? '' },
      { title: 'PROCESS', text: (row) => row.process },
    ]);
  for (const { name, image, chart } of cluster?.workloads ?? []) print(printable(`${name}  ${image}  ${chart ?? ''}`));
  for (const line of [...(cluster?.resources ?? []), ...unasked]) print(printable(line));
  for (const { kind, text } of findings) print(`${styled(kind === 'broken' ? 'red' : 'yellow', kind)}  ${printable(text)}`);
  if (findings.length === 0 && unasked.length === 0) print('everything is compatible');
}

/** Each part is read separately, so that one that does not answer does not hide the others. */
async function look(options: ConfiguredOptions, program: Installed['program']): Promise<Installed> {
  const config = configToUse(options.config);
  const unasked: string[] = [];
  const ask = async <Part>(what: string, work: () => Promise<Part>): Promise<Part | undefined> => {
    try {
      return await work();
    } catch (error) {
      unasked.push(`${what} could not be checked: ${error instanceof FirebreakError ? error.detail : 'it did not answer'}`);
      return undefined;
    }
  };
  const database = await ask('the database', () => schemaAt(resolveAuditUrl({ config, env: process.env })));
  const temporal = await ask('Temporal', async () => {
    // No payload is read, so no key is needed.
    const connection = await openConnection({ config, env: process.env });
    try {
      const client = new Client({ connection, namespace: config.temporal.namespace });
      return await rolesAtTemporal({ client, cluster: config.cluster });
    } finally {
      await connection.close();
    }
  });
  const cluster = await ask('the cluster', async () => {
    const api = await openClusterApi({ config, env: process.env });
    try {
      return await installedIn({ api, namespace: config.kubernetes.ownNamespace });
    } finally {
      api.close();
    }
  });
  return { program, ...(database && { database }), ...(temporal && { temporal }), ...(cluster && { cluster }), unasked };
}
