import { FirebreakError } from '../../core/errors.ts';
import { objectAt } from '../../integrations/json-api.ts';
import type { Vault } from '../../integrations/vault/client.ts';
import { type Logger, reasonOf } from './log.ts';
import { repeatAsItSays } from './repeat.ts';

const callMs = 10_000;
const mostMs = 15 * 60_000;
/** Pause after a failure: by then Vault may be back, or another token may be in the file. */
const againMs = 60_000;

/**
 * Renews a renewable token at half of its remaining lifetime, and logs once if it cannot. If the file holds a new token by then, that one is looked up. Ends
 * with `signal`. Never rejects. https://developer.hashicorp.com/vault/api-docs/auth/token#renew-a-token-self
 */
export async function keepVaultToken(options: {
  readonly vault: Vault;
  /** Owner of the token in log lines: `the evidence’s Vault`. */
  readonly name: string;
  readonly log: Logger;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { vault, name, log, signal } = options;
  let said = false;
  const renew = (): Promise<number> =>
    renewed(vault).then(
      (lastsMs) => {
        said = false;
        return Math.min(mostMs, Math.max(1_000, lastsMs / 2));
      },
      (error: unknown) => {
        if (!said && !signal.aborted) log.warn({ reason: reasonOf(error) }, `the token of ${name} was not renewed`);
        said = true;
        return againMs;
      },
    );
  await repeatAsItSays({ work: renew, signal });
}

/** Renews the token and returns its remaining lifetime in milliseconds. */
async function renewed(vault: Vault): Promise<number> {
  const { lease_duration: seconds } = objectAt(await vault.ask('auth/token/renew-self', {}, AbortSignal.timeout(callMs)), 'auth');
  if (typeof seconds === 'number') return seconds * 1_000;
  throw new FirebreakError('FB_ERR_UNAVAILABLE', 'Vault did not say how long the token lasts');
}
