import type { DescribedPlaybook } from '../../core/console/console.schema.ts';
import { matchText } from '../../core/playbook/match-text.ts';
import { enabledAmong } from '../../core/playbook/pack.ts';
import type { AnyPlaybook } from '../../core/playbook/playbook.ts';
import { isScheduled, nextRunOf } from '../../core/playbook/scheduled-runs.ts';
import { type Packed, playbooksOf } from './packs.ts';

interface Configured extends Packed {
  readonly playbooks: {
    readonly enabled: 'all' | readonly string[];
    readonly params?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  };
}

/** Descriptions of all playbooks for people; without a configuration, only the shipped ones. */
export function describedPlaybooks(config: Configured | undefined, now: number): readonly DescribedPlaybook[] {
  const { enabled, params = {} } = config?.playbooks ?? { enabled: 'all' as const };
  const all = playbooksOf(config);
  const on = enabledAmong(all, enabled);
  return all.map((playbook) => {
    const isOn = on.includes(playbook);
    const run = isScheduled(playbook) ? nextRunOf(playbook, params[playbook.id], now) : undefined;
    return {
      ...described(playbook),
      enabled: isOn,
      scheduled: run ? { times: run.times, next: isOn ? run.next : null } : null,
    };
  });
}

function described(playbook: AnyPlaybook): Omit<DescribedPlaybook, 'enabled' | 'scheduled'> {
  const { id, title, on, per, priority, exclusive, uses, params, levels, contains, evidenceFirst } = playbook;
  return {
    id,
    title,
    on: { ...on, requires: [...on.requires] },
    answers: on.match === 'unanswered' ? 'all that no other playbook answers' : matchText(on.match),
    per: per ?? 'pod',
    priority: priority ?? 0,
    exclusive: exclusive ?? false,
    levels: levels ? [...levels] : null,
    params: Object.fromEntries(Object.entries(params ?? {}).map(([name, of]) => [name, { ...of }])),
    contains: contains ?? null,
    evidenceFirst: evidenceFirst ?? null,
    uses: Object.values(uses).map(({ name, title: does, effect, reach, undo }) => ({ name, title: does, effect, reach, undo })),
  };
}
