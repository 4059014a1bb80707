import type { IncomingMessage, ServerResponse } from 'node:http';
import { FirebreakError } from '../../../core/errors.ts';
import { htmlEscaped } from '../../../core/text/html.ts';

/** Everything on the desk's pages may come from an alert. Makes characters that change the text direction visible. */
export function html(text: string): string {
  return htmlEscaped(text.toWellFormed().replaceAll(/(?!\n)(?:\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp})/gu, '\ufffd'));
}

/**
 * Returns whether one of our own pages sent this, not another site: browsers send the origin with every changing request. A client that sends none is not a
 * browser, and sends nobody's cookies.
 */
export function isFromOwnPage({ headers }: IncomingMessage, publicUrl: string): boolean {
  const { origin, 'sec-fetch-site': site } = headers;
  return (origin === undefined || origin === new URL(publicUrl).origin) && (site === undefined || site === 'same-origin');
}

/**
 * No scripts, no outside resources, no frames, no caching. No other site receives the address, but our own does, since with `no-referrer` a browser sends
 * `null` as the origin of a form (https://fetch.spec.whatwg.org/#append-a-request-origin-header).
 */
export const pageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
};

const style = `body{font:16px/1.45 system-ui,sans-serif;max-width:42rem;margin:1rem auto 3rem;padding:0 1rem;overflow-wrap:anywhere}
h1{font-size:1.4rem;line-height:1.25;margin:.8rem 0}h2{font-size:1rem;margin:1rem 0 .2rem}ul{margin:.2rem 0;padding-left:1.2rem}p{margin:.6rem 0}
.choice+.choice{border-top:1px solid #8888;margin-top:.8rem;padding-top:.3rem}.choice h2{font-size:.9rem;font-weight:400;opacity:.75;margin:.4rem 0 0}.choice ul{font-size:.9rem}
button,input,select,textarea{font:inherit}button{padding:.7rem 1.2rem;min-height:2.75rem;border-radius:.4rem;border:1px solid #555}
input[type=text],select,textarea{display:block;width:100%;box-sizing:border-box;padding:.4rem}fieldset{margin:1rem 0;border:1px solid #888;border-radius:.4rem}
label{display:block;margin:.6rem 0}.wrong{color:#b3261e;font-weight:600}
@media(prefers-color-scheme:dark){body{background:#111;color:#eee}.wrong{color:#ff8a80}}`;

/** `body` is already HTML. */
export function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${html(title)}</title>
<style>${style}</style>
<h1>${html(title)}</h1>
${body}
</html>
`;
}

export function list(title: string, lines: readonly string[]): string {
  if (lines.length === 0) return '';
  return `<h2>${html(title)}</h2><ul>${lines.map((line) => `<li>${html(line)}</li>`).join('')}</ul>`;
}

export function sendPage(response: ServerResponse, status: number, whole: string): void {
  response.writeHead(status, pageHeaders);
  response.end(whole);
}

/** Sends a page with a single message. */
export function sendNotice(response: ServerResponse, status: number, title: string, text: string): void {
  sendPage(response, status, page(title, `<p>${html(text)}</p>`));
}

/** Sends the reason why an answer failed. Details that are not for the reader only go to the log. */
export function sendFault(response: ServerResponse, error: unknown, log: (error: unknown) => void): void {
  const known = error instanceof FirebreakError ? error : undefined;
  if (known?.code === 'FB_ERR_NOT_FOUND' || known?.code === 'FB_ERR_UNKNOWN_ID')
    sendNotice(response, 404, 'This cannot be answered here', known.detail);
  else if (known?.code === 'FB_ERR_REFUSED') sendNotice(response, 403, 'Not accepted', known.detail);
  else {
    log(error);
    sendNotice(response, 503, 'Not possible right now', 'Nothing was decided. Open the link again in a moment.');
  }
}
