import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, expect, jest, test } from '@jest/globals';
import { freePorts } from '../../tools/platform/ports.ts';

afterEach(() => {
  jest.restoreAllMocks();
});

test('a port that was handed out is not handed out again, even if nothing listens on it yet', async () => {
  const { first } = await freePorts({ names: ['first'] });
  jest.spyOn(Math, 'random').mockReturnValueOnce((first + 0.5 - 20_000) / 12_000);
  const { second } = await freePorts({ names: ['second'] });
  expect(second).not.toBe(first);
});

test('a port of somebody else is named, with what to do in place of ending it', async () => {
  const server = createServer();
  const { taken } = await freePorts({ names: ['taken'] });
  await new Promise<void>((resolve) => server.listen(taken, '127.0.0.1', resolve));
  try {
    await expect(freePorts({ names: ['wanted'], from: taken })).rejects.toMatchObject({
      code: 'FB_ERR_PLATFORM_BUSY',
      message: expect.stringMatching(
        new RegExp(`another program \\(node\\S*, process ${process.pid}\\) listens on port ${taken}`),
      ),
      remedy: expect.stringContaining('in another folder, without `--port`'),
    });
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

test('a port of another local platform is named with the folder and the logs of that platform', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'firebreak-platform-'));
  writeFileSync(join(folder, 'platform.json'), '{}');
  const { taken } = await freePorts({ names: ['taken'] });
  const program = `require('net').createServer().listen(${taken}, '127.0.0.1', () => console.log('listens'))`;
  const child = spawn(process.execPath, ['-e', program, '--', `--db=${folder}/temporal/temporal.db`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(child.stdout, 'data');
    await expect(freePorts({ names: ['wanted'], from: taken })).rejects.toMatchObject({
      code: 'FB_ERR_PLATFORM_BUSY',
      message: expect.stringContaining(
        `the local platform in ${folder} (${basename(process.execPath)}, process ${child.pid}) listens on port ${taken}; its logs are in ${folder}/temporal`,
      ),
    });
  } finally {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
});
