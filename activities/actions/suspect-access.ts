import { mayAccount } from '../../integrations/kubernetes/access-review.ts';
import type { KubernetesApi } from '../../integrations/kubernetes/client.ts';
import type { PodJson } from '../../integrations/kubernetes/projection.ts';

/** Why the suspect would get a new value under this name all the same, by the rights of its account; undefined where it would not. */
export async function whySuspectReads(options: {
  readonly api: KubernetesApi;
  readonly suspect: PodJson | undefined;
  readonly secret: string;
  readonly signal: AbortSignal;
}): Promise<string | undefined> {
  const { api, suspect, secret, signal } = options;
  if (!suspect || !hasToken(suspect)) return undefined;
  const { namespace = '' } = suspect.metadata ?? {};
  const name = suspect.spec?.serviceAccountName ?? 'default';
  const asked = [
    { verb: 'get', resource: 'secrets', namespace, name: secret },
    { verb: 'list', resource: 'secrets', namespace },
    { verb: 'watch', resource: 'secrets', namespace },
  ];
  const answers = await Promise.all(asked.map((right) => mayAccount({ api, account: { namespace, name }, right, signal })));
  const verb = asked.find((_, at) => answers[at])?.verb;
  return verb === undefined
    ? undefined
    : `the suspect’s account ${name} may ${verb} Secrets here, and would read the new value: take its rights first (revokeServiceAccount), or end its tokens (revokeTokens)`;
}

/** Since Kubernetes 1.22 a token is always a projected volume; what else the pod's settings say makes none. */
function hasToken({ spec }: PodJson): boolean {
  return (spec?.volumes ?? []).some(({ projected }) =>
    projected?.sources?.some(({ serviceAccountToken }) => serviceAccountToken !== undefined),
  );
}
