import { z } from 'zod';
import { hardenings } from '../../action/hardening.ts';
import { suspectSchema } from '../pod.schema.ts';
import { workloadSchema } from '../workload.schema.ts';

export const hardenWorkloadInput = z.object({
  workload: workloadSchema,
  suspect: suspectSchema,
  leave: z.array(z.enum(hardenings)).exactOptional().meta({
    description:
      'Settings it cannot run with: `readOnlyRoot` if it writes outside its volumes, `runAsNonRoot` for images whose user is root. An AppArmor profile is given only where each node has shown AppArmor, or the configuration says so.',
  }),
});
export type HardenWorkloadInput = z.infer<typeof hardenWorkloadInput>;

export const hardenWorkloadOutput = z.object({ workload: workloadSchema, uid: z.string() });
export type HardenWorkloadOutput = z.infer<typeof hardenWorkloadOutput>;
