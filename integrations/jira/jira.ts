import { z } from 'zod';
import { httpUrl, secret } from '../../core/config/fields.schema.ts';
import { declareTicketSystem, fieldTemplate, inboundSection } from '../ticket-declaration.ts';

export const jira = declareTicketSystem({
  section: z
    .strictObject({
      url: httpUrl.meta({ description: 'The site, as people open it.', examples: ['https://acme.atlassian.net'] }),
      apiUrl: httpUrl.exactOptional().meta({
        description: 'Base URL of the API if it differs: `https://api.atlassian.com/ex/jira/CLOUDID` for tokens with scopes.',
      }),
      email: z
        .string()
        .min(1)
        .meta({ description: 'E-mail of the account that the token belongs to.', examples: ['firebreak@acme.com'] }),
      token: secret.meta({ description: 'API token of that account.' }),
      project: z
        .string()
        .regex(/^[A-Z][A-Z0-9_]+$/, { error: 'not the key of a project (capital letters)' })
        .meta({ description: 'Key of the project.', examples: ['SEC'] }),
      issueType: z.string().min(1).default('Task').meta({ description: 'Name of the issue type.' }),
      doneStatus: z.string().min(1).exactOptional().meta({
        description: 'Status to close issues in. Default: the first one in the category “done” that the workflow offers.',
      }),
      fields: z
        .record(z.string().min(1), fieldTemplate)
        .exactOptional()
        .meta({
          description:
            'Fields of the issue by name, with placeholders. `summary` is `{{title}}` and `description` is `{{body}}` unless they are set here.',
          examples: [{ summary: '[{{severity}}] {{title}}', priority: { name: 'High' }, customfield_10042: '{{cluster}}' }],
        }),
      inbound: inboundSection,
    })
    .meta({ description: 'Jira Cloud.' }),
  open: async (section, { memory }) => {
    const [{ createJiraTickets }, { jiraInbound }] = await Promise.all([import('./tickets.ts'), import('./inbound.ts')]);
    const { inbound } = section;
    return {
      tickets: createJiraTickets({ ...section, ...(memory && { memory }) }),
      inbound: inbound && jiraInbound({ secrets: inbound.secrets, project: section.project }),
    };
  },
});
