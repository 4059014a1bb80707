import { appendFileSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import {
  type Anchor,
  checkpointOfLine,
  checkpointText,
  nextCheckpoint,
  type SignedCheckpoint,
} from '../../../core/audit/checkpoint.ts';
import { HeadsTree } from '../../../core/audit/heads-tree.ts';
import { createFileAnchor } from '../../../integrations/anchor/file-anchor.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-anchor-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function following(last: SignedCheckpoint | undefined, at: string): SignedCheckpoint {
  const checkpoint = nextCheckpoint({ last, stated: new HeadsTree(), moved: [], at });
  return { checkpoint, keyId: 'k', signature: 's' };
}

async function contents(anchor: Anchor): Promise<readonly (SignedCheckpoint | string)[]> {
  const entries: (SignedCheckpoint | string)[] = [];
  for await (const lines of anchor.read()) entries.push(...lines.map((line) => checkpointOfLine(line) ?? line));
  return entries;
}

describe('the anchor in a file', () => {
  const first = following(undefined, '2026-03-01T10:00:00.000Z');
  const second = following(first, '2026-03-01T10:01:00.000Z');

  test('adds each checkpoint once and refuses a different one with the same number', async () => {
    const file = join(folder, 'a.jsonl');
    const anchor = createFileAnchor({ file });
    expect(await contents(anchor)).toEqual([]);
    await anchor.append(first);
    await anchor.append(first, second);
    await anchor.append(first);
    await expect(anchor.append(following(first, '2026-03-01T10:09:00.000Z'))).rejects.toMatchObject({ code: 'FB_ERR_CONFLICT' });
    expect(await contents(createFileAnchor({ file }))).toEqual([first, second]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test('continues after a line torn by a crash', async () => {
    const file = join(folder, 'b.jsonl');
    await createFileAnchor({ file }).append(first);
    appendFileSync(file, '{"checkpoint":{"nu');
    await createFileAnchor({ file }).append(second);
    expect(await contents(createFileAnchor({ file }))).toEqual([first, '{"checkpoint":{"nu', second]);
  });

  test('returns a line longer than one read in full, and the lines around it', async () => {
    const file = join(folder, 'long.jsonl');
    const moved = Array.from({ length: 3_000 }, (_, nth) => ({
      chain: `incident/c/é\u2028 ${nth}@1`,
      number: 1,
      hash: 'h'.repeat(64),
    }));
    const checkpoint = nextCheckpoint({
      last: first,
      stated: new HeadsTree(),
      moved,
      at: '2026-03-01T10:01:00.000Z',
    });
    const long: SignedCheckpoint = { checkpoint, keyId: 'k', signature: 's' };
    const third = following(long, '2026-03-01T10:02:00.000Z');
    for (const signed of [first, long, third]) await createFileAnchor({ file }).append(signed);
    expect(statSync(file).size).toBeGreaterThan(4 * 65_536);
    expect(await contents(createFileAnchor({ file }))).toEqual([first, long, third]);
    // The last readable line is long, and so is the torn one that a crash left behind it.
    const torn = `\n\n{"checkpoint":${'x'.repeat(200_000)}`;
    for (const end of ['', '\n', torn, `${torn}\n`]) {
      const copy = join(folder, 'long-copy.jsonl');
      writeFileSync(copy, `${[first, long].map((signed) => JSON.stringify(signed)).join('\n')}${end}`);
      await createFileAnchor({ file: copy }).append(third);
      await expect(createFileAnchor({ file: copy }).append(following(long, '2026-03-01T10:09:00.000Z'))).rejects.toMatchObject({
        code: 'FB_ERR_CONFLICT',
      });
      expect((await contents(createFileAnchor({ file: copy }))).filter((entry) => typeof entry !== 'string')).toEqual([
        first,
        long,
        third,
      ]);
    }
  });

  test('continues after the last line without reading years of earlier ones', async () => {
    const file = join(folder, 'years.jsonl');
    // Longer than a string can be, but taking no disk space: reading it as a whole fails.
    writeFileSync(file, '');
    truncateSync(file, 2 ** 32);
    appendFileSync(file, `\n${JSON.stringify(first)}\n`);
    await createFileAnchor({ file }).append(second);
    const lines = [JSON.stringify(first), checkpointText(second)].map((line) => `\n${line}`).join('');
    expect(statSync(file).size).toBe(2 ** 32 + Buffer.byteLength(`${lines}\n`));
    rmSync(file);
  });

  test('says so when it cannot be written', async () => {
    const anchor = createFileAnchor({ file: join(folder, 'none', 'c.jsonl') });
    await expect(anchor.append(first)).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
  });
});
