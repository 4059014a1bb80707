import { readFileSync } from 'node:fs';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import type { z } from 'zod';
import { errorBody } from '../../../core/console/console.schema.ts';
import { type ConsoleApi, routeShapes } from '../../../core/console/routes.schema.ts';
import { type ConsoleRouteName, consoleRoutes } from '../../../core/console/routes.ts';
import { FirebreakError, hasCode, isErrorCode } from '../../../core/errors.ts';
import { boundedFetch } from '../../../integrations/bounded-fetch.ts';
import { createDeviceSignIn } from '../../../integrations/oidc/device-sign-in.ts';
import type { DeskPlace } from './desk-options.ts';
import { oneAtATime, readSignIn, type StoredSignIn, writeSignIn } from './stored-sign-in.ts';

const answerWithinMs = 20_000;
/** An incident with all its records needs about a tenth of this. */
const largestAnswer = 64 * 1_048_576;
/** A token that expires sooner is renewed before it is used: it must still be valid when the desk checks it. */
const leftMs = 30_000;

/** Routes that only read. */
type LookRoute = Exclude<ConsoleRouteName, 'openapi' | 'signOut' | 'answer' | 'events'>;

interface Asking<Name extends LookRoute> {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: ConsoleApi[Name]['request'] & object;
}

/** Client for a desk, for a person who has signed in there. Connects to nothing else and reads no configuration. */
export interface DeskClient {
  /** @throws FB_ERR_SIGN_IN, FB_ERR_REFUSED, FB_ERR_NOT_FOUND, FB_ERR_UNAVAILABLE */
  ask<Name extends LookRoute>(name: Name, asking?: Asking<Name>): Promise<ConsoleApi[Name]['response']>;
}

/** @throws FB_ERR_SIGN_IN if nobody has signed in at this desk, FB_ERR_FILE_MISSING */
export async function openDesk({ url, ca }: DeskPlace): Promise<DeskClient> {
  trustAuthorities(ca);
  if (!(await readSignIn(url))) throw signInFirst(url);
  return {
    ask: async (name, asking) => {
      const token = await goodToken(url, false);
      return askDesk(url, name, { ...asking, token }).catch(async (error: unknown) => {
        if (!hasCode(error, 'FB_ERR_SIGN_IN')) throw error;
        // The desk's clock or keys may differ from ours, so it may reject a token that we consider valid.
        return askDesk(url, name, { ...asking, token: await goodToken(url, token) });
      });
    },
  };
}

function signInFirst(url: string): FirebreakError {
  return new FirebreakError('FB_ERR_SIGN_IN', `nobody has signed in at ${url} from here: run firebreak login --desk ${url}`);
}

/** Returns the stored token, renewed if it expires soon or if it is the one that was refused. */
async function goodToken(url: string, refused: string | false): Promise<string> {
  const isGood = ({ idToken, expiresAt }: StoredSignIn): boolean => idToken !== refused && expiresAt - Date.now() > leftMs;
  const first = await readSignIn(url);
  if (!first) throw signInFirst(url);
  if (isGood(first)) return first.idToken;
  return oneAtATime(url, async () => {
    // Another command may have renewed it in the meantime.
    const now = await readSignIn(url);
    if (!now) throw signInFirst(url);
    if (isGood(now)) return now.idToken;
    const { issuer, clientId, refreshToken } = now;
    if (refreshToken === undefined) {
      if (refused === false && now.expiresAt > Date.now()) return now.idToken;
      throw new FirebreakError('FB_ERR_SIGN_IN', `the sign-in at ${url} has ended: run firebreak login --desk ${url}`);
    }
    const next = await createDeviceSignIn({ issuer, clientId })
      .renew(refreshToken)
      .catch((error: unknown) => {
        if (!hasCode(error, 'FB_ERR_SIGN_IN')) throw error;
        throw new FirebreakError('FB_ERR_SIGN_IN', `${error.detail}: run firebreak login --desk ${url}`);
      });
    await writeSignIn({ desk: url, issuer, clientId, ...next });
    return next.idToken;
  });
}

/**
 * Trusts these authorities in addition to those that Node trusts. Applies to the whole process, so also to the identity provider. @throws FB_ERR_FILE_MISSING
 */
export function trustAuthorities(file: string | undefined): void {
  if (file === undefined) return;
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    throw new FirebreakError('FB_ERR_FILE_MISSING', `the certificate authorities of --ca cannot be read: ${file}`);
  }
  const own = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  if (!own) throw new FirebreakError('FB_ERR_FILE_MISSING', `${file} contains no certificate (PEM)`);
  setDefaultCACertificates([...getCACertificates('default'), ...own]);
}

/** Sends one request to a desk, with or without a token. */
export async function askDesk<Name extends LookRoute>(
  url: string,
  name: Name,
  { params = {}, query, token }: Asking<Name> & { readonly token?: string },
): Promise<ConsoleApi[Name]['response']> {
  const path = consoleRoutes[name].path.replaceAll(/\{(\w+)\}/g, (_, key: string) => encodeURIComponent(params[key] ?? ''));
  const pairs = Object.entries(query ?? {}).flatMap(([key, value]: [string, unknown]) =>
    (Array.isArray(value) ? value : [value])
      .filter((one) => one !== undefined)
      .map((one): [string, string] => [key, String(one)]),
  );
  const search = pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`;
  const asked: RequestInit = {
    headers: { accept: 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    // The token must not be sent to any other address.
    redirect: 'manual',
    signal: AbortSignal.timeout(answerWithinMs),
  };
  const response = await boundedFetch(`${url}${path}${search}`, asked, largestAnswer).catch((error: unknown) => {
    throw notReached(url, error);
  });
  const body: unknown = await response.json().catch(() => undefined);
  const said = errorBody.safeParse(body);
  if (said.success) {
    const { code, message } = said.data.error;
    throw new FirebreakError(isErrorCode(code) ? code : 'FB_ERR_UNAVAILABLE', message);
  }
  if (response.status === 431)
    throw new FirebreakError('FB_ERR_REFUSED', `the token is too long for ${url}: have the provider put fewer groups into it`);
  const shape: z.ZodType = routeShapes[name].response;
  const read = shape.safeParse(body);
  if (!response.ok || !read.success)
    throw new FirebreakError(
      'FB_ERR_UNAVAILABLE',
      `what answers at ${url} (status ${response.status}) is not a desk of Firebreak, or is one of another version`,
    );
  // Parsed with the schema of this route.
  return read.data as ConsoleApi[Name]['response'];
}

const untrusted =
  /^(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?)$/;

function notReached(url: string, error: unknown): FirebreakError {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const why = untrusted.test(code)
    ? `its certificate is not signed by an authority that this machine trusts: name your own with --ca FILE`
    : /^[A-Z_]+$/.test(code)
      ? code
      : error instanceof RangeError
        ? 'its answer is larger than any answer of a desk'
        : 'no answer in time';
  return new FirebreakError('FB_ERR_UNAVAILABLE', `the desk at ${url} cannot be reached (${why})`, { cause: error });
}
