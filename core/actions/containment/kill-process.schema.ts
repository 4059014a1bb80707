import { z } from 'zod';
import { containerSchema } from '../container.schema.ts';
import { podSchema } from '../pod.schema.ts';

/** A process as `captureProcesses` lists it: by its pid in the container, and its start. A pid alone may be reused. */
const processSchema = z.object({ pid: z.int().min(1), startTicks: z.int().min(0) });

export const killProcessInput = z.object({
  pod: podSchema,
  container: containerSchema.optional().meta({ description: 'The run of the container that `captureProcesses` looked into.' }),
  process: processSchema,
});
export type KillProcessInput = z.infer<typeof killProcessInput>;

export const killProcessOutput = z.object({
  pod: podSchema,
  container: z.object({ id: z.string(), name: z.string() }),
  process: processSchema.extend({ name: z.string().exactOptional() }),
  /** `gone`: it had already ended. */
  state: z.enum(['killed', 'gone']),
});
export type KillProcessOutput = z.infer<typeof killProcessOutput>;
