import type { Client } from '@temporalio/client';
import type { ContainmentFirst } from '../../activities/chokepoint/containment-first.ts';
import type { Config } from '../config/load.ts';
import type { Secrets } from '../config/secrets.ts';
import type { Logger } from '../process/log.ts';
import type { Tracing } from '../process/telemetry/tracing.ts';

export interface DeskParts {
  readonly config: Config;
  readonly secrets: Secrets;
  /** Undefined while Temporal has not answered yet. */
  readonly client: () => Client | undefined;
  readonly taskQueue: string;
  readonly first: ContainmentFirst;
  /** Absent: nothing is traced. */
  readonly tracing?: Tracing | undefined;
  readonly log: Logger;
}
