import { z } from 'zod';

export const openTicketInput = z.object({
  title: z.string().min(1).max(256),
  body: z.string().max(60_000),
  labels: z
    .array(z.string().min(1).max(50))
    .max(20)
    .default([])
    .meta({ description: 'Where the ticket system has labels; a severity among them counts as its priority.' }),
});
export type OpenTicketInput = z.input<typeof openTicketInput>;

export const openTicketOutput = z.object({
  system: z.string(),
  state: z.enum(['created', 'existing', 'ambiguous', 'skipped']).meta({
    description: '`skipped`: no ticket system is configured, so there is no ticket.',
  }),
  id: z.string().exactOptional(),
  url: z.string().exactOptional(),
});
export type OpenTicketOutput = z.infer<typeof openTicketOutput>;

/** Output if no ticket system is configured. */
export const noTicket: OpenTicketOutput = { system: 'none', state: 'skipped' };
