import type { ConsoleCoverage } from '../../../core/console/console.schema.ts';
import type { Config } from '../../config/load.ts';
import { enabledPlaybooks } from '../../config/packs.ts';
import type { SetCoverage } from '../../coverage/coverage.ts';

const mostUnanswered = 200;

/** Which rules of the public rule sets the enabled playbooks answer, including those of packs. Computed once, on the first request. */
export class RuleCoverage {
  readonly #config: Config;
  #made: Promise<readonly SetCoverage[]> | undefined;

  constructor(config: Config) {
    this.#config = config;
  }

  /** @param playbook whose rules are listed */
  async shown(playbook: string | undefined): Promise<ConsoleCoverage> {
    this.#made ??= coverageOfEnabled(this.#config);
    const sets = await this.#made.catch((error: unknown) => {
      this.#made = undefined;
      throw error;
    });
    const all = sets.flatMap(({ set, rules }) => rules.map((rule) => ({ ...rule, set: set.title })));
    const playbooks = new Map<string, number>();
    for (const { answers } of all)
      for (const id of new Set(answers.flatMap((answer) => answer.playbooks))) playbooks.set(id, (playbooks.get(id) ?? 0) + 1);
    return {
      sets: sets.map(({ set: { title, from, version }, rules }) => {
        const count = (which: (typeof rules)[number]['covered']): number =>
          rules.filter(({ covered }) => covered === which).length;
        return {
          ...{ title, from, version, rules: rules.length },
          ...{ answered: count('yes'), partly: count('partly'), rest: count('rest'), none: count('no') },
        };
      }),
      unanswered: all
        .filter(({ covered }) => covered === 'no')
        .slice(0, mostUnanswered)
        .map(({ rule, set, severity }) => ({ rule: rule.name, set, severity })),
      playbooks: [...playbooks].map(([id, rules]) => ({ id, rules })),
      rules: all.flatMap(({ rule, set, severity, mitre, answers }) => {
        const by = answers.filter((answer) => playbook !== undefined && answer.playbooks.includes(playbook));
        if (by.length === 0) return [];
        const places = by.length === answers.length ? [] : by.map(({ place }) => place);
        return { rule: rule.name, set, severity, mitre: [...mitre], places };
      }),
    };
  }
}

async function coverageOfEnabled(config: Config): Promise<readonly SetCoverage[]> {
  // Imports decoders and rule sets: nothing else in the desk needs them.
  const { ruleSets } = await import('../../../core/rules/known-rules.ts');
  const { coverageInTurns } = await import('../../coverage/coverage.ts');
  return coverageInTurns(enabledPlaybooks(config), ruleSets);
}
