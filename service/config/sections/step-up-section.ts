import { z } from 'zod';
import { stepUpDecisions } from '../../../core/decide/step-up.ts';
import { httpUrl, path, secret } from '../fields.ts';

const loopback = /^http:\/\/(127\.0\.0\.1|localhost|\[::1\])(:|\/|$)/;
const safeUrl = httpUrl.refine((url) => url.startsWith('https://') || loopback.test(url), {
  error: 'https is needed, except on this machine itself',
});

/** A sign-in at an identity provider in addition to the vote, for the widest steps. */
export const stepUp = z.strictObject({
  issuer: safeUrl.meta({
    description: 'The OpenID Connect provider, exactly as its tokens name it.',
    examples: ['https://login.example.com'],
  }),
  clientId: z.string().min(1).meta({ description: 'Firebreak’s client there; tokens for any other do not count.' }),
  clientSecret: secret
    .exactOptional()
    .meta({ description: 'Read by the desk only. Absent: a public client (PKCE is used either way).' }),
  publicUrl: safeUrl.meta({
    description: 'Where browsers reach the desk. Register `PUBLICURL/sign-in/callback` at the provider.',
    examples: ['https://firebreak.example.com'],
  }),
  reaches: z
    .array(z.enum(['pod', 'workload', 'namespace', 'node', 'cluster']))
    .min(1)
    .default(['namespace', 'node', 'cluster'])
    .meta({ description: 'Which steps need it, by how widely they act.' }),
  decisions: z.array(z.enum(stepUpDecisions)).default(['critical-suppression', 'cluster-restraint']).meta({
    description:
      'Which decisions above all incidents need it: to hide critical alerts; a freeze or observe mode of the whole cluster or of a playbook; to end one of these; to start a break-glass session.',
  }),
  maxAgeMinutes: z
    .int()
    .min(1)
    .max(60)
    .default(5)
    .meta({ description: 'The most time that may pass between the person’s sign-in at the provider and the vote.' }),
  jwksFile: path.exactOptional().meta({
    description: 'The provider’s keys (a JSON Web Key Set), for a cell that cannot reach it. Absent: the cell asks the provider.',
  }),
});

type StepUpSection = z.output<typeof stepUp>;

interface Known {
  readonly id: string;
  readonly subject?: string;
}

/** Each subject must mean one person, and the provider must know at least one person. */
export function stepUpProblems(section: StepUpSection | undefined, people: readonly Known[]) {
  const subjects = people.map(({ subject }) => subject);
  const doubles = people.flatMap(({ subject }, index) => {
    if (subject === undefined || subjects.indexOf(subject) === index) return [];
    const at = ['roster', 'people', index, 'subject'];
    return [
      {
        at,
        problem: `the subject ${subject} belongs to more than one person`,
        remedy: 'Each person needs an account of their own.',
      },
    ];
  });
  if (!section || subjects.some((subject) => subject !== undefined)) return doubles;
  const remedy = 'Add subject: SUB (the provider’s `sub`) to the people of roster.people who may approve the widest steps.';
  return [...doubles, { at: ['stepUp'], problem: 'nobody in the roster is known to the identity provider', remedy }];
}
