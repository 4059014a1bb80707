import type { SignInReader } from '../../activities/chokepoint/parts.ts';
import type { SignedVote } from '../../core/decide/approval.ts';
import type { SignIn, StepUpPolicy } from '../../core/decide/step-up.ts';
import { createIdTokens } from '../../integrations/oidc/id-token.ts';
import type { Config } from '../config/load.ts';

export function stepUpPolicyOf(section: NonNullable<Config['stepUp']>): StepUpPolicy {
  const { issuer, clientId, reaches, decisions, maxAgeMinutes } = section;
  return { issuer, audience: clientId, reaches, decisions, maxAgeMs: maxAgeMinutes * 60_000 };
}

/**
 * The cell verifies the identity provider's tokens itself and trusts nobody else's word for them, not even the desk's. Undefined: no provider is configured.
 */
export function createSignInReader({ stepUp }: Pick<Config, 'stepUp'>): SignInReader | undefined {
  if (!stepUp) return undefined;
  const policy = stepUpPolicyOf(stepUp);
  const { issuer, audience } = policy;
  const tokens = createIdTokens({ issuer, audience, ...(stepUp.jwksFile !== undefined && { jwksFile: stepUp.jwksFile }) });
  return {
    policy,
    readToken: (idToken, at) => tokens.read(idToken, at),
    read: async (votes) => {
      const found = new Map<SignedVote, SignIn>();
      for (const signed of votes) {
        const at = Date.parse(signed.vote.at);
        if (signed.idToken === undefined || Number.isNaN(at)) continue;
        const signIn = await tokens.read(signed.idToken, at);
        if (signIn) found.set(signed, signIn);
      }
      return { policy, signInOf: (signed) => found.get(signed) };
    },
  };
}
