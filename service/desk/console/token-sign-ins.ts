import type { IncomingMessage } from 'node:http';
import { LRUCache } from 'lru-cache';
import { FirebreakError } from '../../../core/errors.ts';
import type { Roster } from '../../../core/people/roster.ts';
import type { BearerTokens } from '../../../integrations/oidc/id-token.ts';
import type { Config } from '../../config/load.ts';
import { groupsIn, nameIn, type SignedIn, standingOf } from './sessions.ts';

const mostRemembered = 10_000;

export interface TokenSignIns {
  /**
   * Returns whose token it is; undefined if it is not valid.
   * @throws FB_ERR_REFUSED for a person without a role, FB_ERR_UNAVAILABLE while the provider's keys cannot be fetched
   */
  of(token: string): Promise<SignedIn | undefined>;
}

/**
 * Authenticates callers with a token of the identity provider, such as the command line. The desk stores nothing: roles and namespaces come from the token's
 * groups at each request. A token is valid until the provider's expiry, or until `hours` after its person signed in.
 */
export function createTokenSignIns(parts: {
  readonly section: NonNullable<Config['console']>;
  readonly roster: Roster;
  readonly tokens: BearerTokens;
  /** Called for a person's first request in a while: it corresponds to a sign-in at the console, and is put on record as one. */
  readonly begun: (who: SignedIn) => void;
  /** Called for a person without a role, also once in a while. */
  readonly refused: (subject: string) => void;
  readonly now?: () => number;
}): TokenSignIns {
  const { section, roster, tokens, begun, refused, now = Date.now } = parts;
  const longestMs = section.hours * 3_600_000;
  const seen = new LRUCache<string, true>({ max: mostRemembered, ttl: section.idleMinutes * 60_000, updateAgeOnGet: true });
  const isNew = (what: string): boolean => {
    if (seen.get(what)) return false;
    seen.set(what, true);
    return true;
  };
  return {
    of: async (token) => {
      const at = now();
      const holder = await tokens.read(token, at);
      if (!holder || at >= holder.signedInAt + longestMs) return undefined;
      const { subject, claims, expiresAt, signedInAt } = holder;
      const groups = groupsIn(claims[section.groupsClaim]);
      const standing = standingOf({ section, roster, subject, name: nameIn(claims), groups });
      if (!standing) {
        if (isNew(`no role: ${subject}`)) refused(subject);
        throw new FirebreakError(
          'FB_ERR_REFUSED',
          'none of your groups has a role in the console. Ask whoever runs Firebreak: the setting is console.roles',
        );
      }
      const endsAt = Math.min(expiresAt, signedInAt + longestMs);
      // All tokens of one person share one request budget.
      const who: SignedIn = { ...standing, by: 'token', csrf: null, endsAt, id: `token of ${subject}` };
      if (isNew(subject)) begun(who);
      return who;
    },
  };
}

/** https://www.rfc-editor.org/rfc/rfc6750#section-2.1 */
export function bearerTokenIn({ headers }: IncomingMessage): string | undefined {
  return /^Bearer +([\w\-.~+/]+=*)$/i.exec(headers.authorization ?? '')?.[1];
}
