/** Packs that are refused before any part of them is tried, and what their author is told. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { describePack } from '../../../service/packs/describe.ts';
import { type PackFiles, readPack } from '../../../service/packs/pack-files.ts';
import { runPackProgram } from '../../../service/packs/pack-program.ts';
import { packFaults } from '../../../service/packs/pack-rules.ts';
import { acmeFiles, writePackFolder } from '../../pack-folder.ts';
import { alertOf } from '../../testing/alert-of.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-refused-packs-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The pack with one of its files changed. */
function packWith(file: string, from: string, to: string): PackFiles {
  const source = acmeFiles[file] ?? '';
  expect(source).toContain(from);
  const where = mkdtempSync(join(folder, 'pack-'));
  return readPack({ folder: writePackFolder(where, { ...acmeFiles, [file]: source.replace(from, to) }) });
}

test.each([
  [
    'the name of the shipped pack',
    "name: 'acme'",
    "name: 'firebreak'",
    'a pack cannot be named firebreak: that is the name of the shipped pack',
  ],
  [
    'an envelope that it changed afterwards',
    'playbooks: [miner]',
    "playbooks: [{ ...miner, on: { ...miner.on, minSeverity: 'severe' as 'high' } }]",
    'acme/miner: minSeverity is “severe”',
  ],
])('a pack with %s is refused, and its author told why', (_, from, to, says) => {
  expect(() => describePack(packWith('firebreak.pack.ts', from, to))).toThrow(`firebreak.pack.ts: ${says}`);
});

test('a pack that never finishes loading is reported as such', () => {
  const pack = packWith('firebreak.pack.ts', 'export default', 'for (;;);\nexport default');
  const says = 'firebreak.pack.ts: it has not exited after 0.5 s: nothing in it may keep running after it is loaded';
  expect(() => describePack(pack, { withinMs: 500 })).toThrow(says);
});

test('a pack that fills memory beside its objects is ended as it is tried, and reported as such', async () => {
  const pack = packWith('firebreak.pack.ts', 'export default', 'new Uint8Array(6e9).fill(1);\nfor (;;);\nexport default');
  const tried = runPackProgram(pack, 'service/check/try-main', { alerts: [], params: {}, shipped: [] });
  await expect(tried).rejects.toThrow('firebreak.pack.ts: it took more than 704 MB of memory');
});

test('a refused envelope is reported with its place', () => {
  const pack = packWith('playbooks/miner.ts', "title: 'Cut off a pod that mines'", "title: ' '");
  expect(() => describePack(pack)).toThrow('playbooks/miner.ts:5: TypeError: playbook miner: its title is empty');
});

test('the clock is refused in every way that leads to it', () => {
  const pack = packWith(
    'playbooks/miner.ts',
    'note(saying',
    'note(Date());\n    note(String(new Date(0).getTime()));\n    note(saying',
  );
  expect(packFaults(pack)).toMatchObject([{ file: 'playbooks/miner.ts', line: 14, problem: 'Date() reads the clock' }]);
});

test('a pack that prints is still read, tried and observed', async () => {
  const printing = packWith('playbooks/miner.ts', 'note(saying', "console.log('hello');\n    note(saying");
  const loading = packWith('firebreak.pack.ts', 'export default', "console.log('hello');\nexport default");
  expect(describePack(loading).pack.name).toBe('acme');
  const tried: unknown = JSON.parse(
    await runPackProgram(printing, 'service/check/try-main', { alerts: [], params: {}, shipped: [] }),
  );
  expect(tried).toMatchObject([{ playbook: 'acme/miner' }]);
  const alert = alertOf({ rule: 'Detect crypto miners', severity: 'critical' });
  const observation = { alert, playbooks: ['acme/miner'], params: {}, answers: [], failures: {}, outputs: [], hasTickets: true };
  const observed: unknown = JSON.parse(await runPackProgram(printing, 'service/packs/observe-main', observation));
  expect(observed).toMatchObject([{ playbook: 'acme/miner' }]);
});
