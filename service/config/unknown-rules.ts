import { ownRules } from '../../core/alert/own-alerts.ts';
import type { Match } from '../../core/playbook/match.ts';
import { matchAlert } from '../../core/playbook/match-alert.ts';
import type { AnyPlaybook } from '../../core/playbook/playbook.ts';
import { matchesOf } from '../../core/playbook/timed-conditions.ts';
import { type KnownRule, ruleSets } from '../../core/rules/known-rules.ts';
import { auditRules } from '../../integrations/sensors/kubernetes-audit/rules.ts';
import { nearestName } from './nearest.ts';

/** A rule that a playbook asks for and that no rule set has: a spelling that never matches, or a rule of one's own. */
interface UnknownRule {
  readonly playbook: string;
  /** As the playbook has it: a name, or its pattern. */
  readonly rule: string;
  /** The known name that was probably meant. */
  readonly nearest?: string;
}

const publicRules = ruleSets.flatMap(({ rules }) => rules);

/**
 * Rules that these playbooks ask for and that nobody has: not the rule sets that Firebreak knows, not Firebreak itself, and not `own`, the rules that the
 * configuration names. What a match bounds to a sensor without such a set is left out: nobody knows its rules.
 *
 * @param sets in place of the public ones, where it is known which rules there are.
 */
export function unknownRules(
  playbooks: readonly AnyPlaybook[],
  own: readonly string[] = [],
  sets: readonly Pick<KnownRule, 'name' | 'sensor'>[] = publicRules,
): readonly UnknownRule[] {
  const names = [
    ...new Set([...auditRules.map(({ name }) => name), ...sets.map(({ name }) => name), ...Object.values(ownRules), ...own]),
  ];
  const known = new Set(names);
  const sensors = new Set(sets.map(({ sensor }) => sensor));
  return playbooks.flatMap((playbook) =>
    matchesOf([playbook])
      .flatMap((match) => [match, ...(match.absent ? [match.absent.of] : [])])
      .filter((match) => mayHaveSet(match, sensors))
      .flatMap(({ rule }) => (rule === undefined ? [] : Array.isArray(rule) ? rule : [rule]))
      .flatMap((rule): readonly UnknownRule[] => {
        if (typeof rule === 'string') {
          if (known.has(rule)) return [];
          const nearest = nearestName(rule, names);
          return [{ playbook: playbook.id, rule, ...(nearest !== undefined && { nearest }) }];
        }
        // One match, so that its pattern is made once.
        const like = { rule };
        if (names.some((name) => matchAlert(like, { rule: name }) === true)) return [];
        return [{ playbook: playbook.id, rule: 'glob' in rule ? rule.glob : rule.regex }];
      }),
  );
}

function mayHaveSet({ sensor }: Match, sensors: ReadonlySet<string>): boolean {
  if (sensor === undefined) return true;
  const like = { sensor };
  return [...sensors].some((one) => matchAlert(like, { sensor: one }) === true);
}

/** As people read it. */
export function unknownRuleText({ rule, nearest }: UnknownRule): string {
  const meant = nearest === undefined ? 'unless it is a rule of your own, it never matches' : `did you mean “${nearest}”?`;
  return `no rule set that Firebreak knows has “${rule}”: ${meant}`;
}
