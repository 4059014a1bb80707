import { z } from 'zod';

/** What owns pods, as an alert names it. Its uid is read by the plan, and the approval is bound to it. */
export const workloadSchema = z.object({ kind: z.string().min(1), namespace: z.string().min(1), name: z.string().min(1) });
export type NamedWorkload = z.infer<typeof workloadSchema>;
