import type { V1RoleBinding } from '@kubernetes/client-node';
import type { ActionImplementation, StepContext, UndoResult } from '../../../core/action/action.ts';
import type { TargetName } from '../../../core/action/plan.ts';
import type {
  RevokeServiceAccountInput,
  RevokeServiceAccountOutput,
} from '../../../core/actions/secrets/revoke-service-account.schema.ts';
import { revokeServiceAccount } from '../../../core/actions/secrets/revoke-service-account.ts';
import { names } from '../../../core/cluster/labels.ts';
import { noteAnnotation, type ObjectNote, releasedBy } from '../../../core/cluster/object-note.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { CellKey } from '../../../core/messages/sealed.ts';
import { isJson } from '../../../core/text/plain-json.ts';
import { hasRight } from '../../../integrations/kubernetes/access-review.ts';
import type { KubernetesApi } from '../../../integrations/kubernetes/client.ts';
import { KubernetesError } from '../../../integrations/kubernetes/client-error.ts';
import {
  listObjects,
  type ObjectJson,
  type ObjectRef,
  readKnownObject,
  targetOf,
} from '../../../integrations/kubernetes/objects.ts';
import { otherWriter } from '../../../integrations/kubernetes/workloads/writers.ts';
import { type HeldField, holdField, lookAtField, noteOn, plannedRoom, releaseField } from '../held-field.ts';

const group = 'rbac.authorization.k8s.io';
type Implementation = ActionImplementation<RevokeServiceAccountInput, RevokeServiceAccountOutput>;
type Account = RevokeServiceAccountInput['serviceAccount'];
type Subject = NonNullable<V1RoleBinding['subjects']>[number];

interface BindingJson extends ObjectJson {
  readonly roleRef?: V1RoleBinding['roleRef'];
}

interface Binding {
  readonly ref: ObjectRef;
  readonly target: string;
  readonly object: ObjectJson;
  readonly subjects: readonly Subject[];
  /** `clusterrole/view`, `role/shop/reader` */
  readonly role: string;
}

