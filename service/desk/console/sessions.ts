import { hkdfSync, randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { getIronSession, type IronSession } from 'iron-session';
import { type ConsoleRole, consoleRoles, type VisibleNamespaces } from '../../../core/console/routes.ts';
import { type Person, personById, type Roster } from '../../../core/people/roster.ts';
import type { SessionStore } from '../../../integrations/database/console-sessions.ts';
import type { Config } from '../../config/load.ts';

type ConsoleSection = NonNullable<Config['console']>;

/** The caller, and what they may do. */
export interface SignedIn {
  /** Absent: not on the roster, so they cannot decide anything. */
  readonly person?: Person;
  /** The person's id at the provider. */
  readonly subject: string;
  readonly name: string;
  readonly roles: readonly ConsoleRole[];
  readonly visible: VisibleNamespaces;
  /** A session in a browser, a session of a wall screen, or a token of the provider. The last two can only read. */
  readonly by: 'session' | 'wall' | 'token';
  /** Null: read-only. */
  readonly csrf: string | null;
  /** Milliseconds since 1970. */
  readonly endsAt: number;
  /** Identifies this session; not the value in the cookie. */
  readonly id: string;
}

/** Sealed in the cookie with the payload key: the browser can neither read nor change it. */
interface CookieContent {
  id?: string;
  subject?: string;
  name?: string;
  /** Only those that the configuration names. */
  groups?: readonly string[];
  csrf?: string;
  beganAt?: number;
  wall?: boolean;
}

/** Minimum interval between updates of a session's last use. */
const seenEveryMs = 30_000;

/** Regardless of who signed in: nobody sits in front of a wall screen, and anybody may walk past. */
const wallOnly = { by: 'wall', roles: ['viewer'] } as const;

export interface Sessions {
  begin(
    request: IncomingMessage,
    response: ServerResponse,
    who: { readonly subject: string; readonly name: string; readonly groups: readonly string[]; readonly wall: boolean },
  ): Promise<SignedIn | undefined>;
  /** Returns whether the request has a session cookie, valid or not. */
  isIn(request: IncomingMessage): boolean;
  /** Undefined: not signed in, or no longer. */
  of(request: IncomingMessage, response: ServerResponse): Promise<SignedIn | undefined>;
  /** Returns whether a session that listens to events is still valid. Listening counts as use for a wall screen, but not for a person. */
  listens(session: SignedIn): Promise<boolean>;
  end(request: IncomingMessage, response: ServerResponse): Promise<void>;
}

/**
 * A session is a cookie that only this desk can seal, plus a database row without which it is worthless, so that it can be ended. The person's rights are
 * computed for each request, from their groups at sign-in and the current configuration.
 */
export function createSessions(parts: {
  readonly section: ConsoleSection;
  readonly roster: Roster;
  readonly store: SessionStore;
  /** The same for all desks. */
  readonly key: Uint8Array;
  readonly publicUrl: string;
  readonly now?: () => number;
}): Sessions {
  const { section, roster, store, key, publicUrl, now = Date.now } = parts;
  const longestMs = section.hours * 3_600_000;
  const idleMs = section.idleMinutes * 60_000;
  const secure = publicUrl.startsWith('https:');
  const password = Buffer.from(hkdfSync('sha256', key, '', 'firebreak.console.session.v1', 32)).toString('hex');
  // The prefix binds it to this host, and to TLS: https://developer.mozilla.org/en-US/docs/Web/HTTP/Headers/Set-Cookie#cookie_prefixes
  const cookieName = secure ? '__Host-firebreak' : 'firebreak';
  const cookie = (request: IncomingMessage, response: ServerResponse): Promise<IronSession<CookieContent>> =>
    getIronSession<CookieContent>(request, response, {
      cookieName,
      password,
      ttl: longestMs / 1_000,
      cookieOptions: { httpOnly: true, secure, sameSite: 'strict', path: '/' },
    });

  const signedIn = ({ id, subject, name, groups, csrf, beganAt, wall }: CookieContent): SignedIn | undefined => {
    if (!id || !subject || !csrf || !groups || beganAt === undefined) return undefined;
    const standing = standingOf({ section, roster, subject, name, groups });
    return standing && { ...standing, ...(wall ? wallOnly : { by: 'session' }), csrf, endsAt: beganAt + longestMs, id };
  };

  const lasts = async ({ id, endsAt }: SignedIn, isUse: boolean): Promise<boolean> => {
    const at = now();
    if (at >= endsAt) return false;
    const seen = await store.seenAt(id);
    if (seen === undefined || at - seen >= idleMs) return false;
    if (isUse && at - seen >= seenEveryMs) await store.see(id, at);
    return true;
  };

  return {
    begin: async (request, response, { subject, name, groups, wall }) => {
      const named = new Set([...Object.values(section.roles).flat(), ...section.everything, ...Object.keys(section.tenants)]);
      const content: Required<CookieContent> = {
        id: randomBytes(24).toString('base64url'),
        subject,
        name: name.slice(0, 200),
        groups: groups.filter((group) => named.has(group)),
        csrf: randomBytes(24).toString('base64url'),
        beganAt: now(),
        wall,
      };
      const session = signedIn(content);
      if (!session) return undefined;
      await store.forget(content.beganAt - longestMs);
      await store.begin(content.id, content.beganAt);
      const made = await cookie(request, response);
      Object.assign(made, content);
      await made.save();
      return session;
    },
    isIn: ({ headers }) => (headers.cookie ?? '').split(';').some((one) => one.trimStart().startsWith(`${cookieName}=`)),
    of: async (request, response) => {
      const session = signedIn(await cookie(request, response));
      return session && (await lasts(session, true)) ? session : undefined;
    },
    listens: (session) => lasts(session, session.by === 'wall'),
    end: async (request, response) => {
      const made = await cookie(request, response);
      if (made.id) await store.end(made.id);
      made.destroy();
    },
  };
}

/** What a person may do, given their groups at the provider and the current configuration. Undefined: no role. */
export function standingOf(about: {
  readonly section: Pick<ConsoleSection, 'roles' | 'tenants' | 'everything'>;
  readonly roster: Roster;
  readonly subject: string;
  readonly name: string | undefined;
  readonly groups: readonly string[];
}): Pick<SignedIn, 'person' | 'subject' | 'name' | 'roles' | 'visible'> | undefined {
  const { section, roster, subject, name, groups } = about;
  const roles = rolesOf(section, groups);
  if (roles.length === 0) return undefined;
  const known = roster.people.find((one) => one.subject === subject);
  const person = known && personById(roster, known.id);
  const shown = person?.name ?? name ?? subject;
  return { ...(person && { person }), subject, name: shown, roles, visible: visibleTo(section, groups) };
}

/** Accepts a list of names, or a single name. */
export function groupsIn(claim: unknown): readonly string[] {
  const all = Array.isArray(claim) ? claim : [claim];
  return all.filter((one) => typeof one === 'string').slice(0, 1_000);
}

/** The display name that the provider gives. */
export function nameIn(claims: Readonly<Record<string, unknown>>): string | undefined {
  const name = [claims.name, claims.preferred_username].find((one) => typeof one === 'string' && one !== '');
  return typeof name === 'string' ? name.slice(0, 200) : undefined;
}

function rolesOf({ roles }: Pick<ConsoleSection, 'roles'>, groups: readonly string[]): readonly ConsoleRole[] {
  return consoleRoles.filter((role) => roles[role]?.some((group) => groups.includes(group)));
}

/** Once there are tenants, a person in none of them sees nothing, unless one of their groups sees everything. */
function visibleTo(
  { tenants, everything }: Pick<ConsoleSection, 'tenants' | 'everything'>,
  groups: readonly string[],
): VisibleNamespaces {
  if (Object.keys(tenants).length === 0 || everything.some((group) => groups.includes(group))) return 'all';
  const own = Object.entries(tenants).flatMap(([group, namespaces]) => (groups.includes(group) ? namespaces : []));
  return [...new Set(own)].sort();
}
