import { hash, timingSafeEqual } from 'node:crypto';
import { FirebreakError } from '../../../core/errors.ts';

/** A shared secret and its sender. */
export interface IntakeToken {
  readonly name: string;
  readonly token: string;
}

/**
 * Returns a function that identifies the sender, or undefined. It compares every token in constant time, whatever was sent; only hashes are kept.
 *
 * @throws FB_ERR_CONFIG_INVALID without a token, or with an empty one: an open intake would let anyone make pods be contained
 */
export function senderByToken(tokens: readonly IntakeToken[]): (presented: string | undefined) => string | undefined {
  const known = tokens.map(({ name, token }) => ({ name, hash: hashOf(token) }));
  if (known.length === 0 || tokens.some(({ token }) => token === '')) {
    throw new FirebreakError('FB_ERR_CONFIG_INVALID', 'intake.tokens needs at least one token, and none may be empty');
  }
  return (presented) => {
    if (presented === undefined) return undefined;
    const given = hashOf(presented);
    let sender: string | undefined;
    for (const candidate of known) if (timingSafeEqual(candidate.hash, given)) sender = candidate.name;
    return sender;
  };
}

/** The secret in an Authorization header: a Bearer token, or the password of Basic with any user name. */
export function secretOfHeader(header: string | undefined): string | undefined {
  const [, scheme, value] = /^\s*(bearer|basic)\s+(\S+)\s*$/i.exec(header ?? '') ?? [];
  if (scheme === undefined || value === undefined) return undefined;
  if (scheme.toLowerCase() === 'bearer') return value;
  const pair = Buffer.from(value, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  return colon < 0 ? undefined : pair.slice(colon + 1);
}

function hashOf(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}
