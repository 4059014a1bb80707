import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { elfFiles } from '../../tools/image/elf.ts';
import { pack } from '../../tools/image/oci.ts';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-elf-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The header of an ELF file for this machine. */
function program(machine: number): Buffer {
  const head = Buffer.alloc(64);
  head.write('\x7fELF', 'latin1');
  head.writeUInt16LE(machine, 18);
  return head;
}

test('programs and libraries of an archive are found by their first bytes, with the processor that they are for', async () => {
  const root = join(folder, 'root');
  const deep = 'a-long-name/'.repeat(12);
  mkdirSync(join(root, deep), { recursive: true });
  writeFileSync(join(root, 'node'), program(62));
  writeFileSync(join(root, deep, 'library.node'), program(183));
  writeFileSync(join(root, 'of-an-old-phone'), program(40));
  writeFileSync(join(root, 'script'), '#!/bin/sh\n');
  writeFileSync(join(root, 'short'), '\x7fELF', 'latin1');
  writeFileSync(join(root, 'large'), Buffer.alloc(2_000, 0x7f));
  const archive = join(folder, 'layer.tar');
  await pack(root, archive, 'app/');
  expect([...elfFiles(archive)].sort((a, b) => (a.path < b.path ? -1 : 1))).toEqual([
    { path: `./app/${deep}library.node`, machine: 'arm64' },
    { path: './app/node', machine: 'amd64' },
    { path: './app/of-an-old-phone', machine: 40 },
  ]);
});
