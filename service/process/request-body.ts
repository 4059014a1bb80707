import type { IncomingMessage } from 'node:http';

type RequestBody =
  | { readonly ok: true; readonly bytes: Uint8Array }
  /** Larger than it may be: the rest is not kept. */
  | { readonly ok: false; readonly status: 413 }
  /** Cut off. */
  | { readonly ok: false; readonly status: 400; readonly code: string };

/** Reads a request's body of at most so many bytes. Calls `done` once. */
export function readBody(request: IncomingMessage, atMost: number, done: (body: RequestBody) => void): void {
  if (Number(request.headers['content-length']) > atMost) {
    done({ ok: false, status: 413 });
    return;
  }
  const parts: Buffer[] = [];
  let length = 0;
  const end = (body: RequestBody): void => {
    // What still comes is read and forgotten.
    request.off('data', take).off('end', whole).off('error', broken);
    done(body);
  };
  const take = (part: Buffer): void => {
    length += part.length;
    if (length > atMost) end({ ok: false, status: 413 });
    else parts.push(part);
  };
  // Each part is a copy of its own: one that is the whole body need not be copied again.
  const whole = (): void => end({ ok: true, bytes: parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts, length) });
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
