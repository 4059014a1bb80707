import { z } from 'zod';
import { severities } from '../alert/severity.ts';

/** What `kubectl get incidents` and `kubectl get containments` show. The resource definitions are generated from this: `tools/deploy/generate.ts`. */

const severity = z.enum(severities).meta({ description: 'Severity of the worst alert.' });
const moment = (description: string) => z.string().meta({ description, format: 'date-time' });

/** As everywhere in Kubernetes: https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md */
const condition = z.strictObject({
  type: z.string(),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string(),
  message: z.string(),
  lastTransitionTime: moment('When the condition last changed.'),
});

const ask = z.string().meta({ description: 'Whom to ask: the groups of people who decide, and where to find them.' });

export const incidentStatus = z.strictObject({
  subject: z.strictObject({
    kind: z.string().meta({ description: 'Kind of the workload; `Node` or `Cluster`.' }),
    name: z.string(),
  }),
  state: z.enum(['Open', 'Ended']),
  severity,
  reached: z
    .enum(['detected', 'contained', 'eradicated', 'recovered', 'unknown'])
    .meta({ description: 'How far the response has progressed (NIST SP 800-61).' }),
  verdict: z.enum(['true_positive', 'benign', 'suspicious', 'unknown']),
  alerts: z.int().meta({ description: 'Number of alerts received.' }),
  rules: z.array(z.string()).meta({ description: 'Rules of the sensors, at most ten.' }),
  openQuestions: z.int().meta({ description: 'Number of questions that people have to answer.' }),
  containments: z.int().meta({ description: 'Number of containments in force because of it.' }),
  openedAt: moment('When its first alert arrived.'),
  endedAt: moment('When it ended.').exactOptional(),
  ask,
  conditions: z.array(condition),
});

export const containmentStatus = z.strictObject({
  target: z.strictObject({
    kind: z.string(),
    name: z.string(),
    uid: z.string().exactOptional(),
  }),
  action: z.string().meta({ description: 'The action that holds it.' }),
  does: z.string().meta({ description: 'What the action does, in words.' }),
  incident: z.string().meta({ description: 'The incident it belongs to. An incident of another namespace is not named.' }),
  severity,
  since: moment('When it was applied.'),
  until: moment('When it expires. Absent: people have made it permanent.').exactOptional(),
  onExpiry: z.enum(['ask', 'release']).meta({
    description:
      'What happens if nobody answers: `ask`, people are asked again and it stays in force; `release`, it is released.',
  }),
  problems: z.array(z.string()).meta({ description: 'Current problems. Empty if there are none.' }),
  ask,
  undo: z.string().meta({ description: 'How the people who may decide can release it.' }),
  conditions: z.array(condition),
});

export type IncidentResourceStatus = z.infer<typeof incidentStatus>;
export type ContainmentResourceStatus = z.infer<typeof containmentStatus>;
export type ResourceCondition = z.infer<typeof condition>;
