import type { IncomingMessage, ServerResponse } from 'node:http';
import type { PendingSignIn } from '../../../core/decide/sign-in.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { html, isFromOwnPage, list, page, pageHeaders, sendFault, sendNotice, sendPage } from './page-html.ts';
import type { SignInFlow } from './sign-in-flow.ts';

const cookieName = 'fb_sign_in';

function askPage({ id, person, click, shown: { text, incident, choice } }: PendingSignIn): string {
  const reason = click.reason === undefined ? '' : `<p>Your reason: ${html(click.reason)}</p>`;
  return page(
    'Sign in to decide',
    `<p>${html(incident)}</p><p>${html(text)}</p><p>Answer by ${html(person)}: <strong>${html(choice.label)}</strong></p>${reason}
${list('What it does', choice.changes)}${list('What it touches', choice.blastRadius)}${list('Note', choice.notes)}
<form method="post" action="/sign-in/${encodeURIComponent(id)}"><button>Sign in and decide</button></form>
<p>Nothing is decided until you have signed in. Close this page if this is not what you clicked.</p>`,
  );
}

export interface SignInPages {
  /** Handles a request below `/sign-in/`. */
  handle(request: IncomingMessage, response: ServerResponse): void;
}

/** The few pages between a click and its vote. Only opening a link, as a preview does, starts nothing. */
export function createSignInPages(options: {
  readonly flow: SignInFlow;
  readonly publicUrl: string;
  readonly log: (message: string, error: unknown) => void;
}): SignInPages {
  const { flow, publicUrl, log } = options;
  const secure = publicUrl.startsWith('https:') ? '; Secure' : '';

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, search } = new URL(request.url ?? '/', publicUrl);
    const id = pathname.slice('/sign-in/'.length);
    if (id === 'callback' && request.method === 'GET') {
      const { text, to } = await flow.finish({ search, cookie: cookieOf(request) });
      response.setHeader('set-cookie', `${cookieName}=; Path=/sign-in; Max-Age=0; HttpOnly; SameSite=Lax${secure}`);
      if (to !== undefined) {
        response.writeHead(303, { ...pageHeaders, location: `${publicUrl}${to}` }).end();
        return;
      }
      return sendNotice(response, 200, 'Signed in', `${text} You can close this page.`);
    }
    if (!/^[A-Za-z0-9_-]{24}$/.test(id)) throw new FirebreakError('FB_ERR_NOT_FOUND', 'There is no such page.');
    if (request.method === 'GET') {
      return sendPage(response, 200, askPage(await flow.look(id)));
    }
    if (request.method !== 'POST' || !isFromOwnPage(request, publicUrl))
      throw new FirebreakError('FB_ERR_REFUSED', 'That cannot be done here.');
    const { url, cookie } = await flow.begin(id);
    response.writeHead(303, {
      ...pageHeaders,
      location: url,
      'set-cookie': `${cookieName}=${cookie}; Path=/sign-in; Max-Age=600; HttpOnly; SameSite=Lax${secure}`,
    });
    response.end();
  }

  return {
    handle: (request, response) => {
      request.resume();
      answer(request, response).catch((error: unknown) => {
        sendFault(response, error, (why) => log('a sign-in failed', why));
      });
    },
  };
}

function cookieOf({ headers: { cookie = '' } }: IncomingMessage): string | undefined {
  const found = cookie.split(';').map((part) => part.trim().split('='));
  return found.find(([name]) => name === cookieName)?.[1];
}
