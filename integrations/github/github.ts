import { z } from 'zod';
import { httpUrl, secret } from '../../core/config/fields.schema.ts';
import { declareTicketSystem, inboundSection, titleAndBody } from '../ticket-declaration.ts';

export const github = declareTicketSystem({
  section: z
    .strictObject({
      repository: z
        .string()
        .regex(/^[A-Za-z0-9-]+\/[A-Za-z0-9._-]+$/, { error: 'not of the form owner/name' })
        .meta({ description: 'Private repository that gets the issues, as `owner/name`.', examples: ['acme/incidents'] }),
      token: secret.meta({ description: 'Token with read and write access to issues, and read access to metadata.' }),
      apiUrl: httpUrl
        .default('https://api.github.com')
        .meta({ description: 'Base URL of the REST API; GitHub Enterprise Server has a different one.' }),
      fields: titleAndBody.exactOptional(),
      inbound: inboundSection,
    })
    .meta({ description: 'GitHub Issues.' }),
  open: async (section) => {
    const [{ createGithubTickets }, { githubInbound }] = await Promise.all([import('./tickets.ts'), import('./inbound.ts')]);
    const { inbound } = section;
    return {
      tickets: createGithubTickets(section),
      inbound: inbound && githubInbound({ secrets: inbound.secrets, repository: section.repository }),
    };
  },
});
