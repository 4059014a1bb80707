import type { StepContext } from '../../../core/action/action.ts';
import type { Credential, RotationProvider, SecretValues } from '../../../core/action/rotation.ts';
import { names, stepHash } from '../../../core/cluster/labels.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { SecretJson } from '../../../integrations/kubernetes/workloads/secrets.ts';

/** The contents of a Secret, in the form that providers accept. */
export function credentialOf({ data = {}, metadata }: SecretJson): Credential {
  const values = Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]);
  const lease = metadata?.annotations?.[names.leaseAnnotation];
  return { values: Object.fromEntries(values), ...(lease !== undefined && { lease }) };
}

/** The data of a Secret with new values for its existing keys. */
export function dataWith(
  old: Readonly<Record<string, string>>,
  values: SecretValues,
  keys: readonly string[],
): Readonly<Record<string, string>> {
  const changed = Object.entries(values).filter(([key]) => keys.includes(key));
  return { ...old, ...Object.fromEntries(changed.map(([key, value]) => [key, encoded(value)])) };
}

export function encoded(value: string): string {
  return Buffer.from(value, 'utf8').toString('base64');
}

/** An error that a provider throws may contain a value: only our own errors are passed on. */
export async function atProvider<T>(provider: RotationProvider, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof FirebreakError) throw error;
    throw new FirebreakError(
      'FB_ERR_INTERNAL',
      `${provider.title}: an error that is not repeated here, since it may contain a value`,
    );
  }
}

/** Also undefined if the provider cannot be reached now: the step itself will report that. */
export async function mayBeTried<T>(provider: RotationProvider, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await atProvider(provider, work);
  } catch {
    return undefined;
  }
}

/** Revokes the old credential, but not before its provider accepts the new one. */
export async function revokedOnceAccepted(
  provider: RotationProvider,
  both: { readonly old: Credential; readonly next: Credential },
  signal: AbortSignal,
): Promise<void> {
  await atProvider(provider, async () => {
    if ((await provider.accepts(both.next, signal)) === false)
      throw new FirebreakError('FB_ERR_UNAVAILABLE', `${provider.title} does not accept the new value yet: nothing was revoked`);
    await provider.revoke(both, signal);
  });
}

/** Makes a new credential valid. It is first stored in a Secret of this step: a crash loses none and creates no second one. */
export async function activated(options: {
  readonly provider: RotationProvider;
  readonly old: Credential;
  readonly revokeFirst: boolean;
  readonly keep: {
    readonly read: () => Promise<Credential | undefined>;
    readonly make: (fresh: Credential) => Promise<Credential>;
  };
  readonly context: Pick<StepContext, 'key' | 'signal'>;
}): Promise<Credential> {
  const { provider, old, revokeFirst, keep } = options;
  const { key, signal } = options.context;
  let next = await keep.read();
  if (!next) {
    if (revokeFirst) await atProvider(provider, () => provider.revoke({ old }, signal));
    next = await keep.make(await atProvider(provider, () => provider.fresh(old, signal, stepHash(key))));
  }
  const made = next;
  await atProvider(provider, () => provider.activate({ old, next: made }, signal));
  return made;
}
