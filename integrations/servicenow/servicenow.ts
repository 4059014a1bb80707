import { z } from 'zod';
import { httpUrl, secret } from '../../core/config/fields.schema.ts';
import { declareTicketSystem, inboundSection, template } from '../ticket-declaration.ts';

export const servicenow = declareTicketSystem({
  section: z
    .strictObject({
      url: httpUrl.meta({ description: 'The instance.', examples: ['https://acme.service-now.com'] }),
      user: z
        .string()
        .min(1)
        .meta({ description: 'User that writes the records.', examples: ['firebreak'] }),
      password: secret.meta({ description: 'Password of that user.' }),
      table: z
        .string()
        .regex(/^[a-z0-9_]+$/, { error: 'not the name of a table' })
        .default('incident')
        .meta({ description: 'Table that gets the records; it must extend `task`.' }),
      fields: z
        .record(z.string().regex(/^[a-z0-9_]+$/, { error: 'not the name of a column' }), template)
        .exactOptional()
        .meta({
          description:
            'Columns by name, with placeholders. `short_description` is `{{title}}` and `description` is `{{body}}` unless they are set here.',
          examples: [{ short_description: '{{title}}', urgency: '1', impact: '2' }],
        }),
      resolvedState: z.string().min(1).default('6').meta({ description: 'Value of `state` that means resolved.' }),
      closeCodes: z
        .strictObject({
          completed: z.string().min(1).default('Solution provided').meta({ description: '`close_code` of a true positive.' }),
          notPlanned: z
            .string()
            .min(1)
            .default('No resolution provided')
            .meta({ description: '`close_code` of what is closed for any other reason, such as a benign incident.' }),
          duplicate: z.string().min(1).default('Duplicate').meta({ description: '`close_code` of a duplicate.' }),
        })
        .prefault({}),
      inbound: inboundSection,
    })
    .meta({ description: 'ServiceNow.' }),
  open: async (section, { memory }) => {
    const [{ createServiceNowTickets }, { serviceNowInbound }] = await Promise.all([
      import('./tickets.ts'),
      import('./inbound.ts'),
    ]);
    const { inbound } = section;
    return {
      tickets: createServiceNowTickets({ ...section, ...(memory && { memory }) }),
      inbound: inbound && serviceNowInbound({ secrets: inbound.secrets, user: section.user }),
    };
  },
});
