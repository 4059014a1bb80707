import { z } from 'zod';
import { github } from '../../../integrations/github/github.ts';
import { jira } from '../../../integrations/jira/jira.ts';
import { servicenow } from '../../../integrations/servicenow/servicenow.ts';
import { inboundSection, template } from '../../../integrations/ticket-declaration.ts';
import { webhook, webhookFields } from '../../../integrations/webhook/webhook.ts';
import { httpUrl, id, secret } from '../fields.ts';

/** All ticket systems. Adding one here is enough for it to be configured, opened, listened to and examined. */
export const ticketSystems = { github, jira, servicenow, webhook };

type Sections = {
  readonly [System in keyof typeof ticketSystems]: z.ZodExactOptional<(typeof ticketSystems)[System]['section']>;
};

const sections = Object.fromEntries(
  Object.entries(ticketSystems).map(([name, { section }]) => [name, section.exactOptional()]),
) as Sections;

const onlyOne = (section: object) => Object.values(section).filter((value) => value !== undefined).length <= 1;

export const tickets = z
  .strictObject(sections)
  .refine(onlyOne, { error: 'one incident has one ticket: only one ticket system can be configured' })
  .prefault({});

const onCall = z.strictObject({
  token: secret.meta({ description: 'REST API key; a read-only one is enough.' }),
  schedules: z.record(id, z.string().regex(/^[A-Z0-9]{6,20}$/, { error: 'not a PagerDuty schedule id (P…)' })).meta({
    description:
      'Group of the roster → id of the schedule that says who of it is on call. It narrows the group at the desk, and never widens it: see `firebreak docs on-call`.',
    examples: [{ oncall: 'PI7DH85' }],
  }),
  apiUrl: httpUrl
    .default('https://api.pagerduty.com')
    .meta({ description: 'Base URL; `https://api.eu.pagerduty.com` for accounts in the EU.' }),
  everySeconds: z.int().min(10).max(3_600).default(60).meta({ description: 'How often it is read.' }),
});

const pagerduty = z.strictObject({
  routingKey: secret.meta({ description: 'Integration key of an Events API v2 integration.' }),
  groups: z
    .record(id, secret)
    .exactOptional()
    .meta({ description: 'Integration keys for single groups of the roster; all others use `routingKey`.' }),
  apiUrl: httpUrl
    .default('https://events.pagerduty.com')
    .meta({ description: 'Base URL; `https://events.eu.pagerduty.com` for accounts in the EU.' }),
  summary: template.default('{{title}}').meta({ description: 'Template of the one line that is shown and read out.' }),
  onCall: onCall
    .exactOptional()
    .meta({ description: 'Who is on call, from PagerDuty’s schedules. Absent: only the roster decides.' }),
  inbound: inboundSection,
});

export const paging = z
  .strictObject({
    pagerduty: pagerduty.exactOptional().meta({ description: 'PagerDuty.' }),
    webhook: z.strictObject(webhookFields).exactOptional().meta({ description: 'A system of your own, by signed events.' }),
  })
  .refine(onlyOne, { error: 'only one pager can be configured' })
  .prefault({});

/** What incidents can rely on at the desk: they are started with it. */
export function followUpOf(config: { readonly tickets: z.output<typeof tickets>; readonly paging: z.output<typeof paging> }): {
  readonly tickets: boolean;
  readonly pages: boolean;
} {
  const any = (section: object) => Object.values(section).some((value) => value !== undefined);
  return { tickets: any(config.tickets), pages: any(config.paging) };
}
