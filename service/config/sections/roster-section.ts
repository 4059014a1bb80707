import { z } from 'zod';
import { id, path } from '../fields.ts';
import { nearestName } from '../nearest.ts';
import { delegations, schedule, scheduleProblems, timeZone } from './schedule-section.ts';

const person = z.strictObject({
  id: id.meta({ description: 'Goes into votes and records.', examples: ['ada'] }),
  name: z.string().min(1).meta({ description: 'Name for people to read.' }),
  slack: z
    .array(z.string().regex(/^[UW][A-Z0-9]+$/, { error: 'not a Slack user id (U… or W…)' }))
    .default([])
    .meta({ description: 'Slack user ids. One id belongs to exactly one person.', examples: [['U0123456789']] }),
  keys: z
    .array(path)
    .default([])
    .meta({ description: 'Ed25519 public keys for votes from the command line: PEM, or the path of a PEM file.' }),
  accounts: z
    .array(z.string().min(1))
    .default([])
    .meta({
      description: 'User names by which alerts and the API audit know this person, who may then not decide on them.',
      examples: [['ada@example.com']],
    }),
  pagerduty: z
    .string()
    .regex(/^[A-Z0-9]{6,20}$/, { error: 'not a PagerDuty user id (P…)' })
    .exactOptional()
    .meta({
      description: 'User id in PagerDuty, where its on-call is followed (`paging.pagerduty.onCall`).',
      examples: ['PXPGF42'],
    }),
  subject: z
    .string()
    .min(1)
    .max(255)
    .exactOptional()
    .meta({
      description: 'Who this is to the identity provider of `stepUp`: the `sub` of its tokens, exactly.',
      examples: ['00u1a2b3c4'],
    }),
  timeZone: timeZone.exactOptional().meta({
    description:
      'IANA time zone in which times are shown to this person, and in which their delegations are written. Absent: UTC.',
    examples: ['Europe/Berlin'],
  }),
});

function doubles(values: readonly string[]): readonly number[] {
  return values.flatMap((value, index) => (values.indexOf(value) < index ? [index] : []));
}

/** Who may decide. The checks ensure that a name means exactly one person. */
export const roster = z
  .strictObject({
    people: z
      .array(person)
      .min(1, { error: 'at least one person is needed: without one, nobody can decide' })
      .meta({ description: 'The people who may decide.', examples: [[{ id: 'ada', name: 'Ada', slack: ['U0123456789'] }]] }),
    groups: z.record(id, z.array(z.string()).min(1)).meta({
      description: 'Group → ids of people. Playbooks ask `oncall` and `leads`.',
      examples: [{ oncall: ['ada'], leads: ['ada'] }],
    }),
    schedules: z
      .record(id, schedule)
      .default({})
      .meta({
        description:
          'Group → who of it is on call when: nobody else answers for it. A group without one is on call as a whole, always. See `firebreak docs on-call`.',
        examples: [
          { oncall: { timeZone: 'Europe/Berlin', rotations: [{ people: ['ada', 'grace'], from: '2026-01-05T09:00' }] } },
        ],
      }),
    delegations,
  })
  .superRefine(({ people, groups, schedules, delegations: handed }, context) => {
    const ids = people.map((one) => one.id);
    for (const index of doubles(ids))
      context.addIssue({
        code: 'custom',
        path: ['people', index, 'id'],
        message: `the id ${ids[index]} is taken by another person`,
        params: { remedy: 'Give each person an id of their own.' },
      });
    const slackIds = people.flatMap((one, index) => one.slack.map((slackId, place) => ({ slackId, index, place })));
    for (const double of doubles(slackIds.map((one) => one.slackId))) {
      const found = slackIds[double];
      if (found)
        context.addIssue({
          code: 'custom',
          path: ['people', found.index, 'slack', found.place],
          message: `the Slack id ${found.slackId} belongs to more than one person`,
          params: { remedy: 'Leave it with the person whose account it is.' },
        });
    }
    for (const [group, members] of Object.entries(groups))
      members.forEach((member, index) => {
        if (!ids.includes(member))
          context.addIssue({
            code: 'custom',
            path: ['groups', group, index],
            message: `${member} is not the id of anyone in people`,
            params: { remedy: `${near(member, ids)}Add them to roster.people, or remove them from the group.` },
          });
      });
    for (const { path: place, message, remedy } of scheduleProblems({ people, groups, schedules, delegations: handed }))
      context.addIssue({ code: 'custom', path: [...place], message, params: { remedy } });
  });

function near(written: string, known: readonly string[]): string {
  const name = nearestName(written, known);
  return name === undefined ? '' : `Did you mean ${name}? `;
}
