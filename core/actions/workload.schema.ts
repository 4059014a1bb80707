import { z } from 'zod';

/** The owner of pods, as an alert names it. The plan reads its uid, and the approval is bound to that uid. */
export const workloadSchema = z.object({ kind: z.string().min(1), namespace: z.string().min(1), name: z.string().min(1) });
export type NamedWorkload = z.infer<typeof workloadSchema>;