/** Removes a ServiceAccount from all bindings; see the declaration in `core/actions/secrets/revoke-service-account.ts`. */
export function revokeServiceAccountImplementation(options: {
  readonly api: KubernetesApi;
  readonly cellKey: CellKey;
}): Implementation & Required<Pick<Implementation, 'undo'>> {
  const { api, cellKey } = options;

  const allBindings = (signal: AbortSignal) => bindingsOf(api, signal);

  /** Bindings that name the account now, or that this incident has removed it from; once the step has begun, only those that it began with. */
  const meant = async (account: Account, { incident, key, signal }: StepContext): Promise<readonly Binding[]> => {
    const all = await allBindings(signal);
    const notes = all.map(({ object, ref }) => noteOn({ object, cellKey, field: fieldOn(ref, account) }));
    const together = notes.find((note) => note?.step === key)?.together;
    const bindings = all.filter(({ target, subjects }, at) =>
      together
        ? together.includes(target)
        : (notes[at]?.incident === incident && isFor(all[at], account)) || subjects.some((one) => isAccount(one, account)),
    );
    // One note per binding: if two accounts were removed from it, their before-states could not be told apart.
    for (const binding of bindings) {
      const note = noteOn({ object: binding.object, cellKey, field: fieldOn(binding.ref, account) });
      const isOurs = note?.incident === incident;
      // A note of another incident that no longer matches the binding holds nothing: somebody may have kept it and put it back.
      if (note && note.step !== key && !(isOurs && isFor(binding, account)) && (isOurs || isInForce(binding, account)))
        throw new FirebreakError(
          'FB_ERR_REFUSED',
          `${binding.target} is already held, for ${revokedFrom(binding)}, by ${note.incident}: release that first`,
        );
    }
    return bindings;
  };

  const isInForce = ({ ref, object }: Binding, account: Account): boolean =>
    lookAtField({ object, cellKey, field: fieldOn(ref, account) }).state === 'clear';

  return {
    async plan({ serviceAccount }, context) {
      const { namespace, name } = serviceAccount;
      const ref = { kind: 'ServiceAccount', resource: 'serviceaccounts', namespace, name };
      const [object, bindings, all] = await Promise.all([
        readKnownObject({ api, ref, signal: context.signal }),
        meant(serviceAccount, context),
        allBindings(context.signal),
      ]);
      if (bindings.length === 0)
        throw new FirebreakError('FB_ERR_REFUSED', `${targetOf(ref)} is not in any binding: there is nothing to revoke`);
      const roles = [...new Set(bindings.map(({ role }) => role))].sort();
      return {
        target: { name: targetOf(ref), uid: object.metadata.uid },
        changes: bindings.map(({ target, role }) => ({ target, what: `no longer grants ${role} to ${namespace}/${name}` })),
        blastRadius: [targetOf(ref), ...bindings.map(({ target }) => target)].sort(),
        notes: [
          'Every pod that runs under it loses these rights at once, healthy ones included. Its tokens stay valid, but no longer carry these rights.',
          `Restoring them needs the right to bind: ${roles.join(', ')}.`,
          ...groupsOf(all, serviceAccount).map(({ target }) => `${target} gives rights to a group that it is in: they stay.`),
          ...bindings.flatMap(({ object: held, ref: at }) =>
            plannedRoom({
              object: held,
              cellKey,
              field: fieldOn(at, serviceAccount),
              incident: context.incident,
              key: context.key,
            }),
          ),
          ...bindings.flatMap(({ target, object: { metadata } }) => {
            const writer = otherWriter(metadata);
            return writer ? [`${target} is managed by ${writer.named}, which may take this back.`] : [];
          }),
        ],
      };
    },

    async apply({ serviceAccount }, context) {
      const bindings = await meant(serviceAccount, context);
      const targets = bindings.map(({ target }) => target);
      const left = groupsOf(await allBindings(context.signal), serviceAccount).map(nameWithUid);
      const noted = { together: fitting(targets), left: fitting(left) };
      for (const binding of bindings)
        await mayBind(api, binding, () =>
          holdField({ api, cellKey, field: fieldOn(binding.ref, serviceAccount), context, ...noted }),
        );
      return { serviceAccount, bindings: targets };
    },

    async started({ serviceAccount }, { key, signal }) {
      const all = await allBindings(signal);
      return all.some(({ object, ref }) => noteOn({ object, cellKey, field: fieldOn(ref, serviceAccount) })?.step === key);
    },

    async verify({ serviceAccount, bindings }, { signal }) {
      const all = await allBindings(signal);
      const again = all.filter(({ subjects }) => subjects.some((one) => isAccount(one, serviceAccount)));
      if (again.length > 0)
        throw new FirebreakError(
          'FB_ERR_DRIFTED',
          `${again.map(({ target }) => target).join(', ')} gives rights to ${serviceAccount.namespace}/${serviceAccount.name} again`,
        );
      const missing = groupsOf(all, serviceAccount).map(({ target }) => target);
      const detail = `it is no longer in any binding (removed from ${bindings.join(', ')})`;
      return missing.length > 0
        ? { state: 'partial', detail: `${detail}, but has rights through its groups`, missing }
        : { state: 'applied', detail };
    },

    async undo({ input: { serviceAccount }, output, isForgotten, key, allow }, context): Promise<UndoResult> {
      const all = await allBindings(context.signal);
      const held = all.filter(
        ({ object }) => object.metadata.annotations?.[noteAnnotation(revokeServiceAccount.name)] !== undefined,
      );
      const noteOf = ({ object, ref }: Binding) => noteOn({ object, cellKey, field: fieldOn(ref, serviceAccount) });
      // Removing a note would keep the account out of that binding: so other notes of this step, and its output, name the binding too.
      const together = held.flatMap((binding) => {
        const note = noteOf(binding);
        return note?.step === key ? (note.together ?? []) : [];
      });
      if (output) together.push(...output.bindings);
      const ours = held.filter((binding) => {
        const note = noteOf(binding);
        // An edited note is examined, so that it is reported. On a binding that the step never had, anybody may have written one.
        if (!note) return together.length === 0 || together.includes(binding.target);
        // The same incident may have revoked another account too: that belongs to another step.
        return note.step === key || (note.incident === context.incident && isFor(binding, serviceAccount));
      });
      const robbed = all.filter(
        (binding) =>
          together.includes(binding.target) &&
          !held.includes(binding) &&
          !binding.subjects.some((one) => isAccount(one, serviceAccount)),
      );
      const isNamed = all.some(({ subjects }) => subjects.some((one) => isAccount(one, serviceAccount)));
      const differenceOf = ({ object, ref, target }: Binding): readonly string[] =>
        lookAtField({ object, cellKey, field: fieldOn(ref, serviceAccount) }).difference.map((what) => `${target}: ${what}`);
      if (isForgotten && !isNamed && ours.every((binding) => !noteOf(binding)))
        return {
          state: 'drifted',
          detail: 'no binding says that it is held by this step; nothing was changed',
          // Bindings with an unreadable note could be anybody's: it is not known whether the account was in one of them.
          difference: [
            'no binding names the account, and which ones it was removed from is unknown: put it back by hand',
            ...ours.flatMap(differenceOf),
          ],
        };
      if (ours.length === 0 && robbed.length === 0) return { state: 'already', detail: 'no binding is held by this step' };
      const difference = [
        ...ours.flatMap(differenceOf),
        ...robbed.map(
          ({ target }) =>
            `${target}: annotation ${noteAnnotation(revokeServiceAccount.name)} was removed, so its earlier state is unknown: put the account back by hand, or delete the binding`,
        ),
      ];
      if (difference.length > 0)
        return { state: 'drifted', detail: 'bindings are no longer as the step left them; nothing was changed', difference };
      await allow?.(
        ours.flatMap(({ object, ref }) => {
          const note = noteOn({ object, cellKey, field: fieldOn(ref, serviceAccount) });
          return note ? [releasedBy(note)] : [];
        }),
      );
      for (const binding of ours) {
        const result = await mayBind(api, binding, () =>
          releaseField({ api, cellKey, field: fieldOn(binding.ref, serviceAccount), key, context }),
        );
        if (result.state === 'drifted') return result;
      }
      return { state: 'undone', detail: `it is back in ${ours.map(({ target }) => target).join(', ')}` };
    },
  };
}

