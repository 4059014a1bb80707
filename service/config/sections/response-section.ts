import { z } from 'zod';
import { defaultResponse, type ResponseRules, silences } from '../../../core/assessment/policy.ts';
import { modes, profiles } from '../../../core/assessment/response.ts';
import { clusterNames, labelName, namespaceNames, playbookId } from '../fields.ts';

const mode = z.enum(modes);
const profile = z.enum(profiles);
const onSilence = z.enum(silences);
const labels = z.record(labelName, z.string().max(63)).refine((one) => Object.keys(one).length > 0, {
  error: 'no label',
});

/** What the cell does by itself. */
export const response = z
  .strictObject({
    mode: mode.exactOptional().meta({
      description:
        '`observe`: nothing is written to the cluster and nobody is asked; incidents and reports are made as if. `ask`: people are asked, and nothing is done without them. `contain`: what the profile says is done at once. Absent: `contain`, and each start says that nobody has chosen.',
      examples: ['observe'],
    }),
    profile: profile.default(defaultResponse.profile).meta({
      description: 'How readily a pod is cut off: see `firebreak docs assessment`.',
    }),
    onSilence: onSilence.default(defaultResponse.onSilence).meta({
      description:
        'What happens to a pod if nobody answers a question about cutting it off: `contain` cuts it off when the whole time is over, with a lease, and can be undone. In the profile `strict` it is always `contain`. In modes `observe` and `ask` nothing happens.',
    }),
    baseline: z
      .string()
      .min(1)
      .exactOptional()
      .meta({
        description:
          'File with what is normal, from `firebreak assess --learn`: the first live day then knows it. People still decide on a sure rule that the file calls normal.',
        examples: ['/etc/firebreak/normal.json'],
      }),
    scopes: z
      .array(
        z.strictObject({
          name: z
            .string()
            .min(1)
            .max(63)
            .regex(/^[^\p{C}]*$/u, { error: 'must be one line' })
            .exactOptional()
            .meta({ description: 'What people read about it.', examples: ['shops'] }),
          clusters: z.array(clusterNames).min(1).exactOptional().meta({ description: 'Names of clusters. Absent: all.' }),
          namespaces: z
            .array(namespaceNames)
            .min(1)
            .exactOptional()
            .meta({ description: 'Names of namespaces; `*` stands for any characters. Absent: all.', examples: [['shop-*']] }),
          namespaceLabels: labels.exactOptional().meta({
            description: 'Labels of the namespace. Whoever may edit the namespace writes them.',
            examples: [{ stage: 'test' }],
          }),
          workloadLabels: labels.exactOptional().meta({
            description:
              'Labels of the workload. Whoever may edit it writes them: such a scope makes the response stronger than it would be without it, never weaker.',
            examples: [{ tier: 'payment' }],
          }),
          playbooks: z.array(playbookId).min(1).exactOptional().meta({
            description:
              'For what these playbooks do. If several answer an alert, the strongest response of them holds. Absent: all.',
          }),
          mode: mode.exactOptional().meta({ description: 'Absent: as for the whole installation.' }),
          profile: profile.exactOptional().meta({ description: 'Absent: as for the whole installation.' }),
          onSilence: onSilence.exactOptional().meta({ description: 'Absent: as for the whole installation.' }),
        }),
      )
      .max(200)
      .default([])
      .meta({
        description: 'Parts of the installation with a response of their own. The first that matches holds.',
        examples: [[{ name: 'shops', namespaces: ['shop-*'], mode: 'contain' }]],
      }),
  })
  .prefault({});

export function completeResponse(
  { baseline, ...written }: z.output<typeof response>,
  absolute: (path: string) => string,
): ResponseRules & { readonly baseline?: string; readonly isModeChosen: boolean } {
  const from = baseline === undefined ? {} : { baseline: absolute(baseline) };
  return { ...written, ...from, mode: written.mode ?? defaultResponse.mode, isModeChosen: written.mode !== undefined };
}

/** For an installation that nobody has chosen a mode for. */
export const unchosenMode = {
  problem: 'nobody has chosen a mode: the cell cuts off pods by itself (contain)',
  remedy:
    'Write `response: { mode: contain }` into the configuration to keep it so, or `observe`, in which nothing is done: firebreak docs response-modes.',
};
