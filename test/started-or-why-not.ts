import { afterAll } from '@jest/globals';
import { hasCode } from '../core/errors.ts';

/**
 * Returns the server that a suite tests, stopped at its end, or the reason why this machine cannot have it, with which the suite is skipped. A server that is
 * here but does not start is a failure.
 */
export async function startedOrWhyNot<Server extends { stop(): Promise<unknown> }>(
  start: () => Promise<Server>,
): Promise<Server | string> {
  const started = await start().catch((error: unknown) => {
    if (hasCode(error, 'FB_ERR_PLATFORM_PART_MISSING')) return error.detail;
    throw error;
  });
  afterAll(async () => {
    if (typeof started !== 'string') await started.stop();
  });
  return started;
}
