import { createHmac, timingSafeEqual } from 'node:crypto';

/** Whether one of the secrets made one of the signatures (hex, HMAC-SHA256) over exactly these bytes. There are two secrets during a rotation. */
export function isSignedBy(
  secrets: readonly string[],
  signatures: readonly string[],
  ...parts: readonly (string | Uint8Array)[]
): boolean {
  let found = false;
  for (const secret of secrets) {
    const hmac = createHmac('sha256', secret);
    for (const part of parts) hmac.update(part);
    const expected = hmac.digest();
    for (const signature of signatures) {
      if (!/^[0-9a-f]{64}$/i.test(signature)) continue;
      if (timingSafeEqual(expected, Buffer.from(signature, 'hex'))) found = true;
    }
  }
  return found;
}

/** Parses the bytes as JSON; undefined if they are not JSON. */
export function jsonIn(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
