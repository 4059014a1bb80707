import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type Database, open, type RootDatabase } from 'lmdb';
import { WriteGroup } from '../../../../service/intake/spool/write-group.ts';
import { freshDirectory, removeDirectory } from '../parts/intake-fixture.ts';

describe('writes of one turn', () => {
  const directory = freshDirectory();
  let root: RootDatabase;
  let database: Database<string, string>;
  let group: WriteGroup;

  beforeEach(() => {
    root = open({ path: `${directory}/db`, overlappingSync: false });
    database = root.openDB({ name: 'texts' });
    group = new WriteGroup(root);
  });

  afterEach(async () => {
    await root.close();
    removeDirectory(directory);
  });

  test('are stored when their promises resolve, and when everything has settled', async () => {
    const first = group.add(() => void database.put('a', 'one'));
    const second = group.add(() => void database.put('b', 'two'));
    await first;
    expect(database.get('a')).toBe('one');
    await second;
    void group.add(() => void database.put('c', 'three'));
    await group.settled();
    expect([...database.getKeys()]).toEqual(['a', 'b', 'c']);
  });

  test('that throw fail alone', async () => {
    const good = group.add(() => void database.put('a', 'one'));
    const bad = group.add(() => void database.put('x'.repeat(10_000), 'too long a key'));
    const alsoGood = group.add(() => void database.put('b', 'two'));
    await expect(bad).rejects.toThrow();
    await Promise.all([good, alsoGood]);
    expect([...database.getKeys()]).toEqual(['a', 'b']);
  });
});
