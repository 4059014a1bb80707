import type { ActionImplementation } from '../../core/action/action.ts';
import { type ImageCheck, signatureText, worstSignature } from '../../core/action/image-signature.ts';
import type { ResolvedPod } from '../../core/actions/pod.schema.ts';
import type { VerifyImageInput, VerifyImageOutput } from '../../core/actions/verify-image.schema.ts';
import { parseReference, placeOf } from '../../core/cluster/image-reference.ts';
import { FirebreakError } from '../../core/errors.ts';
import { checkImage } from '../../integrations/cosign/check.ts';
import { readTrust, ruleFor, type TrustRule } from '../../integrations/cosign/trust.ts';
import type { KubernetesApi } from '../../integrations/kubernetes/client.ts';
import { readObject } from '../../integrations/kubernetes/objects.ts';
import { readSamePod } from '../../integrations/kubernetes/pods/pods.ts';
import type { PodJson } from '../../integrations/kubernetes/watch/projection.ts';
import { readSecret } from '../../integrations/kubernetes/workloads/secrets.ts';
import type { KnownHost } from '../../integrations/registry/get.ts';
import { credentialsFor } from '../../integrations/registry/pull-secrets.ts';
import { apiHostOf, openRepository } from '../../integrations/registry/repository.ts';
import { planToRead } from '../chokepoint/pod-reading.ts';

export interface ImageTrust {
  readonly rules: readonly TrustRule[];
  /** Registries with their own certificate authorities, or without TLS. */
  readonly registries: readonly KnownHost[];
  /** Time limit for all images of a pod together. */
  readonly withinMs: number;
}

type RunningImage = Pick<ImageCheck, 'container' | 'image' | 'digest'>;

const secretKeys = ['.dockerconfigjson', '.dockercfg'];
const mostSecrets = 20;

/** Checks the signatures of the images that a pod runs; see the declaration in `core/actions/verify-image.ts`. */
export function verifyImageImplementation(parts: {
  readonly api: KubernetesApi;
  readonly trust: ImageTrust;
}): ActionImplementation<VerifyImageInput, VerifyImageOutput> {
  const { api, trust } = parts;
  const known = [
    ...trust.registries,
    ...trust.rules.flatMap(({ repositories }) => repositories.map((one) => ({ host: apiHostOf(one.split('/')[0] ?? '') }))),
  ];

  const checkOne = async (
    running: RunningImage,
    configs: () => Promise<readonly string[]>,
    signal: AbortSignal,
  ): Promise<ImageCheck> => {
    const { image, digest } = running;
    const unknown = (reason: string): ImageCheck => ({ ...running, signature: 'unknown', by: [], reason, attestations: [] });
    const { repository, tag, digest: pinned } = parseReference(image);
    const { host, path } = placeOf(repository);
    const rule = ruleFor(trust.rules, `${host}/${path}`);
    // Anyone who can create a pod chooses its registry: without a rule, no registry is contacted.
    if (!rule) return unknown(`the configuration trusts nobody for ${host}/${path}`);
    const credentials = credentialsFor(await configs(), host, path);
    if (digest === undefined) return unknown('the node does not report what runs');
    const result = await checkImage({
      repository: openRepository({ host, path, credentials, known, signal }),
      running: digest,
      asked: pinned ?? tag ?? 'latest',
      trust: readTrust(rule),
    });
    return { ...running, ...result };
  };

  return {
    plan: ({ pod }, { signal }) =>
      planToRead({
        api,
        pod,
        signal,
        notes: ['Reads the pod and its pull secrets, and asks the registries that the configuration names; changes nothing.'],
      }),

    async started() {
      return false;
    },

    async apply({ pod: target, container }, { signal }) {
      const pod = await readSamePod({ api, pod: target, signal });
      const running = runningImages(pod).filter((one) => container === undefined || one.container === container);
      if (running.length === 0)
        throw new FirebreakError(
          'FB_ERR_NOT_FOUND',
          `pod/${target.namespace}/${target.name} has no container ${container ?? ''}`,
        );
      let read: Promise<readonly string[]> | undefined;
      const configs = (): Promise<readonly string[]> => (read ??= pullSecrets(pod, target, signal));
      const within = AbortSignal.any([signal, AbortSignal.timeout(trust.withinMs)]);
      const seen = new Map<string, Promise<ImageCheck>>();
      const images: ImageCheck[] = [];
      for (const one of running) {
        const key = `${one.image} ${one.digest}`;
        const check = seen.get(key) ?? checkOne(one, configs, within);
        seen.set(key, check);
        images.push({ ...(await check), container: one.container });
      }
      return { pod: target, signature: worstSignature(images), images };
    },

    async verify({ signature, images }) {
      const detail = images.map((one) => `${one.image}: ${signatureText(one)}`).join('; ');
      return { state: signature === 'unknown' ? 'unverified' : 'verified', detail };
    },
  };

  /** Pull secrets of the pod and of its account, as the kubelet uses them. */
  async function pullSecrets(pod: PodJson, { namespace }: ResolvedPod, signal: AbortSignal): Promise<readonly string[]> {
    const ref = {
      kind: 'ServiceAccount',
      resource: 'serviceaccounts',
      namespace,
      name: pod.spec?.serviceAccountName ?? 'default',
    };
    const account = await readObject({ api, ref, signal });
    const names = [...(pod.spec?.imagePullSecrets ?? []), ...namedIn(account?.imagePullSecrets)].flatMap(
      ({ name }) => name ?? [],
    );
    const texts: string[] = [];
    for (const name of [...new Set(names)].slice(0, mostSecrets)) {
      const data = (await readSecret({ api, namespace, name, signal }))?.data ?? {};
      for (const key of secretKeys) if (data[key] !== undefined) texts.push(Buffer.from(data[key], 'base64').toString('utf8'));
    }
    return texts;
  }
}

function namedIn(list: unknown): readonly { readonly name?: string }[] {
  return Array.isArray(list) ? list : [];
}

/** What the node reports for each container: its image as the pod specifies it, and the digest of what runs. */
function runningImages({ spec, status }: PodJson): readonly RunningImage[] {
  const statuses = [
    ...(status?.containerStatuses ?? []),
    ...(status?.initContainerStatuses ?? []),
    ...(status?.ephemeralContainerStatuses ?? []),
  ];
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? []), ...(spec?.ephemeralContainers ?? [])];
  return containers.map(({ name, image = '' }) => {
    const [digest] = /sha256:[0-9a-f]{64}$/.exec(statuses.find((one) => one.name === name)?.imageID ?? '') ?? [];
    return { container: name, image, ...(digest !== undefined && { digest }) };
  });
}
