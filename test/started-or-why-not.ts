import { afterAll } from '@jest/globals';
import { hasCode } from '../core/errors.ts';

/**
 * The server that a suite is about, stopped at its end; or why this machine cannot have it, with which the suite is skipped. That it does not
 * start although it is here is a failure.
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
