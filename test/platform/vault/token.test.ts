import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Vault } from '../../../integrations/vault/client.ts';
import { keepVaultToken } from '../../../service/process/vault-token.ts';
import { startedOrWhyNot } from '../../started-or-why-not.ts';
import { fieldAt, startVault, type VaultServer } from '../../vault-server.ts';
import { until } from '../kubernetes/parts/cluster.ts';

const started = await startedOrWhyNot(startVault);

if (typeof started === 'string') describe.skip(`a token (skipped: ${started})`, () => test('is not tried', () => {}));
else inVault(started);

function inVault({ url: address, admin }: VaultServer): void {
  const stopping = new AbortController();
  afterAll(() => stopping.abort());
  const make = async (more: object): Promise<string> =>
    String(
      fieldAt(await admin('PUT', 'auth/token/create', { policies: ['default'], ttl: '4s', ...more }), 'auth', 'client_token'),
    );
  /** Seconds until the token expires; undefined once it is no longer valid. */
  const left = async (token: string): Promise<number | undefined> => {
    const found = await new Vault({ address, token })
      .read('auth/token/lookup-self', AbortSignal.timeout(120_000))
      .catch(() => undefined);
    const seconds = fieldAt(found, 'data', 'ttl');
    return typeof seconds === 'number' ? seconds : undefined;
  };
  const warned: string[] = [];
  const keep = (token: () => string) =>
    void keepVaultToken({
      vault: new Vault({ address, token }),
      name: 'this Vault',
      log: { debug() {}, info() {}, error() {}, warn: (_: object, text: string) => void warned.push(text) } as never,
      signal: stopping.signal,
    });

  describe('a token of Vault', () => {
    let kept = '';
    let alone = '';
    beforeAll(async () => {
      kept = await make({});
      alone = await make({});
      keep(() => kept);
    });

    test('that lasts four seconds stays alive through renewals, while one that nobody renews expires', async () => {
      await until(async () => ((await left(alone)) === undefined ? true : undefined), 30_000);
      // In whole seconds, rounded down.
      expect(await left(kept)).toBeGreaterThanOrEqual(0);
      expect(warned).toEqual([]);
    });

    test('that cannot be renewed is reported once', async () => {
      const fixed = await make({ renewable: false });
      keep(() => fixed);
      await until(async () => (warned.length > 0 ? true : undefined), 30_000);
      expect(warned).toEqual(['the token of this Vault was not renewed']);
    });
  });
}
