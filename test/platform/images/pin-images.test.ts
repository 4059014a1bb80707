import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pinImages } from '../../../tools/image/pin-images.ts';
import { type RegistryServer, startRegistryServer } from '../../../tools/platform/registry-server.ts';
import { Publisher } from '../../registry/publisher.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-pin-'));
let registry: RegistryServer;
beforeAll(async () => {
  registry = await startRegistryServer({ stateDir: join(folder, 'registry') });
});
afterAll(async () => {
  await registry.stop();
  rmSync(folder, { recursive: true });
});

test('images are pinned everywhere to the digest that the registry has for their tag; what it does not have, by tag or digest, stays and is reported', async () => {
  const { host } = registry;
  const { digest } = await new Publisher(host, 'shop/cart').image('cart', '1.2');
  const pinned = `${host}/other:1@sha256:${'0'.repeat(64)}`;
  const [cart, gone] = [`${host}/shop/cart:1.2`, `${host}/shop/gone:1`];
  const [compose, dockerfile] = [join(folder, 'compose.yml'), join(folder, 'Dockerfile')];
  writeFileSync(
    compose,
    `services:\n  a: { command: x }\n  b:\n    image: ${cart}\n  c:\n    image: ${cart}\n  d:\n    image: ${gone}\n`,
  );
  writeFileSync(dockerfile, `FROM ${cart} AS build\nFROM ${pinned}\nFROM ${cart}-slim\nFROM build\n`);

  const options = { root: folder, files: ['compose.yml', 'Dockerfile'], known: [{ host, plainHttp: true }] };
  expect(await pinImages(options)).toEqual([
    { image: pinned, problem: expect.stringContaining('is not in its registry') },
    { image: cart, digest },
    { image: `${cart}-slim`, problem: expect.stringContaining('is not in its registry') },
    { image: gone, problem: expect.stringContaining('is not in its registry') },
  ]);
  expect(
    readFileSync(compose, 'utf8')
      .split('\n')
      .filter((line) => line.includes('image')),
  ).toEqual([`    image: ${cart}@${digest}`, `    image: ${cart}@${digest}`, `    image: ${gone}`]);
  expect(readFileSync(dockerfile, 'utf8')).toBe(
    `FROM ${cart}@${digest} AS build\nFROM ${pinned}\nFROM ${cart}-slim\nFROM build\n`,
  );

  // Runs again: an image that now has its digest is found by it, and a digest missing from the registry is reported.
  expect(await pinImages(options)).toEqual([
    { image: pinned, problem: expect.stringContaining('is not in its registry') },
    { image: `${cart}-slim`, problem: expect.stringContaining('is not in its registry') },
    { image: `${cart}@${digest}`, digest },
    { image: gone, problem: expect.stringContaining('is not in its registry') },
  ]);
});
