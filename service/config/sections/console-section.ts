import { z } from 'zod';
import { consoleRoles } from '../../../core/console/routes.ts';
import { httpUrl, namespaceName } from '../fields.ts';

const group = z.string().min(1).max(200);

/** The web console that the desk serves, with the identity provider of `stepUp`. */
export const consoleSection = z.strictObject({
  roles: z
    .partialRecord(z.enum(consoleRoles), z.array(group).min(1))
    .refine((roles) => Object.keys(roles).length > 0, { error: 'nobody could sign in: name a group for at least one role' })
    .meta({
      description:
        'Which groups of the identity provider have which role. Whoever is in none of them does not get in. `viewer` reads; `responder` sees questions and signed records, too; `approver` answers what the roster lets them answer; `auditor` reads everything, exports, and answers nothing; `admin` does all of it.',
      examples: [{ viewer: ['engineering'], approver: ['sre-oncall'], auditor: ['compliance'] }],
    }),
  tenants: z
    .record(group, z.array(namespaceName).min(1))
    .default({})
    .meta({
      description:
        'Groups that see the incidents of these namespaces only. Once there is one, whoever is in none of them and not in `everything` sees no incident.',
      examples: [{ 'team-shop': ['shop', 'shop-staging'] }],
    }),
  everything: z.array(group).default([]).meta({
    description:
      'Groups that see all namespaces, nodes and the cluster, in addition to the tenants. Without tenants everybody with a role does.',
  }),
  groupsClaim: z
    .string()
    .min(1)
    .max(200)
    .default('groups')
    .meta({ description: 'The claim of the ID token that names the groups.' }),
  scopes: z
    .array(z.string().regex(/^[\w.:/-]{1,200}$/))
    .default([])
    .meta({
      description: 'What is requested from the provider besides `openid`, if it names groups only then.',
      examples: [['groups']],
    }),
  commandLine: z
    .strictObject({
      clientId: z
        .string()
        .min(1)
        .max(200)
        .meta({
          description:
            'A client of its own at the provider of `stepUp`: public, with the device authorization grant. Its tokens open what their person’s role opens, and answer nothing.',
          examples: ['firebreak-cli'],
        }),
    })
    .exactOptional()
    .meta({
      description:
        'People may also look with commands such as `firebreak incidents list --desk URL`. Absent: with a browser only.',
    }),
  idleMinutes: z.int().min(5).max(480).default(30).meta({
    description:
      'A session ends after this long without a request; one for a wall display, after its page has been closed for this long.',
  }),
  hours: z.int().min(1).max(24).default(10).meta({ description: 'A session ends after this long, however busy it is.' }),
  temporalUrl: httpUrl.exactOptional().meta({
    description: 'Where people reach Temporal’s web UI: incidents link to it.',
    examples: ['https://temporal.example.com'],
  }),
});

type ConsoleSection = z.output<typeof consoleSection>;

/** The console can only identify people through the provider of `stepUp`. */
export function consoleProblems(section: ConsoleSection | undefined, stepUp: { readonly clientId: string } | undefined) {
  if (!section) return [];
  if (stepUp)
    return stepUp.clientId !== section.commandLine?.clientId
      ? []
      : [
          {
            at: ['console', 'commandLine', 'clientId'],
            problem: 'this is the client of stepUp, whose tokens prove answers',
            remedy: 'Register another client at the provider: public, with the device authorization grant.',
          },
        ];
  return [
    {
      at: ['console'],
      problem: 'the console needs an identity provider',
      remedy: 'Add `stepUp` with issuer, clientId and publicUrl, or leave `console` out.',
    },
  ];
}
