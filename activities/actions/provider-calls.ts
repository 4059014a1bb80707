import { FirebreakError } from '../../core/errors.ts';
import { names } from '../../core/labels.ts';
import type { Credential, RotationProvider, SecretValues } from '../../core/rotation.ts';
import type { SecretJson } from '../../integrations/kubernetes/secrets.ts';

/** What a Secret holds, as providers take it. */
export function credentialOf({ data = {}, metadata }: SecretJson): Credential {
  const values = Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]);
  const lease = metadata?.annotations?.[names.leaseAnnotation];
  return { values: Object.fromEntries(values), ...(lease !== undefined && { lease }) };
}

/** The data of a Secret with other values for some of its keys. */
export function dataWith(old: Readonly<Record<string, string>>, values: SecretValues): Readonly<Record<string, string>> {
  const changed = Object.entries(values).map(([key, value]) => [key, Buffer.from(value, 'utf8').toString('base64')]);
  return { ...old, ...Object.fromEntries(changed) };
}

/** What a provider throws of its own making may hold a value: only our own errors go on. */
export async function atProvider<T>(provider: RotationProvider, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof FirebreakError) throw error;
    throw new FirebreakError(
      'FB_ERR_INTERNAL',
      `${provider.title}: a fault that is not repeated here, since it may hold a value`,
    );
  }
}

/** Undefined as well where the provider cannot be asked now: the step itself will say so. */
export async function mayBeTried(
  provider: RotationProvider,
  work: () => Promise<boolean | undefined>,
): Promise<boolean | undefined> {
  try {
    return await atProvider(provider, work);
  } catch {
    return undefined;
  }
}
