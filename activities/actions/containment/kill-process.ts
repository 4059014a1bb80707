import { z } from 'zod';
import type { ActionImplementation } from '../../../core/action/action.ts';
import type { KillProcessInput, KillProcessOutput } from '../../../core/actions/containment/kill-process.schema.ts';
import { FirebreakError, hasCode } from '../../../core/errors.ts';
import { hasToolsIn, inContainer, outputOf, planInContainer, type ToolsParts } from '../../evidence/in-container.ts';

const mostBytes = 64 * 1024;
const fateSchema = z.object({ state: z.enum(['killed', 'gone', 'alive']), name: z.string().exactOptional() });

/** Ends one process; see the declaration in `core/actions/containment/kill-process.ts`. */
export function killProcessImplementation(parts: ToolsParts): ActionImplementation<KillProcessInput, KillProcessOutput> {
  const which = ({ pid, startTicks }: KillProcessInput['process']): readonly string[] => [
    ...['-pid', String(pid)],
    ...['-start', String(startTicks)],
  ];

  return {
    async plan({ pod, container: wanted = {}, process }, { signal }) {
      const { container, target, changes, blastRadius, notes } = await planInContainer({ parts, pod, wanted, signal });
      return {
        target,
        changes: [
          {
            target: target.name,
            what: `ends process ${process.pid}, started at tick ${process.startTicks}, in ${container.name}`,
          },
          ...changes,
        ],
        blastRadius,
        notes: [
          ...notes,
          'Whatever started it may start another one with another pid: look again afterwards.',
          'What was only in its memory is gone for good. If it is the main process of the container, the container is restarted.',
        ],
      };
    },

    started: ({ pod }, context) => hasToolsIn({ parts, pod, context }),

    async apply({ pod, container: wanted = {}, process }, context) {
      const { result, facts } = await inContainer({
        parts,
        pod,
        wanted,
        context,
        mayEnd: true,
        work: async ({ tool }) => fateOf(await outputOf(tool('kill', { arguments: which(process) }), { mostBytes })),
      });
      if (result.state === 'alive') throw new FirebreakError('FB_ERR_UNAVAILABLE', `process ${process.pid} is still running`);
      const { id, name } = facts.container;
      return {
        pod,
        container: { id, name },
        process: { ...process, ...(result.name !== undefined && { name: result.name }) },
        state: result.state,
      };
    },

    async verify({ pod, container, process }, context) {
      const state = await inContainer({
        parts,
        pod,
        wanted: container,
        context,
        mayEnd: true,
        work: async ({ tool }) => fateOf(await outputOf(tool('look', { arguments: which(process) }), { mostBytes })),
      }).then(
        ({ result }) => result.state,
        (error: unknown) => {
          if (hasCode(error, ...endedWith)) return 'gone';
          throw error;
        },
      );
      if (state === 'alive') throw new FirebreakError('FB_ERR_UNAVAILABLE', `process ${process.pid} is still running`);
      return { state: 'verified', detail: `${container.name} no longer has a process ${process.pid} with this start time` };
    },
  };
}

/** Its container, pod or pid now belongs to something else: so the process is gone too. */
const endedWith = ['FB_ERR_CONTAINER_REPLACED', 'FB_ERR_TARGET_REPLACED', 'FB_ERR_NOT_FOUND'] as const;

function fateOf(bytes: Buffer): z.infer<typeof fateSchema> {
  const fate = fateSchema.safeParse(JSON.parse(bytes.toString('utf8')));
  if (!fate.success) throw new FirebreakError('FB_ERR_REFUSED', 'the tools did not report what happened to the process');
  return fate.data;
}