/** Which accounts a step removed from a binding, according to its note. */
export function accountsRevokedBy({ change }: ObjectNote): readonly Account[] {
  if (change.kind !== 'entries') return [];
  return subjectsIn(change.taken.map(({ value }) => value)).flatMap((one) => accountIn(one) ?? []);
}

/**
 * Every binding that names one of these accounts now, with the account: anyone who may write bindings can create another one. Includes bindings to a group that
 * the account is in, except those that the step has left in place.
 */
export async function bindingsNaming(options: {
  readonly api: KubernetesApi;
  readonly accounts: readonly Account[];
  readonly left: readonly string[];
  readonly signal: AbortSignal;
}): Promise<readonly { readonly target: TargetName; readonly uid: string; readonly account: Account }[]> {
  const { api, accounts, left, signal } = options;
  const all = await bindingsOf(api, signal);
  return accounts.flatMap((account) => {
    const named = all.filter(({ subjects }) => subjects.some((one) => isAccount(one, account)));
    const grouped = groupsOf(all, account).filter((binding) => !left.includes(nameWithUid(binding)));
    return [...new Set([...named, ...grouped])].map(({ target, object }) => ({ target, uid: object.metadata.uid, account }));
  });
}

/** The names if they fit in each note: anyone who may create bindings could create so many that no note fits. Undefined if they do not all fit. */
function fitting(listed: readonly string[]): readonly string[] | undefined {
  return listed.reduce((sum, one) => sum + one.length, 0) <= namesBytes ? listed : undefined;
}

const namesBytes = 24 * 1024;

function nameWithUid({ target, object }: Pick<Binding, 'target' | 'object'>): string {
  return `${target} ${object.metadata.uid}`;
}

