import { setImmediate } from 'node:timers/promises';
import type { Severity } from '../../core/alert/severity.ts';
import { answering } from '../../core/playbook/answering.ts';
import type { AnyPlaybook } from '../../core/playbook/playbook.ts';
import type { KnownRule, RulePlace, RuleSet } from '../../core/rules/known-rules.ts';
import { compareTexts } from '../../core/text/plain-json.ts';
import { alertOfRule } from './payloads.ts';

/** What happens to one rule's alert at one place. */
interface PlaceAnswer {
  readonly place: RulePlace;
  /** Ids of the playbooks written for it, and of those that take whatever no other playbook takes. */
  readonly playbooks: readonly string[];
  readonly rest: readonly string[];
}

interface CoveredRule {
  readonly rule: KnownRule;
  /** As its alerts arrive. */
  readonly severity: Severity;
  readonly mitre: readonly string[];
  readonly answers: readonly PlaceAnswer[];
  /**
   * `yes`: by a playbook for it wherever it may happen; `partly`: only in some places; `rest`: only by playbooks that take whatever is left; `no`: by nothing.
   */
  readonly covered: 'yes' | 'partly' | 'rest' | 'no';
}

/** For each rule an alert is made and parsed: a few milliseconds of work. */
const rulesATurn = 10;

export interface SetCoverage {
  readonly set: Omit<RuleSet, 'rules'>;
  readonly rules: readonly CoveredRule[];
}

function coveredRule(playbooks: readonly AnyPlaybook[], rule: KnownRule): CoveredRule {
  const alerts = rule.places.map((place) => ({ place, alert: alertOfRule(rule, place) }));
  const answers = alerts.map(({ place, alert }): PlaceAnswer => {
    const found = alert ? answering(playbooks, alert) : [];
    const ids = (isRest: boolean) => found.filter(({ on }) => (on.match === 'unanswered') === isRest).map(({ id }) => id);
    return { place, playbooks: ids(false), rest: ids(true) };
  });
  const [first] = alerts.flatMap(({ alert }) => alert ?? []);
  const named = answers.filter((answer) => answer.playbooks.length > 0).length;
  const taken = answers.some((answer) => answer.rest.length > 0);
  return {
    rule,
    severity: first?.severity ?? 'unknown',
    mitre: first?.mitre ?? [],
    answers,
    covered: named === answers.length ? 'yes' : named > 0 ? 'partly' : taken ? 'rest' : 'no',
  };
}

/** Returns which playbooks answer which rules, using alerts in the form in which each rule's sensor sends them. */
export function coverageOf(playbooks: readonly AnyPlaybook[], sets: readonly RuleSet[]): readonly SetCoverage[] {
  return sets.map(({ rules, ...set }) => ({ set, rules: rules.map((rule) => coveredRule(playbooks, rule)) }));
}

/** The same where others wait, on a terminal or in the desk: yields between the rules, and reports progress to `onPart`. */
export async function coverageInTurns(
  playbooks: readonly AnyPlaybook[],
  sets: readonly RuleSet[],
  onPart?: (share: number) => void,
): Promise<readonly SetCoverage[]> {
  const all = sets.reduce((sum, { rules }) => sum + rules.length, 0);
  let done = 0;
  const coverage: SetCoverage[] = [];
  for (const { rules, ...set } of sets) {
    const covered: CoveredRule[] = [];
    for (const rule of rules) {
      covered.push(coveredRule(playbooks, rule));
      done += 1;
      if (done % rulesATurn > 0) continue;
      onPart?.(done / all);
      await setImmediate();
    }
    coverage.push({ set, rules: covered });
  }
  return coverage;
}

/** Share of rules that have a playbook for them, in whole per cent, rounded down. */
export function percentCovered(rules: readonly CoveredRule[]): number {
  const yes = rules.filter(({ covered }) => covered === 'yes').length;
  return rules.length === 0 ? 100 : Math.floor((100 * yes) / rules.length);
}

/** An ATT&CK Navigator layer: a technique's score is the share of its rules that have a playbook for them. https://github.com/mitre-attack/attack-navigator */
export function navigatorLayer(coverage: readonly SetCoverage[]): object {
  const byTechnique = Map.groupBy(
    coverage.flatMap(({ rules }) => rules.flatMap((rule) => rule.mitre.map((id) => ({ id, rule })))),
    ({ id }) => id,
  );
  const techniques = [...byTechnique]
    .filter(([id]) => id.startsWith('T1') || id.startsWith('T0'))
    .toSorted(([a], [b]) => compareTexts(a, b))
    .map(([techniqueID, found]) => {
      const rules = found.map(({ rule }) => rule);
      const ids = new Set(rules.flatMap(({ answers }) => answers.flatMap((answer) => answer.playbooks)));
      return {
        techniqueID,
        score: percentCovered(rules),
        comment: `${rules.length} ${rules.length === 1 ? 'rule' : 'rules'}; ${ids.size > 0 ? `playbooks: ${[...ids].toSorted().join(', ')}` : 'no playbook'}`,
        enabled: true,
        showSubtechniques: techniqueID.includes('.'),
      };
    });
  return {
    name: 'Firebreak playbooks',
    versions: { attack: '19', navigator: '5.2.0', layer: '4.5' },
    domain: 'enterprise-attack',
    description: 'Techniques that the rules name, and how many of these rules a playbook is for.',
    techniques,
    gradient: { colors: ['#ff6666', '#ffe766', '#8ec843'], minValue: 0, maxValue: 100 },
    legendItems: [],
  };
}
