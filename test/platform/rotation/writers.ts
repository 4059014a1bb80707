import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'yaml';
import { pathOf } from '../../../integrations/kubernetes/client.ts';
import { KubernetesError } from '../../../integrations/kubernetes/client-error.ts';
import type { ObjectJson } from '../../../integrations/kubernetes/objects.ts';
import type { CertificateJson, ExternalSecretJson } from '../../../integrations/kubernetes/workloads/secret-writers.ts';
import type { TestCluster } from '../actions/row.ts';
import { until } from '../kubernetes/parts/cluster.ts';

export const externalSecrets = { group: 'external-secrets.io', version: 'v1', resource: 'externalsecrets' };
export const certificates = { group: 'cert-manager.io', version: 'v1', resource: 'certificates' };

/** Defines the two kinds in the API server, with the definitions that their projects publish. */
export async function installWriterKinds(cluster: TestCluster): Promise<void> {
  const path = pathOf({ group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions' });
  for (const [file, place] of [
    ['externalsecrets-v1.3.2', externalSecrets],
    ['certificates-v1.21.2', certificates],
  ] as const) {
    const definition: unknown = parse(readFileSync(join(import.meta.dirname, `../../fixtures/crds/${file}.yaml`), 'utf8'));
    await cluster.post(path, definition).catch((error: unknown) => {
      if (!(error instanceof KubernetesError) || error.status !== 409) throw error;
    });
    await until(() => cluster.get<object>(pathOf(place)).catch(() => undefined));
  }
}

export interface Controller {
  /** Number of times that it has written a Secret. */
  readonly written: () => number;
  stop(): Promise<void>;
}

function run(work: () => Promise<boolean>): Controller {
  let [written, stopped] = [0, false];
  const loop = (async () => {
    while (!stopped) {
      // The next round sees changes made meanwhile, as with a controller's queue.
      if (await work().catch(() => false)) written += 1;
      await sleep(50);
    }
  })();
  return {
    written: () => written,
    async stop() {
      stopped = true;
      await loop;
    },
  };
}

const status = (cluster: TestCluster, place: Parameters<typeof pathOf>[0], seen: ObjectJson, body: object) =>
  cluster.api.json({
    method: 'PATCH',
    patch: 'merge',
    path: pathOf({ ...place, name: seen.metadata.name, subresource: 'status' }),
    body: { metadata: { resourceVersion: seen.metadata.resourceVersion }, status: body },
    what: 'write a status for a test',
  });

const writeSecret = async (cluster: TestCluster, namespace: string, name: string, body: object): Promise<void> => {
  const path = pathOf({ resource: 'secrets', namespace, name });
  await cluster.api.json({
    method: 'PATCH',
    patch: 'apply',
    path,
    query: { fieldManager: 'writer', force: 'true' },
    body: { apiVersion: 'v1', kind: 'Secret', metadata: { name }, ...body },
    what: 'write a Secret for a test',
  });
};

/**
 * Acts like the controller of External Secrets: reads the provider if generation, annotations or labels differ from its last look, writes the Secret that it
 * owns, and reports it in the status; `read` returns undefined if the provider does not answer.
 */
export function externalSecretController(options: {
  readonly cluster: TestCluster;
  readonly namespace: string;
  readonly read: () => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>> | undefined;
}): Controller {
  const { cluster, namespace, read } = options;
  const place = { ...externalSecrets, namespace };
  return run(async () => {
    const { items } = await cluster.get<{ items: ExternalSecretJson[] }>(pathOf(place));
    for (const seen of items) {
      const { name, uid, annotations = {}, labels = {} } = seen.metadata;
      const version = createHash('sha256')
        .update(JSON.stringify([annotations, labels]))
        .digest('hex')
        .slice(0, 32);
      const synced = `1-${version}`;
      if (seen.status?.syncedResourceVersion === synced) continue;
      const now = new Date().toISOString();
      const ready = (is: boolean) => [
        {
          type: 'Ready',
          status: is ? 'True' : 'False',
          reason: is ? 'SecretSynced' : 'SecretSyncedError',
          lastTransitionTime: now,
        },
      ];
      const stringData = await read();
      if (!stringData) {
        await status(cluster, place, seen, { conditions: ready(false) });
        continue;
      }
      const owner = { apiVersion: 'external-secrets.io/v1', kind: 'ExternalSecret', name, uid, controller: true };
      const data = Object.fromEntries(
        Object.entries(stringData).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
      );
      await writeSecret(cluster, namespace, name, {
        metadata: { name, ownerReferences: [owner], labels: { 'reconcile.external-secrets.io/managed': 'true' } },
        data,
      });
      await status(cluster, place, seen, {
        conditions: ready(true),
        refreshTime: now,
        syncedResourceVersion: synced,
        binding: { name },
      });
      return true;
    }
    return false;
  });
}

/**
 * Acts like cert-manager: issues if the condition Issuing is True, on a new key unless the policy is Never, increments the revision and removes the condition;
 * or reports that the issuer failed.
 */
export function certificateController(options: {
  readonly cluster: TestCluster;
  readonly namespace: string;
  readonly issuer?: 'issues' | 'fails' | 'keeps the key';
}): Controller {
  const { cluster, namespace, issuer = 'issues' } = options;
  const place = { ...certificates, namespace };
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-issuer-'));
  const inFolder = (...words: readonly string[]) => execFileSync('openssl', words, { cwd: folder, stdio: 'pipe' });
  const controller = run(async () => {
    const { items } = await cluster.get<{ items: CertificateJson[] }>(pathOf(place));
    for (const seen of items) {
      const { conditions = [], revision = 0 } = seen.status ?? {};
      const isFirst = revision === 0;
      if (!isFirst && !conditions.some(({ type, status: is }) => type === 'Issuing' && is === 'True')) continue;
      const now = new Date().toISOString();
      if (issuer === 'fails' && !isFirst) {
        const failed = { type: 'Issuing', status: 'False', reason: 'Failed', lastTransitionTime: now };
        await status(cluster, place, seen, { conditions: [...conditions.filter(({ type }) => type !== 'Issuing'), failed] });
        continue;
      }
      if (isFirst || issuer === 'issues') inFolder('ecparam', '-genkey', '-name', 'prime256v1', '-noout', '-out', 'key.pem');
      inFolder('req', '-x509', '-key', 'key.pem', '-days', '90', '-subj', '/CN=shop', '-out', 'cert.pem');
      const base64 = (file: string) => readFileSync(join(folder, file)).toString('base64');
      await writeSecret(cluster, namespace, seen.spec?.secretName ?? '', {
        metadata: { name: seen.spec?.secretName, annotations: { 'cert-manager.io/certificate-name': seen.metadata.name } },
        type: 'kubernetes.io/tls',
        data: { 'tls.crt': base64('cert.pem'), 'tls.key': base64('key.pem') },
      });
      const ready = { type: 'Ready', status: 'True', reason: 'Ready', lastTransitionTime: now };
      await status(cluster, place, seen, { revision: revision + 1, conditions: [ready] });
      return true;
    }
    return false;
  });
  return {
    ...controller,
    async stop() {
      await controller.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
