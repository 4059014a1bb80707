import type { IncomingMessage, ServerResponse } from 'node:http';
import { FirebreakError } from '../../core/errors.ts';
import type { PendingSignIn } from '../../core/sign-in.ts';
import type { SignInFlow } from './sign-in-flow.ts';

const cookieName = 'fb_sign_in';
const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Everything on these pages may come from an alert. Characters that turn text round are made visible. */
function html(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(/(?!\n)(?:\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp})/gu, '\ufffd')
    .replaceAll(/[&<>"']/g, (found) => entities[found] ?? '');
}

const headers = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${html(title)}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere}
button{font:inherit;padding:.6rem 1.2rem;border-radius:.4rem;border:1px solid #555}@media(prefers-color-scheme:dark){body{background:#111;color:#eee}}</style>
<h1>${html(title)}</h1>
${body}
</html>
`;
}

function list(title: string, lines: readonly string[]): string {
  if (lines.length === 0) return '';
  return `<h2>${html(title)}</h2><ul>${lines.map((line) => `<li>${html(line)}</li>`).join('')}</ul>`;
}

function askPage({ id, person, click, shown: { text, incident, choice } }: PendingSignIn): string {
  const reason = click.reason === undefined ? '' : `<p>Your reason: ${html(click.reason)}</p>`;
  return page(
    'Sign in to decide',
    `<p>${html(incident)}</p><p>${html(text)}</p><p>Answer of ${html(person)}: <strong>${html(choice.label)}</strong></p>${reason}
${list('What it does', choice.changes)}${list('What it touches', choice.blastRadius)}${list('Note', choice.notes)}
<form method="post" action="/sign-in/${encodeURIComponent(id)}"><button>Sign in and decide</button></form>
<p>Nothing is decided until you have signed in. Close this page if this is not what you clicked.</p>`,
  );
}

export interface SignInPages {
  /** Answers a request below `/sign-in/`. */
  handle(request: IncomingMessage, response: ServerResponse): void;
}

/** The few pages between a click and its vote. A link that is only looked at, such as by a preview, begins nothing. */
export function createSignInPages(options: {
  readonly flow: SignInFlow;
  readonly publicUrl: string;
  readonly log: (message: string, error: unknown) => void;
}): SignInPages {
  const { flow, publicUrl, log } = options;
  const secure = publicUrl.startsWith('https:') ? '; Secure' : '';
  const send = (response: ServerResponse, status: number, title: string, text: string): void => {
    response.writeHead(status, headers);
    response.end(page(title, `<p>${html(text)}</p>`));
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, search } = new URL(request.url ?? '/', publicUrl);
    const id = pathname.slice('/sign-in/'.length);
    if (id === 'callback' && request.method === 'GET') {
      const { text } = await flow.finish({ search, cookie: cookieOf(request) });
      response.setHeader('set-cookie', `${cookieName}=; Path=/sign-in; Max-Age=0; HttpOnly; SameSite=Lax${secure}`);
      return send(response, 200, 'Signed in', `${text} You can close this page.`);
    }
    if (!/^[A-Za-z0-9_-]{24}$/.test(id)) throw new FirebreakError('FB_ERR_NOT_FOUND', 'There is no such page.');
    if (request.method === 'GET') {
      const shown = askPage(await flow.look(id));
      response.writeHead(200, headers);
      response.end(shown);
      return;
    }
    if (request.method !== 'POST') throw new FirebreakError('FB_ERR_REFUSED', 'That cannot be done here.');
    const { url, cookie } = await flow.begin(id);
    response.writeHead(303, {
      ...headers,
      location: url,
      'set-cookie': `${cookieName}=${cookie}; Path=/sign-in; Max-Age=600; HttpOnly; SameSite=Lax${secure}`,
    });
    response.end();
  }

  return {
    handle: (request, response) => {
      request.resume();
      answer(request, response).catch((error: unknown) => {
        const known = error instanceof FirebreakError ? error : undefined;
        if (known?.code === 'FB_ERR_NOT_FOUND') return send(response, 404, 'Not to be answered here', known.detail);
        if (known?.code === 'FB_ERR_REFUSED') return send(response, 403, 'Not taken', known.detail);
        log('a sign-in did not come about', error);
        send(response, 503, 'Not now', 'Nothing was decided. Please open the link again in a moment.');
      });
    },
  };
}

function cookieOf({ headers: { cookie = '' } }: IncomingMessage): string | undefined {
  const found = cookie.split(';').map((part) => part.trim().split('='));
  return found.find(([name]) => name === cookieName)?.[1];
}