async function bindingsOf(api: KubernetesApi, signal: AbortSignal): Promise<readonly Binding[]> {
  const lists = await Promise.all(
    ['RoleBinding', 'ClusterRoleBinding'].map(async (kind) => {
      const place = { kind, group, resource: `${kind.toLowerCase()}s` };
      return (await listObjects({ api, ref: place, signal })).map((object) => bindingOf(place, object));
    }),
  );
  return lists.flat().sort((a, b) => (a.target < b.target ? -1 : 1));
}

/** Which account was removed from it. */
function revokedFrom({ object }: Pick<Binding, 'object'>): string {
  return object.metadata.annotations?.[names.revokedAnnotation] ?? 'an account';
}

function isFor(binding: Pick<Binding, 'object'> | undefined, { namespace, name }: Account): boolean {
  return binding !== undefined && revokedFrom(binding) === `${namespace}/${name}`;
}

function fieldOn(ref: ObjectRef, account: Account): HeldField {
  return {
    action: revokeServiceAccount,
    ref,
    path: ['subjects'],
    // A list that becomes empty is stored as absent.
    value: (before) => {
      const left = subjectsIn(before).filter((one) => !isAccount(one, account));
      return left.length > 0 && isJson(left) ? left : undefined;
    },
    takes: (entry) => subjectsIn([entry]).some((one) => isAccount(one, account)),
    marks: { [names.revokedAnnotation]: `${account.namespace}/${account.name}` },
  };
}

function subjectsIn(value: unknown): readonly Subject[] {
  return Array.isArray(value) ? value : [];
}

function bindingOf(place: Omit<ObjectRef, 'name'>, object: ObjectJson): Binding {
  const { name, namespace } = object.metadata;
  const ref = { ...place, name, ...(namespace !== undefined && { namespace }) };
  const { roleRef, subjects }: BindingJson = object;
  const role = `${roleRef?.kind.toLowerCase()}/${roleRef?.kind === 'Role' ? `${namespace}/` : ''}${roleRef?.name}`;
  return { ref, target: targetOf(ref), object, subjects: subjectsIn(subjects), role };
}

function isAccount(subject: Subject, { namespace, name }: Account): boolean {
  const account = accountIn(subject);
  return account?.name === name && account.namespace === namespace;
}

/** Named as a subject of its own kind, or by the user name that the API server gives it. */
function accountIn({ kind, name, namespace }: Subject): Account | undefined {
  if (kind === 'ServiceAccount') return namespace === undefined ? undefined : { namespace, name };
  const [, of, own] = (kind === 'User' && /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name)) || [];
  return of === undefined || own === undefined ? undefined : { namespace: of, name: own };
}

/** Bindings to groups that every account is in, except those that the API server itself creates in each cluster: a label alone may be anybody's. */
function groupsOf(all: readonly Binding[], account: Account): readonly Binding[] {
  const groups = ['system:authenticated', 'system:serviceaccounts', `system:serviceaccounts:${account.namespace}`];
  return all
    .filter(({ target, object }) => {
      const isLabelled = object.metadata.labels?.['kubernetes.io/bootstrapping'] === 'rbac-defaults';
      return !(isLabelled && target.startsWith('clusterrolebinding/system:'));
    })
    .filter(({ subjects }) => subjects.some(({ kind, name }) => kind === 'Group' && groups.includes(name)));
}

/** The API server gives the same refusal if either of two rights for writing a binding is missing: so we ask which one it is. */
async function mayBind<T>(api: KubernetesApi, { role }: Binding, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (!(error instanceof KubernetesError) || error.status !== 403) throw error;
    const [kind, ...rest] = role.split('/');
    const [name = '', namespace] = rest.reverse();
    const right = { group, resource: `${kind}s`, verb: 'bind', name, ...(namespace !== undefined && { namespace }) };
    if (await hasRight({ api, right })) throw error;
    throw new FirebreakError('FB_ERR_REFUSED', `the API server does not allow us to bind ${kind}s: ${role}`, { cause: error });
  }
}
