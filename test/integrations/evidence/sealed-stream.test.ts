import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { openStream, sealStream } from '../../../integrations/evidence/sealed-stream.ts';
import { inParts } from '../../in-parts.ts';

const key = randomBytes(32);
const segment = 1024 * 1024;
const sealedSegment = segment + 16;
const head = 52;

async function all(data: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of data) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}
const sealed = (bytes: Uint8Array): Promise<Buffer> => all(sealStream(inParts(bytes, 100_000), key));
const opened = (bytes: Uint8Array, withKey: Uint8Array = key): Promise<Buffer> =>
  all(openStream(inParts(bytes, 65_536), withKey));
const broken = { code: 'FB_ERR_SEAL_BROKEN' };

describe('a sealed stream', () => {
  test.each([0, 1, segment - 1, segment, segment + 1, 2 * segment, 2 * segment + 77])(
    'returns the same %i bytes',
    async (size) => {
      const bytes = randomBytes(size);
      const stream = await sealed(bytes);
      expect(stream.length).toBe(head + size + 16 * Math.max(1, Math.ceil(size / segment)));
      expect((await opened(stream)).equals(bytes)).toBe(true);
    },
  );

  test('is the same however the bytes are chunked', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 5_000 }), fc.integer({ min: 1, max: 700 }), async (bytes, size) => {
        const stream = await all(sealStream(inParts(bytes, size), key));
        expect(Buffer.from(bytes).equals(await all(openStream(inParts(stream, size), key)))).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  test('reveals nothing of the bytes, and is never the same twice', async () => {
    const bytes = Buffer.alloc(2_000, 'canary');
    const [one, two] = [await sealed(bytes), await sealed(bytes)];
    expect(one.includes('canary')).toBe(false);
    expect(one.subarray(head).equals(two.subarray(head))).toBe(false);
  });

  test('is refused with another key, or when altered, truncated, reordered or extended', async () => {
    const stream = await sealed(randomBytes(2 * segment + 500));
    await expect(opened(stream, randomBytes(32))).rejects.toMatchObject(broken);
    for (const at of [3, 30, head + 5, head + sealedSegment + 5, stream.length - 1]) {
      const changed = Buffer.from(stream);
      changed[at] = (changed[at] ?? 0) ^ 1;
      await expect(opened(changed)).rejects.toMatchObject(broken);
    }
    for (const length of [0, head, head + 3, head + sealedSegment, head + 2 * sealedSegment, stream.length - 1])
      await expect(opened(stream.subarray(0, length))).rejects.toMatchObject(broken);
    const [first, second, last] = [0, 1, 2].map((n) => stream.subarray(head + n * sealedSegment, head + (n + 1) * sealedSegment));
    const [start, a, b, c] = [stream.subarray(0, head), first, second, last].map((part) => part ?? Buffer.alloc(0));
    for (const parts of [
      [start, b, a, c],
      [start, a, c],
      [start, a, b, c, c],
      [start, a, a, b, c],
    ])
      await expect(opened(Buffer.concat(parts as Buffer[]))).rejects.toMatchObject(broken);
  });
});
