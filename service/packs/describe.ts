import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { OwnAction } from '../../core/action/own-action.ts';
import { actions } from '../../core/actions/index.ts';
import { problemsOfEnvelope } from '../../core/playbook/envelope-problems.ts';
import type { AnyPlaybook } from '../../core/playbook/playbook.ts';
import { type ReleaseStatement, releaseVersion } from '../../core/playbook/release.ts';
import { problemsOfSchedule } from '../../core/playbook/schedule.ts';
import { systemErrorCode } from '../../core/system-error.ts';
import { ownActionsFrom } from './own/own-actions.ts';
import type { PackFiles } from './pack-files.ts';
import { mostBytes, prepareProgram, programMs, reasonIn } from './pack-program.ts';

/** A pack's own description: data only, none of it runs. */
export interface DescribedPack {
  readonly name: string;
  readonly version: string;
  /** Under their full ids. */
  readonly playbooks: readonly AnyPlaybook[];
  /** Under their full names. */
  readonly actions: readonly OwnAction[];
}

/** Name of the pack that is shipped. */
const shippedPack = 'firebreak';

const name = z.string().regex(/^[a-z][a-z0-9-]{0,39}$/);
const envelope = z.looseObject({
  id: z.string().regex(/^[a-z][a-z0-9-]{0,39}\/[a-z][a-z0-9-]{0,39}$/),
  title: z.string(),
  on: z.looseObject({
    minSeverity: z.string(),
    requires: z.array(z.enum(['pod', 'node', 'workload'])),
    schedule: z
      .looseObject({
        every: z.string().optional(),
        cron: z.string().optional(),
        timeZone: z.string().optional(),
        catchUp: z.string().optional(),
        about: z.looseObject({ namespace: z.string() }).optional(),
      })
      .optional(),
  }),
  uses: z.record(z.string(), z.looseObject({ name: z.string() })),
  params: z.record(z.string(), z.looseObject({ kind: z.string() })).optional(),
  levels: z
    .array(z.looseObject({ group: z.string(), within: z.string() }))
    .min(1)
    .optional(),
  priority: z.number().optional(),
});
const description = z.looseObject({
  name,
  version: z.string().regex(releaseVersion, 'use three numbers, such as 1.2.0'),
  playbooks: z.array(envelope).min(1).max(500),
  actions: z.array(z.unknown()).max(100).default([]),
});

/**
 * Returns the envelopes of a pack. Its modules are run once for this, in a process without an environment that may read only the pack and Firebreak's code. The
 * caller must have checked `packFaults` before.
 *
 * @throws Error worded for the author of the pack.
 */
export function describePack(
  pack: PackFiles,
  { withinMs = programMs }: { readonly withinMs?: number } = {},
): { readonly pack: DescribedPack; readonly raw: unknown } {
  const { folder, args, options } = prepareProgram(pack, 'service/packs/describe-main');
  try {
    const told = spawnSync(process.execPath, args, { ...options, timeout: withinMs, maxBuffer: mostBytes });
    if (told.error && systemErrorCode(told.error) === 'ETIMEDOUT')
      throw new Error(
        `${pack.main}: it has not exited after ${withinMs / 1_000} s: nothing in it may keep running after it is loaded`,
      );
    if (told.status !== 0) throw new Error(reasonIn(told.stderr, folder));
    const raw: unknown = JSON.parse(told.stdout);
    return { pack: packFrom(raw, pack), raw };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Returns a value that changes when the way envelopes are judged changes. */
export function codeOfPacks(): string {
  // In a build, this is part of the same file as the code that judges envelopes, and imports from other files are named by content.
  if (!import.meta.filename.endsWith('.ts')) return readFileSync(new URL(import.meta.url), 'utf8');
  const files = [
    'describe',
    'own/own-actions',
    '../../core/action/egress',
    '../../core/action/own-action',
    '../../core/playbook/envelope-problems',
    '../../core/playbook/pack',
    '../../core/playbook/playbook',
    '../../core/playbook/schedule',
  ];
  return files.map((file) => readFileSync(join(import.meta.dirname, `${file}.ts`), 'utf8')).join('\0');
}

/** The declarations as the pack gave them: this is what its publisher signs. */
export function declarationsIn(raw: unknown): Pick<ReleaseStatement, 'playbooks' | 'actions'> {
  const { playbooks, actions: own }: { readonly playbooks?: unknown; readonly actions?: unknown } =
    typeof raw === 'object' && raw !== null ? raw : {};
  return { playbooks: Array.isArray(playbooks) ? playbooks : [], actions: Array.isArray(own) ? own : [] };
}

/** Checks a pack's own description and returns it. @throws Error worded for the author of the pack. */
export function packFrom(value: unknown, files: PackFiles): DescribedPack {
  const { main } = files;
  const parsed = description.safeParse(value);
  if (!parsed.success) {
    if (value === null)
      throw new Error(`${main}: it exports no pack: write export default definePack({ name, version, playbooks })`);
    const [issue] = parsed.error.issues;
    const at = issue?.path.join('.');
    if (at === 'playbooks' && issue?.code === 'too_small')
      throw new Error(`${main}: its list of playbooks is empty: import one, and write playbooks: [miner]`);
    throw new Error(`${main}: export default definePack(…): ${at ? `${at}: ` : ''}${issue?.message ?? 'not a pack'}`);
  }
  const { name: pack, version, playbooks } = parsed.data;
  if (pack === shippedPack)
    throw new Error(`${main}: a pack cannot be named ${shippedPack}: that is the name of the shipped pack`);
  const own = ownActionsFrom(parsed.data.actions, pack, files);
  return {
    name: pack,
    version,
    actions: own,
    playbooks: playbooks.map((playbook) => {
      if (!playbook.id.startsWith(`${pack}/`))
        throw new Error(`${main}: ${playbook.id} is not a playbook of the pack ${pack}: use definePack`);
      const uses = Object.fromEntries(
        Object.entries(playbook.uses).map(([as, used]) => {
          // The checked declaration, or ours: what an action may do does not come from the envelope.
          const declared = [...actions, ...own].find((action) => action.name === used.name);
          if (!declared) throw new Error(`${main}: ${playbook.id} uses ${used.name}, which is not an action of this Firebreak`);
          return [as, declared];
        }),
      );
      // It was made by `definePlaybook` of the pack's own copy of this package.
      const described = { ...playbook, uses } as unknown as AnyPlaybook;
      const { schedule } = described.on;
      const [problem] = [
        ...problemsOfEnvelope(described),
        ...(schedule ? problemsOfSchedule(schedule, described.params) : []).map((one) => `its schedule: ${one}`),
      ];
      if (problem !== undefined) throw new Error(`${main}: ${playbook.id}: ${problem}`);
      return described;
    }),
  };
}
