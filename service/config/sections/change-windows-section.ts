import { z } from 'zod';
import { weekdays } from '../../../core/action/change-window.ts';
import { id, namespaceName, playbookId } from '../fields.ts';
import { timeZone } from './schedule-section.ts';

const wallTime = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, { error: 'not a time of day: HH:MM, from 00:00 to 23:59' });

const openTimes = z
  .strictObject({
    days: z
      .array(z.enum(weekdays))
      .min(1)
      .default(['mon', 'tue', 'wed', 'thu', 'fri'])
      .meta({ description: 'On which days it opens.', examples: [['mon', 'tue', 'wed', 'thu']] }),
    from: wallTime.meta({ description: 'When it opens, by the wall clock of the time zone.', examples: ['09:00'] }),
    until: wallTime.meta({
      description: 'The first minute that is no longer part of it; if it is before `from`, it is on the next day.',
      examples: ['16:00'],
    }),
  })
  .refine(({ from, until }) => from !== until, { error: 'it ends when it begins: for whole days write two windows' });

/** When destructive and wide steps may run. */
export const changeWindows = z
  .array(
    z.strictObject({
      name: id.meta({ description: 'What people read about it.', examples: ['business-hours'] }),
      namespaces: z
        .array(namespaceName)
        .min(1)
        .exactOptional()
        .meta({ description: 'For steps that touch one of these. Absent: all.', examples: [['payments']] }),
      playbooks: z.array(playbookId).min(1).exactOptional().meta({ description: 'For steps of these playbooks. Absent: all.' }),
      timeZone: timeZone.meta({ description: 'IANA time zone of its times.', examples: ['Europe/Berlin'] }),
      open: z
        .array(openTimes)
        .min(1)
        .meta({ description: 'When it is open.', examples: [[{ days: ['mon', 'tue'], from: '09:00', until: '16:00' }]] }),
      outside: z.enum(['oneMore', 'refuse']).default('oneMore').meta({
        description:
          'While it is closed: `oneMore`: one more person than usual must agree; `refuse`: not even people can allow it, except in a break-glass session.',
      }),
    }),
  )
  .default([])
  .meta({
    description:
      'When destructive steps, and those that reach further than one pod, may run. Where several are closed for a step, `refuse` wins. Containment of one pod waits for nothing.',
  });
