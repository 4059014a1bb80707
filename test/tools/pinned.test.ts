import { expect, test } from '@jest/globals';
import { projectRoot } from '../../service/process/project-root.ts';
import { imageFaults, packageFaults, pinnedFaults } from '../../tools/check/pinned.mjs';

const integrity = `sha512-${'A'.repeat(86)}==`;
const digest = `sha256:${'0'.repeat(64)}`;

test('every package of this tree has its integrity, and every image its digest', () => {
  expect(pinnedFaults(projectRoot())).toEqual([]);
});

test.each([
  ['none', {}],
  ['an empty one', { integrity: '' }],
  ['one that is weak', { integrity: 'sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=' }],
  ['one that is cut', { integrity: 'sha512-abc' }],
])('a package with %s is a fault', (_what, entry) => {
  const lock = {
    packages: { '': {}, 'node_modules/a': { integrity }, 'node_modules/b': { link: true }, 'node_modules/c': entry },
  };
  expect(packageFaults(lock)).toEqual(['node_modules/c has no integrity (sha512)']);
});

test('an image without a digest is a fault, in a Dockerfile and in a compose file', () => {
  const file = `FROM node:24 AS build\nFROM --platform=linux/amd64 golang:1@${digest} AS tools\nFROM build\nFROM scratch\n`;
  expect(imageFaults(file)).toEqual(['node:24 is not pinned by its digest']);
  expect(imageFaults(`services:\n  a:\n    image: "postgres:17"\n  b:\n    image: x:1@${digest}\n`)).toEqual([
    'postgres:17 is not pinned by its digest',
  ]);
});
