import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { projectRoot } from '../../service/process/project-root.ts';
import { ensureBuilt } from '../../tools/setup/build.mjs';
import { nativePackages } from '../../tools/setup/bundle.mjs';

const folder = mkdtempSync(join(tmpdir(), 'firebreak-bundle-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const dist = join(projectRoot(), 'dist');
beforeAll(async () => {
  await ensureBuilt({ node: process.execPath });
});

/** Runs the built command line; returns its output, and what it had loaded by its end. */
function firebreak(args: readonly string[], { root = dist, env = {} }: { readonly root?: string; readonly env?: object } = {}) {
  const report = join(folder, 'loaded.json');
  const preload = pathToFileURL(join(projectRoot(), 'test/service/cli/loaded.mjs')).href;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', preload, join(root, 'service', 'cli.js'), ...args],
    { encoding: 'utf8', cwd: folder, env: { PATH: process.env.PATH, HOME: folder, LOADED: report, ...env } },
  );
  const { own, packages }: { own: number; packages: readonly string[] } = JSON.parse(readFileSync(report, 'utf8'));
  return { status, stdout, stderr, own, packages };
}

describe('what is built', () => {
  test('starts the service from a few files, and uses only packages with a part for one kind of machine', () => {
    const { status, own, packages } = firebreak(['run', '--help']);
    expect(status).toBe(0);
    // It was 2 500 when each module was a file.
    expect(own).toBeLessThan(270);
    const ofLmdb = [
      '@harperfast/extended-iterable',
      'detect-libc',
      'msgpackr',
      'msgpackr-extract',
      'node-gyp-build-optional-packages',
    ];
    const others = [...ofLmdb, 'ordered-binary', 'weak-lru-cache', ...nativePackages];
    expect(packages.filter((name) => !others.includes(name) && !name.startsWith('@lmdb/'))).toEqual([]);
  });

  test('reads and tries playbooks without any package next to it', () => {
    const alone = join(folder, 'alone');
    cpSync(dist, join(alone, 'dist'), { recursive: true, filter: (file) => !/\.(map|d\.ts)$/.test(file) });
    cpSync(join(projectRoot(), 'package.json'), join(alone, 'package.json'));
    const root = join(alone, 'dist');
    expect(firebreak(['playbooks', 'list'], { root })).toMatchObject({
      status: 0,
      packages: [],
      stdout: expect.stringContaining('contain'),
    });
    expect(firebreak(['incidents', 'list', '--help'], { root })).toMatchObject({ status: 0, packages: [] });
  });

  test('shows where in the sources an error is', () => {
    const { stderr } = firebreak(['incidents', 'list', '--config', 'none.yaml'], { env: { FIREBREAK_DEBUG: '1' } });
    expect(stderr).toMatch(/^ +at \w+ \(service\/config\/problems\.ts:\d+:\d+\)$/m);
  });

  test('has the licence of each package that it includes', () => {
    const licenses = readFileSync(join(dist, 'licenses.txt'), 'utf8');
    for (const name of ['zod', '@temporalio/worker', '@slack/bolt', '@kubernetes/client-node'])
      expect(licenses).toContain(`\n${name} `);
    expect(licenses).toContain('Permission is hereby granted, free of charge');
  });
});
