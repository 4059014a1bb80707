import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { createBlockFile } from '../../../integrations/evidence/block-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-blocks-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const mebibyte = 1024 * 1024;

describe.each([
  { name: 'past the page cache', pastCache: true },
  { name: 'through the page cache', pastCache: false },
])('a file that is written in blocks $name', ({ pastCache }) => {
  test.each([0, 1, 4_096, mebibyte - 1, mebibyte, mebibyte + 1, 2 * mebibyte, 3 * mebibyte + 5_000])(
    'has all of its %i bytes in order, for its owner only',
    async (length) => {
      const path = join(folder, `${pastCache}-${length}`);
      const bytes = randomBytes(length);
      const file = await createBlockFile(path, { pastCache });
      for (let from = 0; from < length; ) {
        // Of a size that does not match the blocks; the buffer is reused at once.
        const part = Buffer.from(bytes.subarray(from, from + 300_001));
        await file.write(part);
        from += part.length;
        part.fill(0);
      }
      await file.finish();
      await file.close();
      expect(readFileSync(path).equals(bytes)).toBe(true);
      expect(statSync(path).mode & 0o777).toBe(0o600);
    },
  );

  test('can be one of many written at the same time', async () => {
    const all = Array.from({ length: 5 }, (_, n) => ({
      path: join(folder, `${pastCache}-many-${n}`),
      bytes: randomBytes(2_500_000),
    }));
    await Promise.all(
      all.map(async ({ path, bytes }) => {
        const file = await createBlockFile(path, { pastCache });
        await file.write(bytes);
        await file.finish();
        await file.close();
      }),
    );
    for (const { path, bytes } of all) expect(readFileSync(path).equals(bytes)).toBe(true);
  });

  test('never overwrites an existing one', async () => {
    const path = join(folder, `${pastCache}-1`);
    await expect(createBlockFile(path, { pastCache })).rejects.toMatchObject({ code: 'EEXIST' });
  });
});
