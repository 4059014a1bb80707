import { z } from 'zod';
import { type OpenedSection, secret } from '../core/config/fields.schema.ts';
import type { TicketMemory } from '../core/tickets/one-ticket.ts';
import { type FieldTemplate, placeholders, unknownPlaceholders } from '../core/tickets/template.ts';
import type { TicketSystem } from '../core/tickets/ticket.ts';
import type { InboundSystem } from '../core/tickets/ticket-news.ts';

/** What is created from a section of the configuration. */
export interface OpenedTickets {
  readonly tickets: TicketSystem;
  /** Set if the section lets the system report back. */
  readonly inbound: InboundSystem | undefined;
}

/** Declares a ticket system: its section of the configuration, and what is created from it. Its code is loaded only if it is configured. */
export function declareTicketSystem<Section extends z.ZodType>(declared: {
  readonly section: Section;
  readonly open: (
    section: OpenedSection<z.output<Section>>,
    parts: {
      /** Remembers what was filed. Absent: for callers that file nothing. */
      readonly memory?: TicketMemory;
    },
  ) => Promise<OpenedTickets>;
}) {
  return declared;
}

const known = Object.keys(placeholders)
  .map((name) => `{{${name}}}`)
  .join(', ');
const problem = `unknown placeholder: use one of ${known}`;

/** Text with placeholders. */
export const template = z.string().refine((text) => unknownPlaceholders(text).length === 0, { error: problem });

/** Any JSON whose texts may contain placeholders: custom fields can have any shape. */
export const fieldTemplate: z.ZodType<FieldTemplate> = z
  .json()
  .refine((value): boolean => unknownPlaceholders(value).length === 0, { error: problem });

export const titleAndBody = z.strictObject({
  title: template.exactOptional().meta({ description: 'Template of the title. Default: `{{title}}`.' }),
  body: template.exactOptional().meta({ description: 'Template of the body. Default: `{{body}}`.' }),
});

/** Settings for events from the ticket system. The desk must be reachable for them, at `/inbound/SYSTEM`. */
export const inboundSection = z
  .strictObject({
    secrets: z.array(secret).min(1).max(2).meta({
      description: 'Secrets that its webhooks are signed with (ServiceNow: the token that they carry); two during a rotation.',
    }),
  })
  .exactOptional()
  .meta({
    description:
      'Whether it reports what people do to the ticket there. Absent: it does not. The report is shown, and decides nothing.',
    examples: [{ secrets: [{ env: 'TICKET_WEBHOOK_SECRET' }] }],
  });
