import { createServer, type RequestListener } from 'node:http';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import Provider from 'oidc-provider';

export interface IdentityProvider {
  readonly issuer: string;
  /** The person at the browser, by the `sub` of their tokens: signs in as soon as they are asked. Undefined: they walk away. */
  person: string | undefined;
  /** A token with the provider's own signature and claims that no request would produce. */
  token(claims: JWTPayload): Promise<string>;
  stop(): Promise<void>;
}

/** A person known to the provider. */
interface KnownPerson {
  readonly subject: string;
  readonly name: string;
  readonly groups: readonly string[];
}

/**
 * A real, certified identity provider on this machine. Only the person at its sign-in form is simulated: by a test, or, if `people` are given, by anyone at the
 * browser, who chooses one of them.
 */
export async function startIdentityProvider(client: {
  readonly clientId: string;
  /** Called with the first request, because the client that it names may have started later. */
  readonly redirectUri: () => string;
  /** What the tokens say about somebody besides `sub`, such as their groups. */
  readonly claimsOf?: (sub: string) => Readonly<Record<string, unknown>>;
  readonly people?: readonly KnownPerson[];
  /** A second client, for the device authorization grant. `pollSeconds`: how often a device may ask for its tokens. Absent: as often as RFC 8628 says, every 5 s. */
  readonly device?: { readonly clientId: string; readonly idTokenSeconds?: number; readonly pollSeconds?: number };
  /** Absent: any free one. */
  readonly port?: number;
}): Promise<IdentityProvider> {
  let listener: RequestListener | undefined;
  let begin: (() => RequestListener) | undefined;
  const server = createServer((request, response) => {
    listener ??= begin?.();
    if (listener) listener(request, response);
    else response.writeHead(503).end();
  });
  await new Promise<void>((resolve) => server.listen(client.port ?? 0, '127.0.0.1', resolve));
  const address = server.address();
  const issuer = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const { people = [] } = client;
  const known = new Map(people.map(({ subject, name, groups }) => [subject, { name, groups }]));
  const aMinute = 60;
  const key = { ...(await exportJWK(privateKey)), kid: 'k1', alg: 'RS256', use: 'sig' };
  begin = () => {
    const provider = new Provider(issuer, {
      jwks: { keys: [key] },
      ttl: {
        AccessToken: 20 * aMinute,
        AuthorizationCode: 10 * aMinute,
        Grant: 60 * aMinute,
        // On a slow machine, what is done with one token takes minutes.
        IdToken: client.device?.idTokenSeconds ?? 20 * aMinute,
        DeviceCode: 10 * aMinute,
        RefreshToken: 60 * aMinute,
        Interaction: 10 * aMinute,
        Session: 20 * aMinute,
      },
      clients: [
        {
          client_id: client.clientId,
          redirect_uris: [client.redirectUri()],
          application_type: 'web',
          token_endpoint_auth_method: 'none',
        },
        ...(client.device
          ? [
              {
                client_id: client.device.clientId,
                grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
                redirect_uris: [],
                response_types: [],
                token_endpoint_auth_method: 'none' as const,
              },
            ]
          : []),
      ],
      cookies: { keys: ['a key of this test'] },
      features: {
        devInteractions: { enabled: false },
        deviceFlow: { enabled: client.device !== undefined },
        revocation: { enabled: client.device !== undefined },
      },
      findAccount: async (_context, sub) => ({
        accountId: sub,
        claims: async () => ({ sub, ...known.get(sub), ...client.claimsOf?.(sub) }),
      }),
      claims: { openid: ['sub', 'name', 'groups'] },
      // As Keycloak, Okta, Entra and Dex do when configured to: the ID token itself names the groups.
      conformIdTokenClaims: false,
      interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
      loadExistingGrant: async (context) => {
        const { client: asking, session } = context.oidc;
        if (!asking || session?.accountId === undefined) return undefined;
        const grant = new provider.Grant({ clientId: asking.clientId, accountId: session.accountId });
        grant.addOIDCScope('openid offline_access');
        await grant.save();
        return grant;
      },
    });
    const pollSeconds = client.device?.pollSeconds;
    if (pollSeconds !== undefined)
      provider.use(async (context, next) => {
        await next();
        if (context.path === '/device/auth' && context.status === 200) Object.assign(context.body, { interval: pollSeconds });
      });
    const handle = provider.callback();
    return (request, response) => {
      if (!request.url?.startsWith('/interaction/')) return void handle(request, response);
      const said = new URL(request.url, issuer).searchParams.get('as');
      const person = said !== null && known.has(said) ? said : self.person;
      if (person !== undefined) return void provider.interactionFinished(request, response, { login: { accountId: person } });
      if (people.length === 0) return void response.writeHead(200).end('Who are you?');
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(whoAreYou(people));
    };
  };
  const self: IdentityProvider = {
    issuer,
    person: undefined,
    token: (claims) => new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'k1' }).sign(privateKey),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return self;
}

/** The names are invented by us. */
function whoAreYou(people: readonly KnownPerson[]): string {
  const links = people.map(({ subject, name }) => `<p><a href="?as=${subject}">${name}</a></p>`).join('');
  return `<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>Sign in</title><style>body{font:1.1rem/1.6 system-ui;margin:3rem auto;max-width:20rem;color-scheme:light dark}</style><h1>Who are you?</h1>${links}</html>`;
}
