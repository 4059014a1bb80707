import { rmSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import type { Command } from 'commander';
import { FirebreakError } from '../../../core/errors.ts';
import { writeProblem } from '../../../core/system-error.ts';
import { type WhichCluster, withCluster } from '../cluster.ts';
import { type CommonOptions, withConfig, withExamples } from '../options.ts';
import { print, printable, printJson, styled } from '../output.ts';

/** Adds `firebreak try snapshot`: records a cluster for `firebreak try simulate --snapshot`. */
export function registerSnapshotCommand(program: Command): void {
  withExamples(
    withConfig(
      program
        .command('snapshot')
        .description('record what actions read from a cluster, to make plans without it; values of Secrets are left out')
        .argument('<file>', 'the file to write; an existing one is overwritten')
        .option('--kubeconfig <file>', 'this cluster (default: the configuration’s)')
        .option('--context <name>', 'the context to use, instead of the current one'),
    ),
    [
      'firebreak try snapshot shop.snapshot --kubeconfig ~/.kube/config',
      'firebreak try simulate alerts/miner.json --snapshot shop.snapshot --story',
    ],
  ).action(run);
}

async function run(file: string, options: CommonOptions & WhichCluster): Promise<void> {
  const [{ createKubernetesApi }, { readOnlyApi }, { recordCluster }, { readRights }] = await Promise.all([
    import('../../../integrations/kubernetes/client.ts'),
    import('../../../integrations/kubernetes/recorded/read-only.ts'),
    import('../../../integrations/kubernetes/recorded/snapshot.ts'),
    import('../../simulation/cluster-plans.ts'),
  ]);
  const snapshot = await withCluster(options, async ({ access }) => {
    const api = readOnlyApi(createKubernetesApi({ access }));
    try {
      return await recordCluster({ api, rights: readRights });
    } finally {
      api.close();
    }
  });
  const bytes = gzipSync(JSON.stringify(snapshot));
  // Readable only by the person who recorded it: it shows how a cluster is built and what runs in it.
  try {
    rmSync(file, { force: true });
    writeFileSync(file, bytes, { mode: 0o600 });
  } catch (error) {
    throw new FirebreakError('FB_ERR_INCOMPLETE', `${file} cannot be written: ${writeProblem(error)}`);
  }
  const { server, at, resources, missing } = snapshot;
  const objects = resources.reduce((sum, { items }) => sum + items.length, 0);
  if (options.json) return printJson({ file, server, at, objects, bytes: bytes.length, missing });
  print(printable(`Recorded: ${objects} objects of ${server}, ${Math.ceil(bytes.length / 1_024)} KiB in ${file}`));
  for (const { resource, reason } of missing) print(styled('yellow', printable(`Not recorded: ${resource}: ${reason}`)));
}
