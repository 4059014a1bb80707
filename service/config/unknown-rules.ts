import { ownRules } from '../../core/alert/own-alerts.ts';
import type { Match } from '../../core/playbook/match.ts';
import { matchAlert } from '../../core/playbook/match-alert.ts';
import type { AnyPlaybook } from '../../core/playbook/playbook.ts';
import { matchesOf } from '../../core/playbook/timed-conditions.ts';
import { type KnownRule, ruleSets } from '../../core/rules/known-rules.ts';
import { auditRules } from '../../integrations/sensors/kubernetes-audit/rules.ts';
import { nearestName } from './nearest.ts';

/** A rule that a playbook matches but no rule set has: a misspelling that never matches, or a custom rule. */
interface UnknownRule {
  readonly playbook: string;
  /** As written in the playbook: a name or a pattern. */
  readonly rule: string;
  /** The known name that was probably meant. */
  readonly nearest?: string;
}

const publicRules = ruleSets.flatMap(({ rules }) => rules);

/**
 * Rules that these playbooks match but nobody has: neither the known rule sets, nor Firebreak itself, nor `own`, the rules that the configuration names.
 * Matches limited to a sensor without such a set are left out: its rules are unknown.
 *
 * @param sets used instead of the public ones, if the existing rules are known.
 */
export function unknownRules(
  playbooks: readonly AnyPlaybook[],
  own: readonly string[] = [],
  sets: readonly Pick<KnownRule, 'name' | 'sensor'>[] = publicRules,
): readonly UnknownRule[] {
  const names = [
    ...new Set([
      ...auditRules.flatMap(({ name }) => [name, `${name} (refused)`]),
      ...sets.map(({ name }) => name),
      ...Object.values(ownRules),
      ...own,
    ]),
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
        // One match object, so that its pattern is compiled once.
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

/** The text for people. */
export function unknownRuleText({ rule, nearest }: UnknownRule): string {
  const meant = nearest === undefined ? 'unless it is a rule of your own, it never matches' : `did you mean “${nearest}”?`;
  return `no rule set that Firebreak knows has “${rule}”: ${meant}`;
}
