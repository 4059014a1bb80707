import { randomBytes } from 'node:crypto';
import type { Credential, RotationProvider } from '../../core/action/rotation.ts';
import { FirebreakError } from '../../core/errors.ts';
import { isObject } from '../../core/text/plain-json.ts';
import { objectAt } from '../json-api.ts';
import type { Vault } from './client.ts';

interface VaultKvOptions {
  readonly vault: Vault;
  /** Where the KV engine (version 2) is mounted. */
  readonly mount: string;
  readonly path: string;
  /** Key of the Secret → its name in Vault. */
  readonly properties: Readonly<Record<string, string>>;
  /** The system that accepts the value; absent: the value is random, and only its readers from Vault check it. */
  readonly source?: RotationProvider;
}

const attempts = 3;

/**
 * A value stored in Vault's KV engine, version 2. A new version is written; the older ones are destroyed when all have rolled.
 * https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2
 */
export function vaultKv({ vault, mount, path, properties, source }: VaultKvOptions): RotationProvider {
  const kept = `Vault, ${mount}/${path}`;
  const title = source ? `${source.title}, kept in ${kept}` : kept;
  const keys = Object.keys(properties);

  const current = async (signal: AbortSignal) => {
    // Reads the version first, from the metadata, where it exists even if the data is deleted: a later version makes the write fail, and is read again.
    const { current_version: version } = objectAt(await vault.read(`${mount}/metadata/${path}`, signal), 'data');
    const answer = await vault.read(`${mount}/data/${path}`, signal);
    return { data: objectAt(answer, 'data', 'data'), version: typeof version === 'number' ? version : 0 };
  };
  const wanted = ({ values }: Credential): Readonly<Record<string, string>> =>
    Object.fromEntries(
      Object.entries(properties).flatMap(([key, name]) => (values[key] === undefined ? [] : [[name, values[key]]])),
    );
  const holds = async (credential: Credential, signal: AbortSignal): Promise<boolean> => {
    const { data } = await current(signal);
    return Object.entries(wanted(credential)).every(([name, value]) => data[name] === value);
  };
  /** Versions that can still be read, except the newest. */
  const older = async (signal: AbortSignal): Promise<readonly number[]> => {
    const metadata = objectAt(await vault.read(`${mount}/metadata/${path}`, signal), 'data');
    const newest = metadata.current_version;
    return Object.entries(objectAt(metadata, 'versions'))
      .filter(([version, state]) => isObject(state) && state.destroyed !== true && Number(version) !== newest)
      .map(([version]) => Number(version));
  };

  /** Overwrites only the version that was read: another writer's newer version is read first. */
  const write = async (next: Credential, signal: AbortSignal): Promise<void> => {
    for (let attempt = 1; !(await holds(next, signal)); attempt += 1) {
      const { data, version } = await current(signal);
      try {
        await vault.write(`${mount}/data/${path}`, { options: { cas: version }, data: { ...data, ...wanted(next) } }, signal);
      } catch (error) {
        const changed = (await current(signal)).version !== version;
        if (!changed || attempt === attempts) throw error;
      }
    }
  };

  return {
    title,
    keys: [...new Set([...(source?.keys ?? []), ...keys])],
    overlaps: source?.overlaps ?? true,
    // Other values in the same version would be lost with it.
    endsFirst: source?.endsFirst ?? false,

    whyNot(old) {
      const missing = keys.find((key) => old.values[key] === undefined);
      return missing === undefined ? source?.whyNot(old) : `it has no key ${missing}`;
    },

    whyNotNow: async (old, asked) => source?.whyNotNow?.(old, asked),

    async fresh(old, signal, step) {
      if (source) return source.fresh(old, signal, step);
      return { values: Object.fromEntries(keys.map((key) => [key, randomBytes(24).toString('base64url')])) };
    },

    async activate(both, signal) {
      await source?.activate(both, signal);
      await write(both.next, signal);
    },

    accepts: async (credential, signal) => (source ? source.accepts(credential, signal) : holds(credential, signal)),

    async revoke(both, signal) {
      await source?.revoke(both, signal);
      if (!both.next) return;
      if (!(await holds(both.next, signal)))
        throw new FirebreakError('FB_ERR_DRIFTED', `${kept} now holds another value: no version was destroyed`);
      const ended = await older(signal);
      if (ended.length > 0) await vault.write(`${mount}/destroy/${path}`, { versions: ended }, signal);
    },

    async ended(both, signal) {
      const isDestroyed = (await older(signal)).length === 0 && (await holds(both.next, signal));
      return source ? isDestroyed && (await source.ended(both, signal)) : isDestroyed;
    },
  };
}
