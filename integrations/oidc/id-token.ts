import { readFile } from 'node:fs/promises';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { z } from 'zod';
import type { SignIn } from '../../core/decide/step-up.ts';
import { FirebreakError } from '../../core/errors.ts';
import { fetchOfProvider } from './provider-fetch.ts';

const answerWithinMs = 5_000;
/** A provider changes its keys over days, and an unknown key is fetched at once: an outage shorter than this stops no step. */
const keysKeptMs = 3_600_000;
const clockToleranceSeconds = 60;

/** Signatures that only the provider can make. With `HS…` anyone who knows the client's secret could, and the desk does. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];

export interface IdTokens {
  /**
   * The token's content, if it is from the provider and was valid at that time; otherwise undefined.
   * @throws FB_ERR_UNAVAILABLE while the provider's keys cannot be fetched.
   */
  read(token: string, at: number): Promise<SignIn | undefined>;
}

interface TokensOf {
  readonly issuer: string;
  readonly audience: string;
  readonly jwksFile?: string;
}

/** Tokens of a sign-in for exactly one answer, which the nonce names. */
export function createIdTokens(options: TokensOf): IdTokens {
  const check = tokenCheck(options);
  return {
    read: async (token, at) => {
      const payload = await check(token, at);
      const parsed = signInClaims.safeParse(payload);
      if (!parsed.success) return undefined;
      const { sub, nonce, iat, exp, auth_time: authTime } = parsed.data;
      return {
        issuer: options.issuer,
        subject: sub,
        nonce,
        issuedAt: iat * 1_000,
        expiresAt: exp * 1_000,
        ...(authTime !== undefined && { authenticatedAt: authTime * 1_000 }),
      };
    },
  };
}

/** Someone who presents a token instead of a session. Times are milliseconds since 1970. */
interface TokenHolder {
  readonly subject: string;
  readonly expiresAt: number;
  /** When the person signed in, or, if the provider does not say, when it issued the token. */
  readonly signedInAt: number;
  readonly claims: Readonly<Record<string, unknown>>;
}

export interface BearerTokens {
  /**
   * The holder of the token, if it is from the provider, for this audience and valid at that time; otherwise undefined.
   * @throws FB_ERR_UNAVAILABLE while the provider's keys cannot be fetched.
   */
  read(token: string, at: number): Promise<TokenHolder | undefined>;
}

/** Tokens of one client of the provider, which identify the caller, and answer no question. */
export function createBearerTokens(options: TokensOf): BearerTokens {
  const check = tokenCheck(options);
  return {
    read: async (token, at) => {
      const payload = await check(token, at);
      const parsed = commonClaims.safeParse(payload);
      if (!payload || !parsed.success) return undefined;
      const { sub, iat, exp, auth_time: authTime } = parsed.data;
      return { subject: sub, expiresAt: exp * 1_000, signedInAt: (authTime ?? iat) * 1_000, claims: payload };
    },
  };
}

/** Checks tokens with the provider's keys: from a file, or from the address in its discovery document, once they are needed. */
function tokenCheck({ issuer, audience, jwksFile }: TokensOf): (token: string, at: number) => Promise<JWTPayload | undefined> {
  const keys = jwksFile === undefined ? keysOfProvider(issuer) : keysOfFile(jwksFile);
  return async (token, at) => {
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer,
        audience,
        algorithms,
        currentDate: new Date(at),
        clockTolerance: clockToleranceSeconds,
        requiredClaims: ['sub', 'iat', 'exp'],
      });
      return isFor(payload, audience) ? payload : undefined;
    } catch (error) {
      if (isRefusal(error)) return undefined;
      if (error instanceof FirebreakError) throw error;
      throw new FirebreakError('FB_ERR_UNAVAILABLE', 'the keys of the identity provider cannot be fetched');
    }
  };
}

/** Whether the token is wrong, as opposed to a provider that does not answer. */
function isRefusal(error: unknown): boolean {
  return (
    error instanceof errors.JOSEError &&
    !(error instanceof errors.JWKSTimeout) &&
    !(error instanceof errors.JWKSInvalid) &&
    error.code !== 'ERR_JOSE_GENERIC'
  );
}

const commonClaims = z.object({
  sub: z.string().min(1),
  iat: z.number(),
  exp: z.number(),
  auth_time: z.number().optional(),
});
const signInClaims = commonClaims.extend({ nonce: z.string().min(1) });

/** https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation: any other token was issued to somebody else, who may present it to us. */
function isFor({ aud, azp }: JWTPayload, audience: string): boolean {
  return azp === undefined ? typeof aud === 'string' || aud?.length === 1 : azp === audience;
}

/** Read for each token: a provider changes its keys, and installing the new ones requires no restart. */
function keysOfFile(file: string): JWTVerifyGetKey {
  let known: { readonly text: string; readonly keys: JWTVerifyGetKey } | undefined;
  return async (header, token) => {
    const text = await readFile(file, 'utf8').catch(() => {
      throw new FirebreakError('FB_ERR_CONFIG_INVALID', `the keys of the identity provider cannot be read: ${file}`);
    });
    if (known?.text !== text) known = { text, keys: keysIn(text, file) };
    return known.keys(header, token);
  };
}

function keysIn(text: string, file: string): JWTVerifyGetKey {
  try {
    const set: JSONWebKeySet = JSON.parse(text);
    return createLocalJWKSet(set);
  } catch {
    throw new FirebreakError('FB_ERR_CONFIG_INVALID', `${file} does not hold a JSON Web Key Set`);
  }
}

const description = z.object({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https?$/ }) });

/** https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig */
function keysOfProvider(issuer: string): JWTVerifyGetKey {
  let found: Promise<JWTVerifyGetKey> | undefined;
  const look = async (): Promise<JWTVerifyGetKey> => {
    const response = await fetchOfProvider(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, {
      signal: AbortSignal.timeout(answerWithinMs),
    });
    if (response.status !== 200) throw new Error('no description');
    const described = description.parse(await response.json());
    if (described.issuer !== issuer) throw new Error('the description is of another issuer');
    // An impersonator of the provider could be anybody: so its keys must come over TLS if its description does.
    if (new URL(issuer).protocol === 'https:' && !described.jwks_uri.startsWith('https:')) throw new Error('keys without TLS');
    return createRemoteJWKSet(new URL(described.jwks_uri), {
      timeoutDuration: answerWithinMs,
      cacheMaxAge: keysKeptMs,
      [customFetch]: fetchOfProvider,
    });
  };
  return async (header, token) => {
    found ??= look().catch((error: unknown) => {
      found = undefined;
      throw error;
    });
    return (await found)(header, token);
  };
}
