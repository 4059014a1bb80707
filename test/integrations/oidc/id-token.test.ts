import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { exportJWK, generateKeyPair, type JWTHeaderParameters, SignJWT, UnsecuredJWT } from 'jose';
import { createIdTokens, type IdTokens } from '../../../integrations/oidc/id-token.ts';

const audience = 'firebreak';
const at = Date.parse('2026-06-01T10:00:00Z');
const seconds = at / 1_000;
const claims = { nonce: 'n', auth_time: seconds - 30 };

async function keyPair(kid: string) {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' } };
}

const [first, second, foreign] = [await keyPair('k1'), await keyPair('k2'), await keyPair('k1')];
let served: readonly object[] = [first.jwk];
let described: Record<string, unknown> | undefined;
let asked = 0;
let server: Server;
let issuer: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    asked += 1;
    const isKeys = request.url === '/keys';
    if (!described) return void response.writeHead(503).end();
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(isKeys ? { keys: served } : described));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  issuer = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  described = { issuer, jwks_uri: `${issuer}/keys` };
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

interface Made {
  readonly key?: Awaited<ReturnType<typeof keyPair>>;
  readonly header?: Partial<JWTHeaderParameters>;
  readonly claims?: Record<string, unknown>;
}

function token({ key = first, header, claims: own }: Made = {}): Promise<string> {
  const all = { iss: issuer, aud: audience, sub: 'ada', iat: seconds - 10, exp: seconds + 300, ...claims, ...own };
  return new SignJWT(all).setProtectedHeader({ alg: 'ES256', kid: key.kid, ...header }).sign(key.privateKey);
}
const tokens = (): IdTokens => createIdTokens({ issuer, audience });

describe('a token of the identity provider', () => {
  test('says who has signed in, when, and for what', async () => {
    expect(await tokens().read(await token(), at)).toEqual({
      issuer,
      subject: 'ada',
      nonce: 'n',
      issuedAt: at - 10_000,
      expiresAt: at + 300_000,
      authenticatedAt: at - 30_000,
    });
    expect(await tokens().read(await token({ claims: { aud: [audience, 'other'], azp: audience } }), at)).toBeDefined();
  });

  const refused: readonly (readonly [string, () => Promise<string>])[] = [
    ['of another issuer', () => token({ claims: { iss: 'https://other.example.com' } })],
    ['for another client', () => token({ claims: { aud: 'other' } })],
    ['for several, made for another', () => token({ claims: { aud: [audience, 'other'], azp: 'other' } })],
    ['for several, without saying for whom', () => token({ claims: { aud: [audience, 'other'] } })],
    ['expired', () => token({ claims: { exp: seconds - 61 } })],
    ['not valid yet', () => token({ claims: { nbf: seconds + 61 } })],
    ['without a nonce', () => token({ claims: { nonce: undefined } })],
    ['without a subject', () => token({ claims: { sub: undefined } })],
    ['without an expiry', () => token({ claims: { exp: undefined } })],
    ['signed by another key of the same name', () => token({ key: foreign })],
    ['signed by a key that is not known', () => token({ key: second })],
    ['not signed', async () => new UnsecuredJWT({ iss: issuer, aud: audience, sub: 'ada', ...claims }).setIssuedAt().encode()],
    [
      'signed with a shared secret',
      () =>
        new SignJWT({ iss: issuer, aud: audience, sub: 'ada', iat: seconds, exp: seconds + 300, ...claims })
          .setProtectedHeader({ alg: 'HS256', kid: 'k1' })
          .sign(new TextEncoder().encode(JSON.stringify(first.jwk))),
    ],
    ['not a token', async () => 'no.token.here'],
    ['empty', async () => ''],
  ];
  test.each(refused)('that is %s is refused', async (_why, make) => {
    expect(await tokens().read(await make(), at)).toBeUndefined();
  });

  test('whose payload was changed is refused', async () => {
    const [header, , signature] = (await token()).split('.');
    const forged = Buffer.from(
      JSON.stringify({ iss: issuer, aud: audience, sub: 'grace', iat: seconds, exp: seconds + 300, ...claims }),
    );
    expect(await tokens().read([header, forged.toString('base64url'), signature].join('.'), at)).toBeUndefined();
  });
});

describe('the keys of the identity provider', () => {
  test('that cannot be fetched postpone the check, and are found once it answers', async () => {
    const reader = tokens();
    const kept = described;
    described = undefined;
    await expect(reader.read(await token(), at)).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
    described = kept;
    expect(await reader.read(await token(), at)).toBeDefined();
    const before = asked;
    described = undefined;
    expect(await reader.read(await token(), at)).toBeDefined();
    expect(asked).toBe(before);
    described = kept;
  });

  test('come only from a provider that says it is the issuer', async () => {
    const kept = described;
    described = { ...kept, issuer: 'https://other.example.com' };
    await expect(tokens().read(await token(), at)).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
    described = kept;
  });

  test('may change: a new one is fetched when it is first seen', async () => {
    served = [first.jwk, second.jwk];
    expect(await tokens().read(await token({ key: second }), at)).toBeDefined();
    served = [first.jwk];
  });

  test('may be in a file, and then nothing is fetched', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'firebreak-jwks-'));
    const jwksFile = join(folder, 'jwks.json');
    writeFileSync(jwksFile, JSON.stringify({ keys: [first.jwk] }));
    const before = asked;
    const reader = createIdTokens({ issuer, audience, jwksFile });
    expect(await reader.read(await token(), at)).toBeDefined();
    expect(await reader.read(await token({ key: second }), at)).toBeUndefined();
    writeFileSync(jwksFile, JSON.stringify({ keys: [second.jwk] }));
    expect(await reader.read(await token({ key: second }), at)).toBeDefined();
    expect(asked).toBe(before);
    const none = createIdTokens({ issuer, audience, jwksFile: join(folder, 'none') });
    await expect(none.read(await token(), at)).rejects.toMatchObject({ code: 'FB_ERR_CONFIG_INVALID' });
    writeFileSync(join(folder, 'none'), JSON.stringify({ keys: [first.jwk] }));
    expect(await none.read(await token(), at)).toBeDefined();
    rmSync(folder, { recursive: true });
  });
});
