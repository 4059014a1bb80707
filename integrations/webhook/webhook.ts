import { z } from 'zod';
import { httpUrl, secret } from '../../core/config/fields.schema.ts';
import { declareTicketSystem, inboundSection, titleAndBody } from '../ticket-declaration.ts';

/** Fields common to all integrations that use signed events. */
export const webhookFields = {
  url: httpUrl.meta({ description: 'Where the signed events go.', examples: ['https://tickets.example.com/firebreak'] }),
  secret: secret.meta({ description: 'Secret that the events are signed with (HMAC-SHA256).' }),
};

export const webhook = declareTicketSystem({
  section: z
    .strictObject({
      ...webhookFields,
      fields: titleAndBody.exactOptional(),
      inbound: inboundSection,
    })
    .meta({ description: 'A system of your own, by signed events.' }),
  open: async (section) => {
    const { createWebhookTickets, webhookInbound } = await import('./tickets.ts');
    const { inbound } = section;
    return {
      tickets: createWebhookTickets(section),
      inbound: inbound && webhookInbound({ secrets: inbound.secrets }),
    };
  },
});
