import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { stringify } from 'yaml';
import { FirebreakError } from '../../../core/errors.ts';
import { createKubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { accessFromKubeconfig, accessInCluster } from '../../../integrations/kubernetes/kubeconfig.ts';
import { usualNamespace } from '../../config/fields.ts';
import { installKeySet, keyManifests, makeKeySet } from '../../process/keys/key-set.ts';
import { type CommonOptions, namespaceName, withExamples, withJson } from '../options.ts';
import { print, printJson } from '../output.ts';

interface MakeOptions extends CommonOptions {
  readonly folder: string;
}

interface ManifestOptions {
  readonly folder: string;
  readonly namespace: string;
}

interface InstallOptions extends CommonOptions {
  readonly namespace: string;
  readonly kubeconfig?: string;
}

/** Adds `firebreak admin keys make|manifests|install`. */
export function registerKeysCommand(program: Command): void {
  const keys = program.command('keys').description('the keys of an installation whose roles run separately');
  const make = keys
    .command('make')
    .description('create the missing keys in a folder; existing keys are kept')
    .requiredOption('--folder <folder>', 'the folder for the keys, outside of every repository');
  withExamples(withJson(make), ['firebreak admin keys make --folder ~/firebreak-keys']).action(makeKeys);
  const manifests = keys
    .command('manifests')
    .description('print the keys of a folder as Secrets, one for each reader, and the public keys as a ConfigMap')
    .requiredOption('--folder <folder>', 'the folder of `firebreak admin keys make`')
    .option('--namespace <name>', 'where Firebreak runs', namespaceName, usualNamespace);
  withExamples(manifests, ['firebreak admin keys manifests --folder ~/firebreak-keys | kubectl apply --filename -']).action(
    printManifests,
  );
  const install = keys
    .command('install')
    .description('create the missing Secrets in the namespace, with new keys; the chart runs this first')
    .option('--namespace <name>', 'where Firebreak runs', namespaceName, usualNamespace)
    .option('--kubeconfig <file>', 'the kubeconfig (default: the account of the pod that this runs in)');
  withExamples(withJson(install), ['firebreak admin keys install --namespace firebreak --kubeconfig ~/.kube/config']).action(
    installKeys,
  );
}

async function makeKeys({ folder, json }: MakeOptions): Promise<void> {
  const made = await makeKeySet(resolve(folder));
  if (json) return printJson({ folder: resolve(folder), made });
  print(made.length > 0 ? `created in ${resolve(folder)}: ${made.join(', ')}` : `${resolve(folder)} already has all keys`);
}

async function printManifests({ folder, namespace }: ManifestOptions): Promise<void> {
  const manifests = await keyManifests({ folder: resolve(folder), namespace }).catch(() => {
    throw new FirebreakError(
      'FB_ERR_FILE_MISSING',
      `${resolve(folder)} does not have all keys: run firebreak admin keys make --folder ${folder}`,
    );
  });
  print(manifests.map((one) => stringify(one)).join('---\n'));
}

async function installKeys({ namespace, kubeconfig, json }: InstallOptions): Promise<void> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;
  const access = kubeconfig === undefined ? accessInCluster({ host, port }) : await accessFromKubeconfig({ file: kubeconfig });
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-keys-'));
  const api = createKubernetesApi({ access });
  try {
    const made = await installKeySet({ api, namespace, folder });
    if (json) printJson({ namespace, made });
    else print(made.length > 0 ? `created in ${namespace}: ${made.join(', ')}` : `${namespace} already has all keys`);
  } finally {
    api.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
