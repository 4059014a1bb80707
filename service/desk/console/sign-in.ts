import { hkdfSync } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { getIronSession } from 'iron-session';
import { consolePath } from '../../../core/console/routes.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { freshNonce, type SignInClient } from '../../../integrations/oidc/sign-in-client.ts';
import { pageHeaders, sendFault, sendNotice } from '../pages/page-html.ts';
import type { SignInPages } from '../pages/sign-in-pages.ts';
import { groupsIn, nameIn, type Sessions, type SignedIn } from './sessions.ts';

/** Long enough for a second factor. */
const openForSeconds = 600;

/** State that the browser keeps, sealed, from the start of a sign-in to the provider's answer. */
interface Begun {
  state?: string;
  verifier?: string;
  nonce?: string;
  to?: string;
  wall?: boolean;
}

interface ConsoleSignIn extends SignInPages {
  /** Returns whether the provider's answer belongs to a console sign-in that this browser started; otherwise it belongs to an answer to a question. */
  isOwnCallback(request: IncomingMessage, response: ServerResponse): Promise<boolean>;
}

/**
 * The sign-in at the console. The provider returns to the redirect address that it already knows, the one for answers to questions: the browser's sealed cookie
 * tells which of the two it is.
 */
export function createConsoleSignIn(parts: {
  readonly client: SignInClient;
  readonly sessions: Sessions;
  readonly groupsClaim: string;
  readonly key: Uint8Array;
  readonly publicUrl: string;
  /** Called to put it on record. */
  readonly signedIn: (session: SignedIn) => void;
  readonly refused: (who: { readonly subject: string; readonly groups: number }) => void;
  readonly log: (message: string, error: unknown) => void;
}): ConsoleSignIn {
  const { client, sessions, groupsClaim, key, publicUrl, signedIn, refused, log } = parts;
  const password = Buffer.from(hkdfSync('sha256', key, '', 'firebreak.console.sign-in.v1', 32)).toString('hex');
  const secure = publicUrl.startsWith('https:');
  const begun = (request: IncomingMessage, response: ServerResponse) =>
    getIronSession<Begun>(request, response, {
      cookieName: 'firebreak_sign_in',
      password,
      ttl: openForSeconds,
      // Must be sent on the way back from the provider, which is another site.
      cookieOptions: { httpOnly: true, secure, sameSite: 'lax', path: '/sign-in' },
    });

  async function begin(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { searchParams } = new URL(request.url ?? '/', publicUrl);
    const nonce = freshNonce();
    const { url, secrets } = await client.begin(nonce);
    const made = await begun(request, response);
    const wall = searchParams.get('display') === 'wall';
    Object.assign(made, { ...secrets, nonce, to: ownPath(searchParams.get('to')), wall });
    await made.save();
    redirect(response, url);
  }

  async function finish(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const made = await begun(request, response);
    const { state, verifier, nonce, to, wall = false } = made;
    made.destroy();
    if (!state || !verifier || !nonce) throw new FirebreakError('FB_ERR_NOT_FOUND', 'This sign-in is too old. Start again.');
    const { search } = new URL(request.url ?? '/', publicUrl);
    const { subject, claims } = await client.finish({
      url: new URL(`${publicUrl}/sign-in/callback${search}`),
      secrets: { state, verifier },
      nonce,
    });
    const groups = groupsIn(claims[groupsClaim]);
    const session = await sessions.begin(request, response, { subject, name: nameIn(claims) ?? subject, groups, wall });
    if (!session) {
      refused({ subject, groups: groups.length });
      return sendNotice(
        response,
        403,
        'No access yet',
        'You are signed in, but none of your groups has a role in the console. Ask whoever runs Firebreak: the setting is console.roles.',
      );
    }
    signedIn(session);
    redirect(response, `${publicUrl}${to ?? consolePath}`);
  }

  return {
    isOwnCallback: async (request, response) => {
      const { searchParams } = new URL(request.url ?? '/', publicUrl);
      const { state } = await begun(request, response);
      return state !== undefined && searchParams.get('state') === state;
    },
    handle: (request, response) => {
      request.resume();
      const path = (request.url ?? '').split('?')[0];
      const work =
        request.method !== 'GET'
          ? Promise.reject(new FirebreakError('FB_ERR_REFUSED', 'That cannot be done here.'))
          : path === '/sign-in/callback'
            ? finish(request, response)
            : begin(request, response);
      work.catch((error: unknown) => sendFault(response, error, (why) => log('a sign-in at the console failed', why)));
    },
  };
}

export function redirect(response: ServerResponse, location: string): void {
  response.writeHead(303, { ...pageHeaders, location }).end();
}

/** Accepts only paths of the console: a link must not use our sign-in to redirect elsewhere. */
function ownPath(to: string | null): string {
  if (to === null || !/^\/console\/[\w\-./?=&%:+,]*$/.test(to) || to.includes('//') || to.includes('..')) return consolePath;
  return to;
}
