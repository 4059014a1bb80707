import { FirebreakError } from '../../core/errors.ts';
import { objectAt } from '../../integrations/json-api.ts';
import type { Vault } from '../../integrations/vault/client.ts';
import { type Logger, reasonOf } from './log.ts';
import { repeatAsItSays } from './repeat.ts';

const callMs = 10_000;
const mostMs = 15 * 60_000;
/** After a failure: Vault may be back by then, or another token in the file. */
const againMs = 60_000;

/**
 * Keeps a token alive that can be renewed, at half of what is left of it; says once when it cannot. One that is in its file by then is asked about
 * anew. Ends with `signal`. Never rejects. https://developer.hashicorp.com/vault/api-docs/auth/token#renew-a-token-self
 */
export async function keepVaultToken(options: {
  readonly vault: Vault;
  /** Whose it is: `the evidence’s Vault`. */
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

/** How long it lasts from now on, in milliseconds. */
async function renewed(vault: Vault): Promise<number> {
  const { lease_duration: seconds } = objectAt(await vault.ask('auth/token/renew-self', {}, AbortSignal.timeout(callMs)), 'auth');
  if (typeof seconds === 'number') return seconds * 1_000;
  throw new FirebreakError('FB_ERR_UNAVAILABLE', 'Vault did not say how long the token lasts');
}
