import { z } from 'zod';
import { actions as all } from '../../core/actions/index.ts';
import { quarantine } from './quarantine-section.ts';

const offered = all.flatMap(({ name, optIn }) => (optIn ? [name] : []));

export const actions = z
  .strictObject({
    optIn: z
      .array(z.enum(offered, { error: `none of the actions that are off by default: ${offered.join(', ')}` }))
      .default([])
      .meta({
        description: `Actions to turn on that are off by default: ${offered.map((name) => `\`${name}\``).join(', ')}. Each needs its own manifest, \`deploy/rbac/opt-in/NAME.yaml\`.`,
        examples: [offered.slice(0, 1)],
      }),
    quarantine: quarantine.meta({
      description: 'What a quarantined pod may do all the same, in every quarantine. Absent: nothing. See `docs/containment.md`.',
    }),
  })
  .prefault({});
