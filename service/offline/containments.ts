import { findContainedPods } from './contained-pods.ts';
import type { Containment, FindOptions } from './containment.ts';
import { findHeldObjects } from './held-objects.ts';

/** Finds every containment, from the API server alone: pods first. @throws FB_ERR_REFUSED, FB_ERR_UNAVAILABLE. */
export async function findContainments(options: FindOptions): Promise<readonly Containment[]> {
  return [...(await findContainedPods(options)), ...(await findHeldObjects(options))];
}
