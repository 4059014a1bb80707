import type { ActionImplementation, StepContext } from '../../../core/action/action.ts';
import type { Change } from '../../../core/action/plan.ts';
import type { RevokeTokensInput, RevokeTokensOutput } from '../../../core/actions/secrets/revoke-tokens.schema.ts';
import { names } from '../../../core/cluster/labels.ts';
import { FirebreakError, undefinedIf } from '../../../core/errors.ts';
import { type KubernetesApi, pathOf } from '../../../integrations/kubernetes/client.ts';
import {
  deleteObject,
  despiteConflicts,
  listObjects,
  type ObjectJson,
  type ObjectRef,
  readKnownObject,
  readObject,
  targetOf,
} from '../../../integrations/kubernetes/objects.ts';
import { readSamePod } from '../../../integrations/kubernetes/pods/pods.ts';
import { type PodJson, podRecord, secretUses } from '../../../integrations/kubernetes/watch/projection.ts';
import { controllerOf } from '../../../integrations/kubernetes/workloads/owners.ts';
import { deletePodImplementation } from '../workloads/delete-pod.ts';
import { lookFor, podsLeft } from '../workloads/pods-ended.ts';
import { accountRef, keeperRef, makeAccountAnew, restorableOf } from './account-anew.ts';

/** Names and annotations only: with this the API server sends no values, whatever the right would allow. */
const metadataOnly = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io';
const accountNameAnnotation = 'kubernetes.io/service-account.name';

