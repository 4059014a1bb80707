import { execFileSync } from 'node:child_process';
import { linkSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { createFolderShelf } from '../../../integrations/evidence/folder-shelf.ts';
import { createFolderStore } from '../../../integrations/evidence/folder-store.ts';
import { evidenceStoreSuite } from '../../suites/evidence-store.ts';
import { keyRegisterSuite } from '../../suites/key-register.ts';

const root = mkdtempSync(join(tmpdir(), 'firebreak-evidence-'));
const dir = join(root, 'evidence');
afterAll(() => rmSync(root, { recursive: true, force: true }));
const shelves = ['keys', 'destroyed', 'holds', 'manifests'];
const pathOf = (sha256: string): string => join(dir, sha256.slice(0, 2), sha256);

describe('in a folder', () => {
  evidenceStoreSuite({
    store: () => createFolderStore({ dir }),
    damage: async (sha256) => writeFileSync(pathOf(sha256), 'changed'),
    remove: async (sha256) => rmSync(pathOf(sha256)),
  });

  keyRegisterSuite({ shelf: () => createFolderShelf({ dir }) });

  test('sha256sum alone verifies a file, only its owner can read it, and no draft is left', async () => {
    const { sha256 } = await createFolderStore({ dir }).put(Buffer.from('planted'), 'text/plain');
    expect(execFileSync('sha256sum', [pathOf(sha256)], { encoding: 'utf8' })).toContain(sha256);
    expect(statSync(pathOf(sha256)).mode & 0o777).toBe(0o600);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    expect(readdirSync(dir).filter((name) => name.length !== 2 && !shelves.includes(name))).toEqual([]);
  });

  test('a folder that cannot be written to is unavailable', async () => {
    writeFileSync(join(root, 'file'), '');
    const put = createFolderStore({ dir: join(root, 'file') }).put(Buffer.from('x'), 'text/plain');
    await expect(put).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
    const add = createFolderShelf({ dir: join(root, 'file') }).add('keys/a', Buffer.from('x'));
    await expect(add).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
  });

  test('removing a file also removes drafts of it left by a killed process, and nothing else', async () => {
    const shelf = createFolderShelf({ dir });
    await shelf.add('keys/a', Buffer.from('wrapped'));
    await shelf.add('keys/ab', Buffer.from('another'));
    for (const name of ['a', 'ab']) linkSync(join(dir, 'keys', name), join(dir, 'keys', `${name}.1f0c.draft`));
    await shelf.remove('keys/a');
    expect(
      readdirSync(join(dir, 'keys'))
        .filter((name) => name.startsWith('a') && name.length < 16)
        .sort(),
    ).toEqual(['ab', 'ab.1f0c.draft']);
    expect(await shelf.get('keys/a')).toBeUndefined();
    await shelf.remove('keys/ab');
  });
});
