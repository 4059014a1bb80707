import { describe, expect, test } from '@jest/globals';
import { isInside } from '../../../integrations/registry/addresses.ts';
import { challengeIn, tokenIn } from '../../../integrations/registry/challenge.ts';
import { get } from '../../../integrations/registry/get.ts';
import { credentialsFor } from '../../../integrations/registry/pull-secrets.ts';
import { manifestIn } from '../../../integrations/registry/repository.ts';

const entry = (user: string) => ({ auth: Buffer.from(`${user}:p:w`).toString('base64') });

describe('pull secrets', () => {
  test.each([
    ['registry.example.com', 'registry.example.com', 'shop/cart'],
    ['https://registry.example.com', 'registry.example.com', 'shop/cart'],
    ['https://registry.example.com/v2/', 'registry.example.com', 'shop/cart'],
    ['registry.example.com:5000/shop', 'registry.example.com:5000', 'shop/cart'],
    ['*.example.com', 'registry.example.com', 'shop/cart'],
    ['https://index.docker.io/v1/', 'docker.io', 'library/nginx'],
  ])('%s is for %s/%s', (key, host, path) => {
    expect(credentialsFor([JSON.stringify({ auths: { [key]: entry('ada') } })], host, path)).toEqual([
      { user: 'ada', password: 'p:w' },
    ]);
  });

  test.each([
    ['registry.example.com', 'registry.example.com.evil.test', 'shop/cart'],
    ['registry.example.com', 'registry.example.com:5000', 'shop/cart'],
    ['registry.example.com/shop', 'registry.example.com', 'shopping/cart'],
    ['*.example.com', 'a.b.example.com', 'shop/cart'],
  ])('%s is not for %s/%s', (key, host, path) => {
    expect(credentialsFor([JSON.stringify({ auths: { [key]: entry('ada') } })], host, path)).toEqual([]);
  });

  test('the most specific entry comes first, and invalid ones are skipped', () => {
    const auths = {
      'r.test': entry('all'),
      'r.test/shop': { username: 'shop', password: 'x' },
      'r.test/shop/cart': { auth: '!' },
    };
    expect(credentialsFor(['not json', '[]', JSON.stringify({ auths })], 'r.test', 'shop/cart').map(({ user }) => user)).toEqual([
      'shop',
      'all',
    ]);
  });
});

test('addresses of this machine, of clusters and of clouds are internal', () => {
  for (const address of ['127.0.0.1', '10.1.2.3', '172.20.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0'])
    expect([address, isInside(address)]).toEqual([address, true]);
  for (const address of [
    '::1',
    '::',
    'fd00::1',
    'fe80::1',
    '::ffff:10.0.0.1',
    '::ffff:169.254.169.254',
    '64:ff9b::a00:1',
    'no address',
  ])
    expect([address, isInside(address)]).toEqual([address, true]);
  for (const address of ['203.0.113.7', '8.8.8.8', '2606:4700::1111', '::ffff:8.8.8.8'])
    expect([address, isInside(address)]).toEqual([address, false]);
});

test.each([
  'https://127.0.0.1:1/',
  'https://[::1]:1/',
  'http://registry.example.com/',
  'https://localhost:1/',
  'file:///etc/passwd',
])('nothing is requested from %s unless the configuration names it', async (url) => {
  const asked = get({ known: [], url: new URL(url), accept: '*/*', maxBytes: 100, signal: AbortSignal.timeout(5_000) });
  await expect(asked).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE', detail: expect.stringMatching(/configuration/) });
});

test('a challenge is read as specified, and nothing else is', () => {
  expect(challengeIn('Bearer realm="https://auth.test/token",service="registry",scope="repository:a/b:pull"')).toEqual({
    scheme: 'bearer',
    realm: new URL('https://auth.test/token'),
    service: 'registry',
    scope: 'repository:a/b:pull',
  });
  expect(challengeIn('basic realm="x"')).toEqual({ scheme: 'basic' });
  for (const header of [undefined, '', 'Negotiate', 'Bearer', 'Bearer realm="no url"'])
    expect(challengeIn(header)).toBeUndefined();
  expect(tokenIn(Buffer.from('{"access_token":"t"}'))).toBe('t');
  for (const body of ['', '[]', '{"token":1}', '{"token":"a\\nb"}', 'null']) expect(tokenIn(Buffer.from(body))).toBeUndefined();
});

test('what is not a manifest is not read as one', () => {
  for (const text of ['', '[]', '{"layers":[{"digest":"md5:1","size":1,"mediaType":"x"}]}', '{"manifests":{}}'])
    expect(manifestIn(Buffer.from(text), 'sha256:0')).toBeUndefined();
});
