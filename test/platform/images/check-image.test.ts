import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { checkImage } from '../../../integrations/cosign/check.ts';
import { readTrust, type TrustRule } from '../../../integrations/cosign/trust.ts';
import type { RegistryCredential } from '../../../integrations/registry/pull-secrets.ts';
import { openRepository } from '../../../integrations/registry/repository.ts';
import { type RegistryServer, startRegistryServer } from '../../../tools/platform/registry-server.ts';
import { openFront } from '../../registry/front.ts';
import { type Published, Publisher } from '../../registry/publisher.ts';
import { KeySigner, openSigstore } from '../../registry/signer.ts';

const user = { name: 'puller', password: 'pull-me' };
const credential: RegistryCredential = { user: user.name, password: user.password };
const release = { issuer: 'https://issuer.example.com', identity: 'https://git.example.com/shop/release.yml@refs/heads/main' };
const slsa = 'https://slsa.dev/provenance/v1';
const answered = (_done: unknown): 'answered' => 'answered';
const ours = new KeySigner();
const theirs = new KeySigner();

describe.each([
  ['with the referrers API', true],
  ['without the referrers API', false],
])('the signature of an image, in a registry %s', (_, referrers) => {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-images-'));
  let registry: RegistryServer;
  let front: Awaited<ReturnType<typeof openFront>>;
  let sigstore: Awaited<ReturnType<typeof openSigstore>>;
  let publisher: Publisher;
  let image: Published & { readonly config: string };
  let made = 0;

  beforeAll(async () => {
    registry = await startRegistryServer({ stateDir: folder, referrers });
    front = await openFront(registry.host, user);
    sigstore = await openSigstore();
    publisher = new Publisher(registry.host, 'shop/cart');
  });
  afterAll(async () => {
    await front.close();
    await registry.stop();
    rmSync(folder, { recursive: true });
  });
  beforeEach(async () => {
    front.answering(() => undefined);
    made += 1;
    image = await publisher.image(`cart ${made}`, 'v1');
  });

  const rule = (more: Partial<TrustRule> = {}): TrustRule => ({
    repositories: [],
    keys: [{ name: 'cosign.pub', pem: ours.publicPem }],
    keyless: [],
    predicateTypes: [],
    ...more,
  });
  const keyless = (more: Partial<TrustRule> = {}): TrustRule =>
    rule({ keys: [], keyless: [release], trustedRoot: sigstore.trustedRoot, ...more });
  const look = (
    { running = image.digest, asked = 'v1', credentials = [credential], withinMs = 10_000 } = {},
    trusted: TrustRule = rule(),
  ) =>
    checkImage({
      repository: openRepository({
        host: front.host,
        path: 'shop/cart',
        credentials,
        known: [{ host: front.host, ca: front.ca }],
        signal: AbortSignal.timeout(withinMs),
      }),
      running,
      asked,
      trust: readTrust(trusted),
    });

  test('is the one of a trusted key, in the old format and in the new', async () => {
    expect(await look()).toMatchObject({ signature: 'unsigned', reason: 'there is no signature' });
    await publisher.oldSignature(image.digest, [ours.layer(image.digest)]);
    expect(await look()).toMatchObject({
      signature: 'signed',
      by: [expect.stringMatching(/^the key cosign\.pub \([0-9a-f]{12}\)$/)],
    });
    const other = await publisher.image(`other ${made}`, 'v1');
    await publisher.bundle(other, ours.bundle(other.digest), { referrers });
    expect(await look({ running: other.digest })).toMatchObject({
      signature: 'signed',
      by: [expect.stringMatching(/^the key /)],
    });
  });

  // For a registry without the referrers API, cosign keeps no list if it signed in a registry that has it.
  test.each(referrers ? ['oldFormat', 'newFormat'] : ['oldFormat'])(
    'is found in the form that cosign itself produces: %s',
    async (format) => {
      const made = JSON.parse(readFileSync(join(import.meta.dirname, '../../fixtures/cosign/signed-by-cosign.json'), 'utf8'));
      await publisher.copy(made);
      const running: string = made[format];
      const trusted = rule({ keys: [{ name: 'cosign.pub', pem: made.publicKey }] });
      expect(await look({ running, asked: running }, trusted)).toMatchObject({
        signature: 'signed',
        by: [expect.stringMatching(/^the key cosign\.pub/)],
        attestations: [{ type: 'https://example.com/scan', by: expect.stringMatching(/^the key cosign\.pub/) }],
      });
      expect(await look({ running, asked: running })).toMatchObject({ signature: 'unsigned', attestations: [] });
    },
  );

  test('is the one of a trusted identity, in the old format and in the new', async () => {
    const who = await sigstore.identify(release.identity, release.issuer);
    await publisher.oldSignature(image.digest, [await who.layer(image.digest)]);
    const by = [`${release.identity} (${release.issuer})`];
    expect(await look({}, keyless())).toMatchObject({ signature: 'signed', by });
    const other = await publisher.image(`other ${made}`, 'v1');
    await publisher.bundle(other, await who.bundle(other.digest), { referrers });
    expect(await look({ running: other.digest }, keyless())).toMatchObject({ signature: 'signed', by });
    const below = { ...release, identity: 'https://git.example.com/shop/*' };
    expect(await look({}, keyless({ keyless: [below] }))).toMatchObject({ signature: 'signed' });
    expect(await look({ running: other.digest }, keyless({ keyless: [below] }))).toMatchObject({ signature: 'signed' });
  });

  test('does not count from another key, for another image, or with one bit changed', async () => {
    const of = (signature: ReturnType<KeySigner['layer']>) => publisher.oldSignature(image.digest, [signature]);
    await of(theirs.layer(image.digest));
    expect(await look()).toMatchObject({
      signature: 'unsigned',
      reason: expect.stringContaining('it was not made with a trusted key'),
    });
    await of(ours.layer(`sha256:${'0'.repeat(64)}`));
    expect(await look()).toMatchObject({ signature: 'unsigned', reason: expect.stringContaining('another digest') });
    const { content, ...layer } = ours.layer(image.digest);
    await of({ ...layer, content: Buffer.from(content.toString().replace('"optional":null', '"optional":{}')) });
    expect(await look()).toMatchObject({
      signature: 'unsigned',
      reason: expect.stringContaining('it was not made with a trusted key'),
    });
    await publisher.oldSignature(image.digest, [theirs.layer(image.digest), ours.layer(image.digest)]);
    expect(await look()).toMatchObject({ signature: 'signed' });
  });

  test('does not count with a certificate of another identity, issuer or authority, or an expired one', async () => {
    const by = async (identity: string, issuer: string, world = sigstore) => {
      const who = await world.identify(identity, issuer);
      await publisher.oldSignature(image.digest, [await who.layer(image.digest)]);
      return look({}, keyless());
    };
    expect(await by('https://git.example.com/evil/release.yml', release.issuer)).toMatchObject({
      signature: 'unsigned',
      reason: expect.stringContaining('https://git.example.com/evil/release.yml (https://issuer.example.com) is not trusted'),
    });
    expect(await by(release.identity, 'https://evil.example.com')).toMatchObject({ signature: 'unsigned' });
    expect(await by(release.identity, release.issuer, await openSigstore())).toMatchObject({ signature: 'unsigned' });
    const late = await openSigstore({ logIsAheadMs: 3_600_000 });
    const who = await late.identify(release.identity, release.issuer);
    await publisher.oldSignature(image.digest, [await who.layer(image.digest)]);
    expect(await look({}, keyless({ trustedRoot: late.trustedRoot }))).toMatchObject({
      signature: 'unsigned',
      reason: expect.stringContaining('certificate'),
    });
  });

  test('must be in the log when a root is given, even for a key', async () => {
    await publisher.oldSignature(image.digest, [ours.layer(image.digest)]);
    expect(await look({}, rule({ trustedRoot: sigstore.trustedRoot }))).toMatchObject({ signature: 'unsigned' });
    const who = await sigstore.identify(release.identity, release.issuer);
    const { annotations, ...layer } = await who.layer(image.digest);
    const { 'dev.sigstore.cosign/bundle': __, ...unlogged } = annotations;
    await publisher.oldSignature(image.digest, [{ ...layer, annotations: unlogged }]);
    expect(await look({}, keyless())).toMatchObject({ signature: 'unsigned', reason: expect.stringMatching(/timestamp/) });
  });

  test('is not an attestation, unless the configuration says so; attestations are reported', async () => {
    await publisher.bundle(image, ours.bundle(image.digest, slsa), { referrers });
    const attestations = [{ type: slsa, by: expect.stringMatching(/^the key /) }];
    expect(await look()).toMatchObject({
      signature: 'unsigned',
      reason: 'there are attestations, but no signature',
      attestations,
    });
    expect(await look({}, rule({ predicateTypes: [slsa] }))).toMatchObject({ signature: 'signed', attestations });
  });

  test('on an index covers its platforms, and those on all platforms cover the index', async () => {
    const arm = await publisher.image(`cart arm ${made}`);
    const index = await publisher.index([image, arm], 'v1');
    expect(await look()).toMatchObject({ signature: 'unsigned' });
    await publisher.oldSignature(index.digest, [ours.layer(index.digest)]);
    expect(await look()).toMatchObject({ signature: 'signed', reason: expect.stringContaining('index') });
    expect(await look({ running: index.digest })).toMatchObject({ signature: 'signed' });
    const next = await publisher.index([arm, image], 'v1');
    await publisher.oldSignature(image.digest, [ours.layer(image.digest)]);
    expect(await look({ running: next.digest })).toMatchObject({ signature: 'unsigned' });
    await publisher.oldSignature(arm.digest, [ours.layer(arm.digest)]);
    expect(await look({ running: next.digest })).toMatchObject({
      signature: 'signed',
      reason: expect.stringContaining('each of its platforms'),
    });
  });

  test('is found when the node knows only the configuration, and unknown when the tag has moved', async () => {
    await publisher.oldSignature(image.digest, [ours.layer(image.digest)]);
    expect(await look({ running: image.config })).toMatchObject({ signature: 'signed' });
    const moved = await publisher.image(`moved ${made}`, 'v1');
    expect(await look({ running: image.config })).toMatchObject({ signature: 'unknown' });
    expect(await look()).toMatchObject({ signature: 'signed' });
    await publisher.image(`moved again ${made}`, 'v1');
    expect(await look({ running: moved.digest })).toMatchObject({
      signature: 'unknown',
      reason: expect.stringContaining('no longer points to it'),
    });
    expect(await look({ running: moved.digest, asked: moved.digest })).toMatchObject({ signature: 'unsigned' });
  });

  test('is unknown without the right password, and no password is sent where it does not belong', async () => {
    await publisher.oldSignature(image.digest, [ours.layer(image.digest)]);
    for (const credentials of [[], [{ user: 'puller', password: 'wrong' }]])
      expect(await look({ credentials })).toMatchObject({
        signature: 'unknown',
        reason: expect.stringContaining('does not allow us to read'),
      });
    expect(await look({ credentials: [{ user: 'puller', password: 'wrong' }, credential] })).toMatchObject({
      signature: 'signed',
    });
    front.seen.splice(0);
    const other = await openFront(registry.host);
    front.answering((request, response) => {
      if (!request.url?.includes('/blobs/')) return undefined;
      response.writeHead(307, { location: `https://${other.host}${request.url}` }).end();
      return 'answered';
    });
    expect(await look()).toMatchObject({
      signature: 'unknown',
      reason: expect.stringContaining('neither a registry in the configuration'),
    });
    expect(other.seen).toEqual([]);
    await other.close();
  });

  test('is unknown while the registry is down, does not answer, lies, or sends too much', async () => {
    await publisher.oldSignature(image.digest, [ours.layer(image.digest)]);
    const answers: readonly (readonly [string, Parameters<typeof front.answering>[0]])[] = [
      ['HTTP 503', (_request, response) => answered(response.writeHead(503).end())],
      ['did not answer in time', () => 'answered'],
      ['did not answer', (request) => answered(request.destroy())],
      ['has a different digest', (_request, response) => answered(response.writeHead(200).end('{"layers":[]}'))],
      [
        'larger than 4194304 bytes',
        (_request, response) => {
          response.writeHead(200);
          response.on('error', () => {});
          for (let part = 0; part < 80; part += 1) response.write(Buffer.alloc(65_536, 0x20));
          response.end();
          return 'answered';
        },
      ],
    ];
    for (const [why, answer] of answers) {
      front.answering((request, response) =>
        request.headers.authorization?.startsWith('Bearer') ? answer(request, response) : undefined,
      );
      expect(await look({ withinMs: 1_500 })).toMatchObject({ signature: 'unknown', reason: expect.stringContaining(why) });
    }
  });

  test('is unknown when there is something that we cannot read', async () => {
    await publisher.oldSignature(image.digest, [{ ...theirs.layer(image.digest), mediaType: 'application/x-new' }]);
    expect(await look()).toMatchObject({ signature: 'unknown', reason: expect.stringContaining('application/x-new') });
    const bundle = 'application/vnd.dev.sigstore.bundle.v0.3+json';
    await publisher.oldSignature(image.digest, [
      { ...theirs.layer(image.digest), mediaType: bundle, content: Buffer.from('no JSON') },
    ]);
    expect(await look()).toMatchObject({ signature: 'unknown', reason: expect.stringContaining('not valid JSON') });
    await publisher.oldSignature(image.digest, [
      { ...theirs.layer(image.digest), content: Buffer.from('{}') },
      ours.layer(image.digest),
    ]);
    expect(await look()).toMatchObject({ signature: 'signed' });
  });
});
