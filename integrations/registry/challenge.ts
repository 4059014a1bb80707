import type { RegistryCredential } from './pull-secrets.ts';

/** A registry's answer to an unauthenticated request. https://distribution.github.io/distribution/spec/auth/token/ */
type Challenge =
  | { readonly scheme: 'basic' }
  | { readonly scheme: 'bearer'; readonly realm: URL; readonly service?: string; readonly scope?: string };

/** Parses a `WWW-Authenticate` header; undefined for any other scheme. */
export function challengeIn(header: string | undefined): Challenge | undefined {
  const [, scheme, rest = ''] = /^\s*(basic|bearer)\b(.{0,4000})$/i.exec(header ?? '') ?? [];
  if (scheme === undefined) return undefined;
  if (scheme.toLowerCase() === 'basic') return { scheme: 'basic' };
  const fields = new Map(
    [...rest.matchAll(/([a-z_]+)="([^"]*)"/gi)].map(([, name = '', value = '']) => [name.toLowerCase(), value]),
  );
  const realm = fields.get('realm');
  if (realm === undefined || !URL.canParse(realm)) return undefined;
  const [service, scope] = [fields.get('service'), fields.get('scope')];
  return {
    scheme: 'bearer',
    realm: new URL(realm),
    ...(service !== undefined && { service }),
    ...(scope !== undefined && { scope }),
  };
}

export function basicOf({ user, password }: RegistryCredential): string {
  return `Basic ${Buffer.from(`${user}:${password}`, 'utf8').toString('base64')}`;
}

/** The token in the token service's answer; undefined if there is none. */
export function tokenIn(body: Buffer): string | undefined {
  try {
    const { token, access_token: other }: { token?: unknown; access_token?: unknown } = JSON.parse(body.toString('utf8'));
    const found = token ?? other;
    return typeof found === 'string' && /^[\x21-\x7e]{1,16384}$/.test(found) ? found : undefined;
  } catch {
    return undefined;
  }
}
