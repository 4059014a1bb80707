import { z } from 'zod';
import { type FieldTemplate, placeholders, unknownPlaceholders } from '../../../core/tickets/template.ts';
import { httpUrl, id, secret } from '../fields.ts';

const known = Object.keys(placeholders)
  .map((name) => `{{${name}}}`)
  .join(', ');

const problem = `a placeholder is not known; known are ${known}`;

/** Text with placeholders. */
const template = z.string().refine((text) => unknownPlaceholders(text).length === 0, { error: problem });

/** Any JSON whose texts may hold placeholders: custom fields are of every shape. */
const fieldTemplate: z.ZodType<FieldTemplate> = z
  .json()
  .refine((value): boolean => unknownPlaceholders(value).length === 0, { error: problem });

const titleAndBody = z.strictObject({
  title: template.exactOptional().meta({ description: 'Template of the title. Default: `{{title}}`.' }),
  body: template.exactOptional().meta({ description: 'Template of the body. Default: `{{body}}`.' }),
});

/** What comes back. The desk must be reachable for it, at `/inbound/SYSTEM`. */
const inbound = z
  .strictObject({
    secrets: z.array(secret).min(1).max(2).meta({
      description: 'What its webhooks are signed with (ServiceNow: the token that they carry); two while they are rotated.',
    }),
  })
  .exactOptional()
  .meta({
    description: 'Whether it tells us what people do to the ticket there. Absent: it does not. It is shown, and decides nothing.',
    examples: [{ secrets: [{ env: 'TICKET_WEBHOOK_SECRET' }] }],
  });

const github = z.strictObject({
  repository: z
    .string()
    .regex(/^[A-Za-z0-9-]+\/[A-Za-z0-9._-]+$/, { error: 'not of the form owner/name' })
    .meta({ description: 'Private repository that gets the issues, as `owner/name`.', examples: ['acme/incidents'] }),
  token: secret.meta({ description: 'Token with read and write on issues, and read on metadata.' }),
  apiUrl: httpUrl
    .default('https://api.github.com')
    .meta({ description: 'Base URL of the REST API; another one for GitHub Enterprise Server.' }),
  fields: titleAndBody.exactOptional(),
  inbound,
});

const jira = z.strictObject({
  url: httpUrl.meta({ description: 'The site, as people open it.', examples: ['https://acme.atlassian.net'] }),
  apiUrl: httpUrl.exactOptional().meta({
    description: 'Base URL of the API where it is another: `https://api.atlassian.com/ex/jira/CLOUDID` for tokens with scopes.',
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
  doneStatus: z
    .string()
    .min(1)
    .exactOptional()
    .meta({ description: 'Status to close in. Default: the first that the workflow offers whose category is done.' }),
  fields: z
    .record(z.string().min(1), fieldTemplate)
    .exactOptional()
    .meta({
      description:
        'Fields of the issue by name, with placeholders. `summary` is `{{title}}` and `description` is `{{body}}` where they are not named.',
      examples: [{ summary: '[{{severity}}] {{title}}', priority: { name: 'High' }, customfield_10042: '{{cluster}}' }],
    }),
  inbound,
});

const servicenow = z.strictObject({
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
        'Columns by name, with placeholders. `short_description` is `{{title}}` and `description` is `{{body}}` where they are not named.',
      examples: [{ short_description: '{{title}}', urgency: '1', impact: '2' }],
    }),
  resolvedState: z.string().min(1).default('6').meta({ description: 'Value of `state` that stands for resolved.' }),
  closeCodes: z
    .strictObject({
      completed: z.string().min(1).default('Solution provided').meta({ description: '`close_code` of a true positive.' }),
      notPlanned: z.string().min(1).default('No resolution provided').meta({ description: '`close_code` of what was benign.' }),
      duplicate: z.string().min(1).default('Duplicate').meta({ description: '`close_code` of a duplicate.' }),
    })
    .prefault({}),
  inbound,
});

const webhook = {
  url: httpUrl.meta({ description: 'Where the signed events go.', examples: ['https://tickets.example.com/firebreak'] }),
  secret: secret.meta({ description: 'Secret that the events are signed with (HMAC-SHA256).' }),
};

const webhookTickets = z.strictObject({
  ...webhook,
  fields: titleAndBody.exactOptional(),
  inbound,
});

const onlyOne = (section: object) => Object.values(section).filter((value) => value !== undefined).length <= 1;

export const tickets = z
  .strictObject({
    github: github.exactOptional().meta({ description: 'GitHub Issues.' }),
    jira: jira.exactOptional().meta({ description: 'Jira Cloud.' }),
    servicenow: servicenow.exactOptional().meta({ description: 'ServiceNow.' }),
    webhook: webhookTickets.exactOptional().meta({ description: 'A system of your own, by signed events.' }),
  })
  .refine(onlyOne, { error: 'one incident has one ticket: only one ticket system can be configured' })
  .prefault({});

const onCall = z.strictObject({
  token: secret.meta({ description: 'REST API key; a read-only one is enough.' }),
  schedules: z.record(id, z.string().regex(/^[A-Z0-9]{6,20}$/, { error: 'not an id of a schedule in PagerDuty (P…)' })).meta({
    description:
      'Group of the roster → id of the schedule that says who of it is on call. It narrows the group at the desk, and never widens it: see docs/on-call.md.',
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
    .meta({ description: 'Who is on call, from PagerDuty’s schedules. Absent: the roster alone says.' }),
  inbound,
});

export const paging = z
  .strictObject({
    pagerduty: pagerduty.exactOptional().meta({ description: 'PagerDuty.' }),
    webhook: z.strictObject(webhook).exactOptional().meta({ description: 'A system of your own, by signed events.' }),
  })
  .refine(onlyOne, { error: 'only one pager can be configured' })
  .prefault({});
