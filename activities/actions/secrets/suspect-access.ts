import { type AskedRight, mayAccount } from '../../../integrations/kubernetes/access-review.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { isOfKubelet, type PodJson, secretUses } from '../../../integrations/kubernetes/watch/projection.ts';
import { readSecret } from '../../../integrations/kubernetes/workloads/secrets.ts';

/** An account whose token the suspect has. */
interface HeldAccount {
  readonly name: string;
  /** The token Secret that it comes from; absent if the token is bound to the pod. */
  readonly from?: string;
}

/** Why the suspect would still get the new value under this name, through the rights of the accounts whose tokens it has; undefined if it would not. */
export type WhySuspectReads = (secret: string) => Promise<string | undefined>;

/** Finds the tokens that the suspect has: the one bound to it, and every token Secret that it names. */
export async function suspectAccess(options: {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly suspect: PodJson | undefined;
  /** Further Secrets that it had: a token from one of them outlives the pod. */
  readonly named: readonly string[];
  readonly signal: AbortSignal;
}): Promise<WhySuspectReads> {
  const { api, namespace, suspect, named, signal } = options;
  // Secrets that only the kubelet uses are not in the container.
  const used = (suspect?.spec ? secretUses(suspect.spec) : []).flatMap((use) => (isOfKubelet(use) ? [] : [use.name]));
  const secrets = [...new Set([...used, ...named])].sort();
  const accounts = [...(suspect ? boundAccount(suspect) : []), ...(await tokenSecrets({ api, namespace, secrets, signal }))];

  const allowed = async (account: HeldAccount, secret: string): Promise<string | undefined> => {
    const asked: readonly AskedRight[] = [
      { verb: 'get', resource: 'secrets', namespace, name: secret },
      { verb: 'list', resource: 'secrets', namespace },
      { verb: 'watch', resource: 'secrets', namespace },
    ];
    const may = (right: AskedRight) => mayAccount({ api, account: { namespace, name: account.name }, right, signal });
    const answers = await Promise.all(asked.map(may));
    return asked.find((_, at) => answers[at])?.verb;
  };

  return async (secret) => {
    for (const account of accounts) {
      const verb = await allowed(account, secret);
      if (verb === undefined) continue;
      const { name, from } = account;
      const whose =
        from === undefined
          ? `the suspect’s account ${name}`
          : `the account ${name}, whose token the suspect has from the Secret ${from},`;
      const end = from === undefined ? 'or end its tokens (revokeTokens)' : 'or delete that Secret, which ends the token';
      return `${whose} may ${verb} Secrets here, and would read the new value: take its rights first (revokeServiceAccount), ${end}`;
    }
    return undefined;
  };
}

/** Since Kubernetes 1.22, an automatically mounted token is a projected volume; the pod's other settings create no token. */
function boundAccount({ spec }: PodJson): readonly HeldAccount[] {
  const isMounted = (spec?.volumes ?? []).some(({ projected }) =>
    projected?.sources?.some(({ serviceAccountToken }) => serviceAccountToken !== undefined),
  );
  return isMounted ? [{ name: spec?.serviceAccountName ?? 'default' }] : [];
}

/**
 * https://kubernetes.io/docs/concepts/configuration/secret/#serviceaccount-token-secrets: such a token never expires, and may belong to any account of the
 * namespace.
 */
async function tokenSecrets(options: {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly secrets: readonly string[];
  readonly signal: AbortSignal;
}): Promise<readonly HeldAccount[]> {
  const { api, namespace, secrets, signal } = options;
  const found = await Promise.all(secrets.map((name) => readSecret({ api, namespace, name, signal })));
  return found.flatMap((secret) => {
    if (secret?.type !== 'kubernetes.io/service-account-token') return [];
    const account = secret.metadata?.annotations?.['kubernetes.io/service-account.name'];
    return account === undefined ? [] : [{ name: account, from: secret.metadata?.name ?? '' }];
  });
}
