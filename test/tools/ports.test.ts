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
