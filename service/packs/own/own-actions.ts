import { z } from 'zod';
import { type OwnAction, problemOfOwnAction } from '../../../core/action/own-action.ts';
import { implementations, type PackFiles } from '../pack-files.ts';

const described = { about: z.string().max(500), optional: z.literal(true).optional() };
const field = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('text'), longest: z.int().min(1).max(100_000).optional(), ...described }),
  z.strictObject({ kind: z.literal('number'), min: z.number().optional(), max: z.number().optional(), ...described }),
  z.strictObject({ kind: z.enum(['flag', 'pod', 'workload']), ...described }),
  z.strictObject({ kind: z.literal('choice'), choices: z.array(z.string().max(200)).min(1).max(100), ...described }),
  z.strictObject({ kind: z.literal('texts'), most: z.int().min(1).max(10_000).optional(), ...described }),
]);
const text = z.string().min(1).max(500);
const names = z.array(z.string()).max(50);

/** Everything that a pack may declare about an action; anything else is rejected. */
const declaration = z.strictObject({
  name: z.string(),
  title: text,
  effect: z.enum(['read', 'reversible', 'destructive']),
  reach: z.enum(['pod', 'workload', 'namespace', 'node', 'cluster']),
  pool: z.literal('packs'),
  requires: z.array(z.enum(['pod', 'node', 'workload', 'container'])),
  timeouts: z.strictObject({ planMs: z.number(), applyMs: z.number(), verifyMs: z.number() }),
  rights: z
    .array(
      z.strictObject({
        apiGroup: z.string().max(200),
        resource: z.string().min(1).max(200),
        verbs: z.array(z.string()).min(1),
        in: z.literal('own namespace').optional(),
      }),
    )
    .max(100),
  verifiedBy: text,
  undo: text,
  example: z.record(z.string(), z.unknown()),
  own: z.strictObject({
    input: z.record(z.string(), field),
    output: z.record(z.string(), field),
    implementation: z.string(),
    secrets: names,
    settings: names,
    egress: names,
    sample: z.record(z.string(), z.unknown()),
    weakens: z.literal(true).optional(),
  }),
});

/** Checks the actions that a pack declares and returns them. @throws Error worded for the author of the pack. */
export function ownActionsFrom(
  value: readonly unknown[],
  pack: string,
  { files, main }: Pick<PackFiles, 'files' | 'main'>,
): readonly OwnAction[] {
  return value.map((one) => {
    const parsed = declaration.safeParse(one);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw new Error(`${main}: an action: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not one of defineAction'}`);
    }
    // Optional fields are present or absent, as in JSON: the schema accepts nothing else.
    const action = parsed.data as OwnAction;
    const problem = action.name.startsWith(`${pack}/`)
      ? problemOfOwnAction(action)
      : `is not an action of the pack ${pack}: use definePack`;
    if (problem !== undefined) throw new Error(`${main}: the action ${action.name} ${problem}`);
    const file = `${implementations}/${action.own.implementation}`;
    if (!files.has(file)) throw new Error(`${main}: the action ${action.name} is implemented by ${file}, which is missing`);
    return action;
  });
}
