import type { IncomingMessage } from 'node:http';
import { GatheredBody } from '../../integrations/gathered-body.ts';

type RequestBody =
  | { readonly ok: true; readonly bytes: Uint8Array }
  /** Larger than it may be: the rest is not kept. */
  | { readonly ok: false; readonly status: 413 }
  /** Cut off. */
  | { readonly ok: false; readonly status: 400; readonly code: string };

/** Reads a request's body of at most so many bytes. Calls `done` once. */
function readBody(request: IncomingMessage, atMost: number, done: (body: RequestBody) => void): void {
  if (Number(request.headers['content-length']) > atMost) {
    done({ ok: false, status: 413 });
    return;
  }
  const gathered = new GatheredBody();
  const end = (body: RequestBody): void => {
    // What still comes is read and forgotten.
    request.off('data', take).off('end', whole).off('error', broken);
    done(body);
  };
  const take = (part: Buffer): void => {
    gathered.add(part);
    if (gathered.length > atMost) end({ ok: false, status: 413 });
  };
  const whole = (): void => end({ ok: true, bytes: gathered.whole() });
  const broken = (error: NodeJS.ErrnoException): void => end({ ok: false, status: 400, code: error.code ?? 'unknown' });
  request.on('data', take).on('end', whole).on('error', broken);
}

/** The same; who has not sent all of it within the time is cut off. */
export async function bodyWithin(
  request: IncomingMessage,
  { atMost, withinMs }: { readonly atMost: number; readonly withinMs: number },
): Promise<RequestBody> {
  // Without an error nobody would hear that it was cut, and who waits for it would wait for ever.
  const late = setTimeout(() => request.destroy(new Error('late')), withinMs);
  const body = await new Promise<RequestBody>((resolve) => readBody(request, atMost, resolve));
  clearTimeout(late);
  return body;
}
