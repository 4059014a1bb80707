import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { ensureFolder, ensureFolderSync } from '../../integrations/ensure-folder.ts';
import { projectRoot } from '../../service/process/project-root.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-folders-'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each([
  ['beside other work', async (path: string, mode?: number) => ensureFolder(path, mode)],
  ['at once', async (path: string, mode?: number) => ensureFolderSync(path, mode)],
])('a folder that is created %s', (how, make) => {
  const own = join(folder, how);

  test('comes with all missing parents, with the same permissions, and is created once', async () => {
    const path = join(own, 'a', 'b', 'c');
    await make(path, 0o700);
    await make(path, 0o755);
    for (const one of [path, join(own, 'a'), own]) expect(statSync(one).mode & 0o777).toBe(0o700);
    await make(join(own, 'd/'));
    await make(own);
    await make('/');
    expect(readdirSync(own)).toEqual(['a', 'd']);
  });

  test('may be below a link, and may be created by several callers at the same time', async () => {
    mkdirSync(join(own, 'real'), { recursive: true });
    symlinkSync(join(own, 'real'), join(own, 'link'));
    await make(join(own, 'link', 'x'));
    expect(readdirSync(join(own, 'real'))).toEqual(['x']);
    await Promise.all(Array.from({ length: 20 }, () => make(join(own, 'many', 'at', 'once'))));
    expect(statSync(join(own, 'many', 'at', 'once')).isDirectory()).toBe(true);
  });

  test('is refused where a file is in the way or the file system cannot create it', async () => {
    mkdirSync(own, { recursive: true });
    writeFileSync(join(own, 'file'), '');
    symlinkSync(join(own, 'nowhere'), join(own, 'dangling'));
    for (const [path, code] of [
      [join(own, 'file'), 'EEXIST'],
      [join(own, 'file', 'below'), 'ENOTDIR'],
      [join(own, 'dangling'), 'EEXIST'],
      ['/proc/nope', 'ENOENT'],
      ['/proc/nope/below', 'ENOENT'],
      ['', 'ENOENT'],
    ])
      await expect(make(path ?? '')).rejects.toMatchObject({ code });
  });
});

test('product code never creates folders with a recursive mkdir', () => {
  const files = ['core', 'service', 'integrations', 'activities', 'testing', 'authoring'].flatMap((room) =>
    readdirSync(join(projectRoot(), room), { recursive: true, encoding: 'utf8' }).map((file) => join(projectRoot(), room, file)),
  );
  const found = files.filter((file) => file.endsWith('.ts') && /\bmkdir(Sync)?\([^;]*recursive/.test(readFileSync(file, 'utf8')));
  expect(found).toEqual([]);
});
