import { z } from 'zod';

const days = (description: string) => z.int().min(1).max(36_500).exactOptional().meta({ description });

const byClass = {
  unansweredDays: days('Of incidents that no playbook answered and about which nobody was asked. Absent: forever.'),
  incidentDays: days('Of incidents that playbooks answered without asking anybody. Absent: forever.'),
  decisionDays: days('Of incidents about which people were asked, and of those that did not close. Absent: forever.'),
  journalDays: days('Of what desks write about themselves: refused clicks, sign-ins, strangers. Absent: forever.'),
};

/** How long records are kept. */
export const retention = z
  .strictObject({
    ...byClass,
    carryOut: z.boolean().default(true).meta({
      description:
        'Whether the desk deletes what was cut. `false`: it only puts the cuts on record, and `firebreak records cut` deletes, with a database user that may.',
    }),
    earlier: z
      .array(
        z.strictObject({
          until: z.iso.datetime().meta({ description: 'Cuts before this time are judged by these days.' }),
          ...byClass,
        }),
      )
      .default([])
      .meta({
        description:
          'What applied before. Only needed if records are kept for longer now: otherwise `firebreak audit verify` would call older cuts too early.',
      }),
  })
  .prefault({})
  .meta({
    description:
      'How long records are kept, in days since the notary vouched for the last one of them. Decisions above all incidents, holds and cuts are kept forever. See [retention.md](retention.md). Example: `{ unansweredDays: 90, incidentDays: 730 }`.',
  });

type RetentionFile = z.output<typeof retention>;

/** The form in which cuts are judged. */
export function retentionOf({ earlier, ...now }: Omit<RetentionFile, 'carryOut'>) {
  return { days: daysOf(now), earlier: earlier.map(({ until, ...then }) => ({ until, days: daysOf(then) })) };
}

function daysOf({
  unansweredDays,
  incidentDays,
  decisionDays,
  journalDays,
}: Partial<Omit<RetentionFile, 'earlier' | 'carryOut'>>) {
  return {
    ...(unansweredDays !== undefined && { unanswered: unansweredDays }),
    ...(incidentDays !== undefined && { incidents: incidentDays }),
    ...(decisionDays !== undefined && { decisions: decisionDays }),
    ...(journalDays !== undefined && { journals: journalDays }),
  };
}
