/** A pool implements exactly the actions that declare it as their pool: the compiler names any that is missing. Checked by `tsc`, never run. */
import type { PoolImplementations } from '../../activities/chokepoint/registered.ts';

declare const secrets: PoolImplementations<'secrets'>;
declare const cell: PoolImplementations<'cell'>;

const { rotateSecret, ...others } = secrets;

export const whole: PoolImplementations<'secrets'> = { ...others, rotateSecret };
// @ts-expect-error: rotateSecret says that it is of this pool
export const lacking: PoolImplementations<'secrets'> = others;
// @ts-expect-error: an action of the cell is none of this pool
export const foreign: PoolImplementations<'secrets'> = { ...others, rotateSecret, evictPod: cell.evictPod };
// @ts-expect-error: what does another action has another input
export const confused: PoolImplementations<'secrets'> = { ...others, rotateSecret: cell.evictPod };
