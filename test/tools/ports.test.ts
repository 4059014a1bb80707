import { createServer } from 'node:net';
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
      message: expect.stringContaining(`another program listens on port ${taken}`),
      remedy: expect.stringContaining('--state FOLDER --port NUMBER'),
    });
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});
