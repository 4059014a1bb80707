import * as oidc from 'openid-client';
import { FirebreakError } from '../../core/errors.ts';
import { fetchOfProvider } from './provider-fetch.ts';

const answerWithinSeconds = 5;

/** State that a sign-in keeps between its start and the provider's answer. */
interface SignInSecrets {
  readonly state: string;
  readonly verifier: string;
}

export interface SignInClient {
  /** The address to send the browser to. @throws FB_ERR_UNAVAILABLE */
  begin(nonce: string): Promise<{ readonly url: string; readonly secrets: SignInSecrets }>;
  /** The provider's token, for the address that the browser returned to. @throws FB_ERR_UNAVAILABLE, FB_ERR_REFUSED */
  finish(back: {
    readonly url: URL;
    readonly secrets: SignInSecrets;
    readonly nonce: string;
  }): Promise<{ readonly idToken: string; readonly subject: string; readonly claims: Readonly<Record<string, unknown>> }>;
}

/** A nonce for one sign-in, by which its token is recognised. */
export function freshNonce(): string {
  return oidc.randomNonce();
}

/** Authorization code with PKCE at one identity provider. https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth */
export function createSignInClient(options: {
  readonly issuer: string;
  readonly clientId: string;
  /** Absent: a public client. */
  readonly clientSecret?: string;
  readonly redirectUri: string;
  /** The person must sign in again, unless they did so at most this long ago. Absent: a person signed in at the provider is not asked again. */
  readonly maxAgeMs?: number;
  /** Requested in addition to `openid`. */
  readonly scopes?: readonly string[];
}): SignInClient {
  const { issuer, clientId, clientSecret, redirectUri, maxAgeMs, scopes = [] } = options;
  const maxAge = maxAgeMs === undefined ? undefined : Math.floor(maxAgeMs / 1_000);
  let found: Promise<oidc.Configuration> | undefined;
  const look = async (): Promise<oidc.Configuration> => {
    const server = new URL(issuer);
    const how = {
      timeout: answerWithinSeconds,
      [oidc.customFetch]: fetchOfProvider,
      ...(server.protocol === 'http:' && { execute: [oidc.allowInsecureRequests] }),
    };
    const auth = clientSecret === undefined ? oidc.None() : oidc.ClientSecretPost(clientSecret);
    return oidc.discovery(server, clientId, undefined, auth, how);
  };
  const provider = async (): Promise<oidc.Configuration> => {
    found ??= look().catch(() => {
      found = undefined;
      throw new FirebreakError('FB_ERR_UNAVAILABLE', 'the identity provider does not answer');
    });
    return found;
  };
  return {
    begin: async (nonce) => {
      const secrets = { state: oidc.randomState(), verifier: oidc.randomPKCECodeVerifier() };
      const url = oidc.buildAuthorizationUrl(await provider(), {
        redirect_uri: redirectUri,
        scope: ['openid', ...scopes].join(' '),
        response_type: 'code',
        state: secrets.state,
        nonce,
        code_challenge: await oidc.calculatePKCECodeChallenge(secrets.verifier),
        code_challenge_method: 'S256',
        ...(maxAge !== undefined && { prompt: 'login', max_age: String(maxAge) }),
      });
      return { url: url.href, secrets };
    },
    finish: async ({ url, secrets, nonce }) => {
      const configuration = await provider();
      try {
        const tokens = await oidc.authorizationCodeGrant(configuration, url, {
          expectedState: secrets.state,
          expectedNonce: nonce,
          pkceCodeVerifier: secrets.verifier,
          idTokenExpected: true,
          ...(maxAge !== undefined && { maxAge }),
        });
        const claims = tokens.claims();
        if (tokens.id_token === undefined || claims === undefined) throw new FirebreakError('FB_ERR_REFUSED', 'no ID token');
        return { idToken: tokens.id_token, subject: claims.sub, claims };
      } catch {
        throw new FirebreakError('FB_ERR_REFUSED', 'the identity provider did not vouch for this sign-in');
      }
    },
  };
}
