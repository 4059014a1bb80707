import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { createDeviceSignIn } from '../../../integrations/oidc/device-sign-in.ts';
import { createBearerTokens } from '../../../integrations/oidc/id-token.ts';
import { createSignInClient } from '../../../integrations/oidc/sign-in-client.ts';
import { eventually } from '../../eventually.ts';

type Answering = (request: IncomingMessage, response: ServerResponse) => void;

const megabyte = 1_048_576;
const at = Date.now();
let server: Server;
let issuer: string;
/** Its behaviour at one of its addresses; at the others it answers correctly. */
let odd: { readonly path: string; readonly answering: Answering };
let asked: string[] = [];
/** Bytes that it could send until the other side hung up. */
let sent = 0;
let hungUp = false;
let good: Readonly<Record<string, unknown>>;
let token: string;

/** Sends as much as the other side reads, at most a gigabyte. */
function flood(response: ServerResponse, part: Buffer): void {
  response.on('close', () => {
    hungUp = true;
  });
  const more = (): void => {
    while (!response.destroyed && sent < 1_024 * megabyte) {
      sent += part.length;
      if (!response.write(part)) return void response.once('drain', more);
    }
    response.end();
  };
  more();
}

const json = { 'content-type': 'application/json' };
const blanks = Buffer.alloc(65_536, ' ');
const oddities: readonly (readonly [string, Answering])[] = [
  [
    'a gigabyte',
    (_, response) => {
      response.writeHead(200, json);
      response.write('{"issuer":"');
      flood(response, blanks);
    },
  ],
  [
    'sixteen packed megabytes',
    (_, response) => {
      response.writeHead(200, { ...json, 'content-encoding': 'gzip' });
      response.end(gzipSync(Buffer.concat([Buffer.from('{"a":"'), Buffer.alloc(16 * megabyte, ' '), Buffer.from('"}')])));
    },
  ],
  ['a way elsewhere', (_, response) => response.writeHead(307, { location: `${issuer}/elsewhere` }).end()],
  ['a refusal', (_, response) => response.writeHead(500, json).end('{"error":"server_error"}')],
  ['invalid JSON', (_, response) => response.writeHead(200, json).end('<html>')],
  ['nothing, and hangs up', ({ socket }) => socket.destroy()],
];

beforeAll(async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' };
  server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.push(path);
    response.on('error', () => undefined);
    if (path === odd.path) return odd.answering(request, response);
    response.writeHead(200, json).end(JSON.stringify(good[path] ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  issuer = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  good = {
    '/.well-known/openid-configuration': {
      issuer,
      jwks_uri: `${issuer}/keys`,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      device_authorization_endpoint: `${issuer}/device`,
    },
    '/keys': { keys: [jwk] },
  };
  token = await new SignJWT({ iss: issuer, aud: 'firebreak', sub: 'ada' })
    .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
    .setIssuedAt(Math.floor(at / 1_000))
    .setExpirationTime(Math.floor(at / 1_000) + 300)
    .sign(privateKey);
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
beforeEach(() => {
  [asked, sent, hungUp] = [[], 0, false];
});

const signIn = () =>
  createSignInClient({
    issuer,
    clientId: 'firebreak',
    clientSecret: 'secret',
    redirectUri: 'https://desk.example/sign-in/callback',
  });
const ways: readonly (readonly [string, string, string, () => Promise<unknown>])[] = [
  ['its description, to sign in', '/.well-known/openid-configuration', 'FB_ERR_UNAVAILABLE', () => signIn().begin('n')],
  [
    'its description, for a token',
    '/.well-known/openid-configuration',
    'FB_ERR_UNAVAILABLE',
    () => createBearerTokens({ issuer, audience: 'firebreak' }).read(token, at),
  ],
  ['its keys', '/keys', 'FB_ERR_UNAVAILABLE', () => createBearerTokens({ issuer, audience: 'firebreak' }).read(token, at)],
  [
    'a token for a code',
    '/token',
    'FB_ERR_REFUSED',
    () =>
      signIn().finish({
        url: new URL('https://desk.example/sign-in/callback?code=c&state=s'),
        secrets: { state: 's', verifier: 'v'.repeat(43) },
        nonce: 'n',
      }),
  ],
  ['the code of a device', '/device', 'FB_ERR_', () => createDeviceSignIn({ issuer, clientId: 'firebreak' }).begin()],
  ['a token renewed', '/token', 'FB_ERR_', () => createDeviceSignIn({ issuer, clientId: 'firebreak' }).renew('refresh')],
];

describe.each(ways)('a provider that is asked for %s', (_what, path, code, ask) => {
  test.each(oddities)('and answers with %s is not followed, and not read to the end', async (_which, answering) => {
    odd = { path, answering };
    await expect(ask()).rejects.toMatchObject({ code: expect.stringContaining(code) });
    expect(asked).toContain(path);
    expect(asked).not.toContain('/elsewhere');
    if (sent > 0) await eventually('the end of it', () => hungUp);
    // Data in transit counts, too.
    expect(sent).toBeLessThan(32 * megabyte);
  });
});

test('a provider that stalls in the middle of an answer holds nobody up', async () => {
  odd = {
    path: '/.well-known/openid-configuration',
    answering: (_, response) => void response.writeHead(200, json).write('{"issuer":'),
  };
  await Promise.all(
    [signIn().begin('n'), createBearerTokens({ issuer, audience: 'firebreak' }).read(token, at)].map((asking) =>
      expect(asking).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' }),
    ),
  );
});

test('a well-behaved provider is read', async () => {
  odd = { path: '', answering: () => undefined };
  expect(await createBearerTokens({ issuer, audience: 'firebreak' }).read(token, at)).toMatchObject({ subject: 'ada' });
  expect(new URL((await signIn().begin('n')).url).pathname).toBe('/authorize');
});