/** Invalidates tokens through what they are bound to; see the declaration in `core/actions/secrets/revoke-tokens.ts`. */
export function revokeTokensImplementation(options: {
  readonly api: KubernetesApi;
  readonly pollMs?: number;
}): ActionImplementation<RevokeTokensInput, RevokeTokensOutput> {
  const { api, pollMs = 250 } = options;
  const deletion = deletePodImplementation({ api, pollMs });

  const tokenSecrets = async (namespace: string, account: string, signal: AbortSignal): Promise<readonly ObjectJson[]> => {
    const { items } = await api.json<{ readonly items: readonly ObjectJson[] | null }>({
      method: 'GET',
      path: pathOf({ resource: 'secrets', namespace }),
      query: { fieldSelector: 'type=kubernetes.io/service-account-token', limit: '500' },
      accept: metadataOnly,
      what: `list secrets in ${namespace}`,
      signal,
    });
    // An empty list in this format has no items at all.
    return (items ?? []).filter(({ metadata }) => metadata.annotations?.[accountNameAnnotation] === account);
  };

  const users = async (namespace: string, signal: AbortSignal): Promise<readonly PodJson[]> =>
    listObjects<PodJson>({ api, ref: { kind: 'Pod', resource: 'pods', namespace }, signal });

  return {
    async plan(input, context) {
      const { pod, ways } = input;
      const { signal } = context;
      const { namespace } = pod;
      const account = accountName(input);
      const found = await readSamePod({ api, pod, signal });
      const ref = accountRef(namespace, account);
      const target = `pod/${namespace}/${pod.name}`;
      if ((found.spec?.serviceAccountName ?? 'default') !== account)
        throw new FirebreakError('FB_ERR_REFUSED', `${target} does not have the account ${account}`);
      const [secrets, pods] = await Promise.all([
        ways.includes('legacySecrets') ? tokenSecrets(namespace, account, signal) : [],
        users(namespace, signal),
      ]);
      const others = pods.map(podOf).filter(({ name }) => name !== pod.name);
      const tokenNames = secrets.map(({ metadata }) => metadata.name).sort();
      const mounting = others.filter(({ secretNames }) => secretNames.some((name) => tokenNames.includes(name)));
      const sharing = ways.includes('account') ? others.filter((one) => one.account === account) : [];
      const changes: Change[] = [];
      const notes: string[] = [
        'Anyone who holds a token keeps what they have read with it, and what they have created in the cluster.',
      ];
      if (ways.includes('legacySecrets')) {
        changes.push(
          ...tokenNames.map((name) => ({
            target: `secret/${namespace}/${name}`,
            what: 'is deleted, which invalidates its token',
          })),
        );
        notes.push(
          tokenNames.length === 0
            ? `${account} has no token Secrets.`
            : `Whatever uses these token Secrets outside the cluster (a pipeline, a dashboard) stops working${mounting.length > 0 ? `, and pods that mount one cannot start again: ${listOf(mounting)}` : ''}.`,
        );
      }
      if (ways.includes('account')) {
        const settings = await readKnownObject({ api, ref, signal });
        if (account === 'default' && settings.imagePullSecrets !== undefined)
          throw new FirebreakError(
            'FB_ERR_REFUSED',
            `${targetOf(ref)} has registry logins, and its controller recreates it without them: give the workload an account of its own`,
          );
        const { lost } = restorableOf(settings.metadata);
        const keeper = targetOf(keeperRef({ namespace, name: account, context }));
        changes.push(
          { target: keeper, what: 'keeps the settings of the account while it is recreated, and is then deleted' },
          { target: targetOf(ref), what: 'is deleted and recreated: every token ever issued for it becomes invalid' },
        );
        notes.push(
          sharing.length === 0
            ? `No other pod uses ${account}.`
            : `These pods use ${account} too, and cannot reach the API server until their token is renewed or they are restarted: ${listOf(sharing)}.`,
          ...(lost > 0
            ? [`It has more labels and annotations than can be kept meanwhile: ${lost} of them are not restored.`]
            : []),
          'The account keeps its roles, which are bound to its name: narrow them first, or anyone who gets a new token can do the same again.',
        );
      }
      if (ways.includes('pod')) {
        changes.push({ target, what: 'is deleted, which invalidates the token that is bound to it' });
        const owner = controllerOf(podRecord(found).owners);
        notes.push(
          `Tokens that were issued for ${account} without being bound to this pod stay valid unless the account is recreated.`,
          ...(owner ? [`${owner.kind} ${owner.name} starts another pod with the same account.`] : []),
        );
      } else if (!ways.includes('account'))
        notes.push('The token in the pod stays valid: it is bound to the pod or to the account.');
      const touched = [...mounting, ...sharing].map(({ name }) => `pod/${namespace}/${name}`);
      return {
        target: { name: target, uid: pod.uid },
        reach: ways.every((way) => way === 'pod') ? 'pod' : 'namespace',
        changes,
        blastRadius: [...new Set([...changes.map((change) => change.target), ...touched])].sort(),
        notes,
      };
    },

    async started(input, context) {
      const { pod } = input;
      const { signal, key } = context;
      const account = await readObject({ api, ref: accountRef(pod.namespace, accountName(input)), signal });
      if (account?.metadata.annotations?.[names.stepAnnotation] === key) return true;
      const kept = await readObject({
        api,
        ref: keeperRef({ namespace: pod.namespace, name: accountName(input), context }),
        signal,
      });
      if (kept?.metadata.annotations?.[names.stepAnnotation] === key) return true;
      return deletion.started({ pod }, context);
    },

    /** The pod goes last: it identifies the account for as long as anything is left to do. */
    async apply(input, context) {
      const { pod, ways } = input;
      const { namespace } = pod;
      const account = accountName(input);
      const { signal } = context;
      if (ways.includes('legacySecrets'))
        await despiteConflicts(async () => {
          for (const seen of await tokenSecrets(namespace, account, signal)) await deleteSecret(seen, namespace, context);
        });
      const accountUid = ways.includes('account') ? await makeAccountAnew({ api, namespace, name: account, context }) : undefined;
      if (ways.includes('pod') && !(await deletion.started({ pod }, context))) await deletion.apply({ pod }, context);
      return { pod, account, ways, ...(accountUid !== undefined && { accountUid }) };
    },

    async verify({ pod, account, ways, accountUid }, context) {
      const { namespace } = pod;
      const { signal } = context;
      const missing: string[] = [];
      const left = ways.includes('legacySecrets') ? await tokenSecrets(namespace, account, signal) : [];
      missing.push(...left.map(({ metadata }) => `secret/${namespace}/${metadata.name} exists again`));
      if (accountUid !== undefined) {
        const now = await readObject({ api, ref: accountRef(namespace, account), signal });
        if (now?.metadata.uid !== accountUid) missing.push(`serviceaccount/${namespace}/${account} was changed since`);
      }
      if (ways.includes('pod')) {
        const { lasting, ending } = await podsLeft({
          look: lookFor(api, [pod], signal),
          withinMs: 50_000,
          ending: { pollMs },
          signal,
        });
        if (ending.length > 0)
          throw new FirebreakError('FB_ERR_UNAVAILABLE', `${ending.join(', ')} is being deleted, but still exists`);
        missing.push(...lasting);
      }
      const detail = `what the tokens of ${account} were bound to is gone: ${ways.map((way) => wayTexts[way]).join(', ')}`;
      return missing.length > 0 ? { state: 'partial', detail, missing } : { state: 'verified', detail };
    },
  };

  async function deleteSecret(seen: ObjectJson, namespace: string, { signal }: StepContext): Promise<void> {
    const ref: ObjectRef = { kind: 'Secret', resource: 'secrets', namespace, name: seen.metadata.name };
    await deleteObject({ api, ref, seen, signal }).catch(undefinedIf('FB_ERR_NOT_FOUND'));
  }
}

const wayTexts = { pod: 'the pod', legacySecrets: 'the token Secrets', account: 'the account itself' } as const;

function accountName({ account }: RevokeTokensInput): string {
  return account.split(':').at(-1) ?? account;
}

interface UsingPod {
  readonly name: string;
  readonly account: string;
  readonly secretNames: readonly string[];
}

function podOf({ metadata, spec }: PodJson): UsingPod {
  return {
    name: metadata?.name ?? '',
    account: spec?.serviceAccountName ?? 'default',
    secretNames: spec ? secretUses(spec).map(({ name }) => name) : [],
  };
}

function listOf(pods: readonly UsingPod[]): string {
  const shown = pods.slice(0, 20).map(({ name }) => name);
  return `${shown.join(', ')}${pods.length > shown.length ? ` and ${pods.length - shown.length} more` : ''}`;
}
