import * as oidc from 'openid-client';
import { FirebreakError } from '../../core/errors.ts';
import { fetchOfProvider } from './provider-fetch.ts';

const answerWithinSeconds = 10;

/** Result of a sign-in. */
interface DeviceTokens {
  readonly idToken: string;
  /** Absent: the provider does not renew. */
  readonly refreshToken?: string;
  /** When the ID token expires, in milliseconds since 1970. */
  readonly expiresAt: number;
}

interface DeviceSignInClient {
  /**
   * Starts a sign-in: returns what to show the person, and `finish` for its result.
   * @throws FB_ERR_UNAVAILABLE, FB_ERR_REFUSED
   */
  begin(): Promise<{
    readonly userCode: string;
    readonly verificationUrl: string;
    /** Already includes the code. */
    readonly completeUrl?: string;
    /** @throws FB_ERR_REFUSED if the person declines, or nobody confirms in time; FB_ERR_UNAVAILABLE */
    finish(): Promise<DeviceTokens>;
  }>;
  /** @throws FB_ERR_SIGN_IN if it can no longer be renewed, FB_ERR_UNAVAILABLE */
  renew(refreshToken: string): Promise<DeviceTokens>;
  /** @throws FB_ERR_UNAVAILABLE */
  revoke(refreshToken: string): Promise<void>;
}

/** The device authorization grant at one identity provider. https://www.rfc-editor.org/rfc/rfc8628 */
export function createDeviceSignIn(options: {
  readonly issuer: string;
  readonly clientId: string;
  /** Requested in addition to `openid`. */
  readonly scopes?: readonly string[];
}): DeviceSignInClient {
  const { issuer, clientId, scopes = [] } = options;
  let found: Promise<oidc.Configuration> | undefined;
  const provider = (): Promise<oidc.Configuration> => {
    const server = new URL(issuer);
    const how = {
      timeout: answerWithinSeconds,
      [oidc.customFetch]: fetchOfProvider,
      ...(server.protocol === 'http:' && { execute: [oidc.allowInsecureRequests] }),
    };
    found ??= oidc.discovery(server, clientId, undefined, oidc.None(), how).catch((error: unknown) => {
      found = undefined;
      throw new FirebreakError('FB_ERR_UNAVAILABLE', `the identity provider ${issuer} does not answer`, { cause: error });
    });
    return found;
  };
  /** Errors with which the provider refuses; any other error means that it was not reached. */
  const faultOf = (error: unknown, code: 'FB_ERR_REFUSED' | 'FB_ERR_SIGN_IN', what: string): FirebreakError => {
    if (error instanceof FirebreakError) return error;
    if (error instanceof oidc.ResponseBodyError)
      return new FirebreakError(code, `${what}: ${reasons[error.error] ?? error.error}`);
    return new FirebreakError('FB_ERR_UNAVAILABLE', `the identity provider ${issuer} gave an unexpected answer`, {
      cause: error,
    });
  };
  const tokensOf = (answer: Awaited<ReturnType<typeof oidc.refreshTokenGrant>>): DeviceTokens => {
    const { id_token: idToken, refresh_token: refreshToken } = answer;
    const expires = answer.claims()?.exp;
    if (idToken === undefined || expires === undefined)
      throw new FirebreakError('FB_ERR_SIGN_IN', `the identity provider ${issuer} returned no ID token`);
    return { idToken, ...(refreshToken !== undefined && { refreshToken }), expiresAt: expires * 1_000 };
  };
  return {
    begin: async () => {
      const configuration = await provider();
      const { device_authorization_endpoint: endpoint, scopes_supported: known = [] } = configuration.serverMetadata();
      if (endpoint === undefined)
        throw new FirebreakError(
          'FB_ERR_REFUSED',
          `the identity provider ${issuer} does not support the device authorization grant (RFC 8628)`,
        );
      const scope = ['openid', ...scopes, ...(known.includes('offline_access') ? ['offline_access'] : [])].join(' ');
      const begun = await oidc.initiateDeviceAuthorization(configuration, { scope }).catch((error: unknown) => {
        throw faultOf(
          error,
          'FB_ERR_REFUSED',
          `the identity provider ${issuer} did not start a sign-in for the client ${clientId}`,
        );
      });
      const { user_code: userCode, verification_uri: verificationUrl, verification_uri_complete: completeUrl } = begun;
      return {
        userCode,
        verificationUrl,
        ...(completeUrl !== undefined && { completeUrl }),
        finish: async () => {
          try {
            return tokensOf(await oidc.pollDeviceAuthorizationGrant(configuration, begun));
          } catch (error) {
            throw faultOf(error, 'FB_ERR_REFUSED', 'nobody was signed in');
          }
        },
      };
    },
    renew: async (refreshToken) => {
      try {
        const next = tokensOf(await oidc.refreshTokenGrant(await provider(), refreshToken));
        // A provider that does not rotate the refresh token returns none.
        return { refreshToken, ...next };
      } catch (error) {
        throw faultOf(error, 'FB_ERR_SIGN_IN', 'the identity provider no longer renews this sign-in');
      }
    },
    revoke: async (refreshToken) => {
      try {
        const configuration = await provider();
        if (configuration.serverMetadata().revocation_endpoint === undefined)
          throw new FirebreakError('FB_ERR_UNAVAILABLE', `the identity provider ${issuer} has no endpoint to revoke tokens`);
        await oidc.tokenRevocation(configuration, refreshToken, { token_type_hint: 'refresh_token' });
      } catch (error) {
        throw faultOf(error, 'FB_ERR_SIGN_IN', 'the refresh token was not revoked');
      }
    },
  };
}

/** https://www.rfc-editor.org/rfc/rfc8628#section-3.5 and https://www.rfc-editor.org/rfc/rfc6749#section-5.2 */
const reasons: Readonly<Record<string, string>> = {
  access_denied: 'the person declined',
  expired_token: 'the code was not used in time',
  invalid_grant: 'it has expired or was revoked',
  invalid_client: 'the client is unknown there, or is not a public client',
  unauthorized_client: 'the client may not use the device authorization grant',
};
