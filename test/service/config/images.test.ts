import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { readImageTrust } from '../../../service/cell/pools/images.ts';
import { checkConfig, loadConfig } from '../../../service/config/load.ts';
import { KeySigner, openSigstore } from '../../registry/signer.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-images-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const minimal = `cluster: lab
intake: { tokens: [{ name: falco, token: { env: FALCO_TOKEN } }] }
roster: { people: [{ id: ada, name: Ada, slack: [U01ADA] }], groups: { oncall: [ada], leads: [ada] } }
`;
const path = join(folder, 'firebreak.yaml');
function written(images: object): string {
  writeFileSync(path, `${minimal}images: ${JSON.stringify(images)}\n`);
  return path;
}
const problems = (images: object) => {
  const checked = checkConfig({ path: written(images), env: {} });
  return checked.ok ? [] : checked.problems.map((one) => `${one.path}: ${one.problem}`);
};
const repositories = ['registry.example.com/shop/*'];

test('keys, roots and authorities are read from files next to the configuration', async () => {
  const { trustedRoot } = await openSigstore();
  const { publicPem } = new KeySigner();
  writeFileSync(join(folder, 'cosign.pub'), publicPem);
  writeFileSync(join(folder, 'root.json'), trustedRoot);
  const trust = [
    { repositories, keys: ['cosign.pub'], trustedRoot: 'root.json', keyless: [{ issuer: 'https://i', identity: 'https://a/*' }] },
  ];
  const read = readImageTrust(loadConfig({ path: written({ trust }), env: {} }).images);
  expect(read).toMatchObject({ withinMs: 20_000, rules: [{ keys: [{ name: 'cosign.pub', pem: publicPem }], trustedRoot }] });
  expect(readImageTrust(loadConfig({ path: written({}), env: {} }).images).rules).toEqual([]);
});

test.each([
  ['missing.pub', undefined, 'cannot be read'],
  ['other.pub', 'hello', 'not a public key in PEM'],
  ['private.pem', '-----BEGIN PRIVATE KEY-----', 'a private key'],
])('%s is refused as a key, with its place', (file, content, why) => {
  if (content !== undefined) writeFileSync(join(folder, file), content);
  const { images } = loadConfig({ path: written({ trust: [{ repositories, keys: [file] }] }), env: {} });
  expect(() => readImageTrust(images)).toThrow(
    expect.objectContaining({ code: 'FB_ERR_CONFIG_INVALID', detail: expect.stringContaining(why) }),
  );
  expect(() => readImageTrust(images)).toThrow(/images\.trust\[0\]\.keys\[0\]/);
});

test('an entry that trusts nobody or everybody is refused', () => {
  expect(problems({ trust: [{ repositories }] })).toEqual([expect.stringContaining('at least one of keys and keyless')]);
  const keyless = [{ issuer: 'https://i', identity: '*' }];
  expect(problems({ trust: [{ repositories, keyless, trustedRoot: 'root.json' }] })).toEqual([
    expect.stringContaining('a * may only be at the end'),
  ]);
  expect(problems({ trust: [{ repositories, keyless: [{ issuer: 'i', identity: 'a' }] }] })).toEqual([
    expect.stringContaining('needs a trustedRoot'),
  ]);
  for (const one of ['cart', '*/shop', 'registry.example.com/*/cart', 'https://registry.example.com/cart'])
    expect(problems({ trust: [{ repositories: [one], keys: ['k'] }] })).toEqual([
      expect.stringContaining('not a complete repository'),
    ]);
});
