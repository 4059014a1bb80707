import { z } from 'zod';
import { severities } from '../../../core/alert/severity.ts';
import { confidences } from '../../../core/assessment/rules/rule-judgement.ts';
import { parseCidr } from '../../../core/cluster/cidr.ts';
import { id, namespaceName } from '../fields.ts';

const sensor = z.strictObject({
  severities: z
    .record(z.string().min(1), z.enum(severities))
    .default({})
    .meta({ description: 'Rule or policy → severity, in place of the sensor’s own; `*` for all other rules.' }),
  rules: z
    .record(
      z.string().min(1),
      z.strictObject({
        confidence: z.enum(confidences).meta({ description: 'How often this rule means an attack when it fires.' }),
        why: z.string().min(1).max(200).meta({ description: 'The reason, for the people who read an assessment.' }),
        decoy: z.boolean().exactOptional().meta({
          description:
            'It watches a decoy, which nothing has a reason to touch: the rule is sure, and no baseline makes it usual. A tag `decoy` of the rule says the same.',
        }),
      }),
    )
    .default({})
    .meta({
      description:
        'Rule or policy → how sure it is, in place of the shipped table. `decoy: true`: it watches a decoy, which nothing has a reason to touch.',
      examples: [{ 'block-c2': { confidence: 'sure', why: 'nothing of ours connects there' } }],
    }),
  controlPlane: z
    .array(z.string().refine((text) => parseCidr(text) !== undefined, { error: 'not an address or a block such as 10.0.0.0/28' }))
    .default([])
    .meta({
      description:
        'For `kubernetes-audit`: addresses from which the control plane calls the API server, besides the machine’s own. From elsewhere, its accounts are treated as anybody’s. Default: any.',
      examples: [['10.0.0.0/28']],
    }),
  registries: z
    .array(
      z.string().regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?(\/[a-z0-9._-]+)*$/, {
        error: 'not a registry, such as registry.example.com or registry.example.com/shop',
      }),
    )
    .default([])
    .meta({
      description:
        'For `kubernetes-audit`: where images may come from; a pod or workload with another image raises an alert. Default: anywhere.',
      examples: [['registry.example.com', 'registry.k8s.io']],
    }),
  daemonSet: z
    .strictObject({
      namespace: namespaceName.meta({ description: 'Its namespace.' }),
      name: z.string().min(1).meta({ description: 'Its name.' }),
    })
    .exactOptional()
    .meta({
      description:
        'The DaemonSet that puts this sensor on the nodes. A node on which it is silent raises an alert. Absent: not watched.',
      examples: [{ namespace: 'falco', name: 'falco' }],
    }),
  nodes: z
    .record(z.string().min(1), z.string())
    .default({})
    .meta({
      description: 'Labels of the nodes that must have it. Default: all nodes.',
      examples: [{ 'kubernetes.io/os': 'linux' }],
    }),
  silentAfterSeconds: z.int().min(30).max(86_400).default(120).meta({ description: 'How long it may go without a heartbeat.' }),
  speaks: z.boolean().default(false).meta({
    description:
      'It sends messages about itself more often than that (Falco’s `metrics` with an interval): then a ready pod does not count as a heartbeat.',
  }),
});

export const sensors = z
  .record(id, sensor)
  .default({})
  .meta({ examples: [{ tetragon: { severities: { 'block-c2': 'critical', '*': 'info' } } }] });
