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
/** An incident with all its records has a tenth of it. */
const largestAnswer = 64 * 1_048_576;
/** A token that ends sooner is renewed before it is shown: it has to last until the desk looks at it. */
const leftMs = 30_000;

/** What is only read. */
type LookRoute = Exclude<ConsoleRouteName, 'openapi' | 'signOut' | 'answer' | 'events'>;

interface Asking<Name extends LookRoute> {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: ConsoleApi[Name]['request'] & object;
}

/** A desk, asked by somebody who has signed in there. Nothing else is connected to, and no configuration is read. */
export interface DeskClient {
  /** @throws FB_ERR_SIGN_IN, FB_ERR_REFUSED, FB_ERR_NOT_FOUND, FB_ERR_UNAVAILABLE */
  ask<Name extends LookRoute>(name: Name, asking?: Asking<Name>): Promise<ConsoleApi[Name]['response']>;
}

/** @throws FB_ERR_SIGN_IN where nobody has signed in at this desk, FB_ERR_FILE_MISSING */
export async function openDesk({ url, ca }: DeskPlace): Promise<DeskClient> {
  trustAuthorities(ca);
  if (!(await readSignIn(url))) throw signInFirst(url);
  return {
    ask: async (name, asking) => {
      const token = await goodToken(url, false);
      return askDesk(url, name, { ...asking, token }).catch(async (error: unknown) => {
        if (!hasCode(error, 'FB_ERR_SIGN_IN')) throw error;
        // The desk's clock, or its keys, may say of a token what ours does not.
        return askDesk(url, name, { ...asking, token: await goodToken(url, token) });
      });
    },
  };
}

function signInFirst(url: string): FirebreakError {
  return new FirebreakError('FB_ERR_SIGN_IN', `nobody has signed in at ${url} from here: run firebreak login --desk ${url}`);
}

/** The stored token, renewed where it ends soon, or where it is the one that did not count. */
async function goodToken(url: string, refused: string | false): Promise<string> {
  const isGood = ({ idToken, expiresAt }: StoredSignIn): boolean => idToken !== refused && expiresAt - Date.now() > leftMs;
  const first = await readSignIn(url);
  if (!first) throw signInFirst(url);
  if (isGood(first)) return first.idToken;
  return oneAtATime(url, async () => {
    // Another command may have renewed it meanwhile.
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

/** Besides those that Node trusts. For this process, so for the identity provider, too. @throws FB_ERR_FILE_MISSING */
export function trustAuthorities(file: string | undefined): void {
  if (file === undefined) return;
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    throw new FirebreakError('FB_ERR_FILE_MISSING', `the authorities of --ca cannot be read: ${file}`);
  }
  const own = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  if (!own) throw new FirebreakError('FB_ERR_FILE_MISSING', `${file} holds no certificate (PEM)`);
  setDefaultCACertificates([...getCACertificates('default'), ...own]);
}

/** One question to a desk, with a token or without. */
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
    // A token goes to no other address.
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
    throw new FirebreakError('FB_ERR_REFUSED', `the token is too long for ${url}: have the provider name fewer groups in it`);
  const shape: z.ZodType = routeShapes[name].response;
  const read = shape.safeParse(body);
  if (!response.ok || !read.success)
    throw new FirebreakError(
      'FB_ERR_UNAVAILABLE',
      `what answers at ${url} (status ${response.status}) is no desk of Firebreak, or one of another version`,
    );
  // Read by the shape of this very route.
  return read.data as ConsoleApi[Name]['response'];
}

const untrusted =
  /^(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?)$/;

function notReached(url: string, error: unknown): FirebreakError {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const why = untrusted.test(code)
    ? `nobody whom this machine trusts has signed its certificate: --ca FILE names your own authority`
    : /^[A-Z_]+$/.test(code)
      ? code
      : error instanceof RangeError
        ? 'its answer is larger than any of a desk'
        : 'no answer in time';
  return new FirebreakError('FB_ERR_UNAVAILABLE', `the desk at ${url} cannot be reached (${why})`, { cause: error });
}
