import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { acceptedPacks, keepAccepted } from '../../../service/packs/accepted-packs.ts';
import { readPack } from '../../../service/packs/pack-files.ts';
import { writePackFolder } from '../../pack-folder.ts';
import { killed } from '../../processes.ts';

const stateDir = mkdtempSync(join(tmpdir(), 'firebreak-accepted-'));
const folder = writePackFolder(join(stateDir, 'acme'));
const left = join(stateDir, 'packs', 'watched.json');
afterAll(() => rmSync(stateDir, { recursive: true, force: true }));

const rooms = join(import.meta.dirname, '..', '..', '..', 'service', 'packs');
/** A process that has accepted the pack, and stays alive. */
const service = `
  const { keepAccepted } = await import(${JSON.stringify(join(rooms, 'accepted-packs.ts'))});
  const { readPack } = await import(${JSON.stringify(join(rooms, 'pack-files.ts'))});
  const folder = ${JSON.stringify(folder)};
  keepAccepted(${JSON.stringify(stateDir)}, [{ folder, pack: readPack({ folder }) }]);
  console.log('taken');
  setInterval(() => {}, 60_000);
`;

test('commands use what a service has accepted of a watched pack until it has ended, even by a kill', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', service], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(child.stdout, 'data');
    expect(acceptedPacks(stateDir)).toMatchObject([{ folder, pack: { integrity: readPack({ folder }).integrity } }]);
  } finally {
    await killed(child);
  }
  // The process had no time to remove what it left.
  expect(JSON.parse(readFileSync(left, 'utf8'))).toMatchObject({ pid: child.pid });
  expect(acceptedPacks(stateDir)).toEqual([]);
});

test('another process that later gets its number is not mistaken for it', () => {
  keepAccepted(stateDir, [{ folder, pack: readPack({ folder }) }]);
  expect(acceptedPacks(stateDir)).toHaveLength(1);
  const said = JSON.parse(readFileSync(left, 'utf8'));
  writeFileSync(left, JSON.stringify({ ...said, started: '1' }));
  expect(acceptedPacks(stateDir)).toEqual([]);
});
