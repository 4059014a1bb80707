import type { Framework, RequirementMapping } from './framework.ts';
import { isOfDesks, type Measure } from './measures.ts';

/** What the records of a period show about a framework, and what they cannot show. */
export interface ComplianceReport {
  readonly framework: Pick<Framework, 'id' | 'name' | 'source' | 'notListed'>;
  /** The clusters whose records these are. */
  readonly clusters: readonly string[];
  /** Only this cluster's records were read, without those that desks have made for all clusters. Absent: all records were. */
  readonly onlyCluster?: string | undefined;
  /** ISO 8601, UTC; the end is exclusive. */
  readonly since: string;
  readonly until: string;
  readonly madeAt: string;
  readonly program: string;
  /** Records of the period that were counted, and unproven rows that were left out. */
  readonly records: { readonly counted: number; readonly leftOut: number };
  readonly requirements: readonly ShownRequirement[];
  readonly measures: readonly Measure[];
}

export interface ShownRequirement extends RequirementMapping {
  /**
   * `numbers`: there are some in the period. `nothing-happened`: the records would show it, and nothing came. `nothing-proven`: the same, but unproven records
   * were left out that may have shown it. `not-looked-at`: the same, but desks may have records of it, which a report of one cluster does not read.
   * `described`: no record counts it.
   */
  readonly basis: 'numbers' | 'nothing-happened' | 'nothing-proven' | 'not-looked-at' | 'described';
}

export function complianceReport({
  framework,
  measures,
  ...about
}: Omit<ComplianceReport, 'framework' | 'requirements'> & { readonly framework: Framework }): ComplianceReport {
  const counted = new Map(measures.map((measure) => [measure.id, measure.counted]));
  const { requirements, ...named } = framework;
  const used = new Set(requirements.flatMap((one) => one.measures));
  return {
    framework: named,
    ...about,
    requirements: requirements.map((one) => ({ ...one, basis: basisOf(one, counted, about) })),
    measures: measures.filter(({ id }) => used.has(id)).map((one) => withoutDesks(one, about.onlyCluster)),
  };
}

function basisOf(
  { measures }: RequirementMapping,
  counted: ReadonlyMap<string, number>,
  { records: { leftOut }, onlyCluster }: Pick<ComplianceReport, 'records' | 'onlyCluster'>,
): ShownRequirement['basis'] {
  if (measures.length === 0) return 'described';
  if (measures.some((id) => (counted.get(id) ?? 0) > 0)) return 'numbers';
  if (leftOut > 0) return 'nothing-proven';
  return onlyCluster !== undefined && measures.some(isOfDesks) ? 'not-looked-at' : 'nothing-happened';
}

function withoutDesks(measure: Measure, onlyCluster: string | undefined): Measure {
  return onlyCluster !== undefined && isOfDesks(measure.id)
    ? { ...measure, title: `${measure.title} (records of desks were not examined)` }
    : measure;
}

export const basisTexts: Readonly<Record<ShownRequirement['basis'], string>> = {
  numbers: 'numbers from records',
  'nothing-happened': 'nothing of the kind happened in this period',
  'not-looked-at': 'nothing in the records of this cluster; those of desks were not examined',
  'nothing-proven': 'no proven record of the kind, and some records were left out',
  described: 'described only: no record counts it',
};

/** For a report of one cluster; with a leading space. */
export function withoutDesksText({ onlyCluster }: Pick<ComplianceReport, 'onlyCluster'>): string {
  return onlyCluster === undefined
    ? ''
    : ` Only records of the cluster ${onlyCluster} were examined, and none that desks made for all clusters: calls, exports, cuts, refused attempts.`;
}

/** Returns `12`, `2 min (p90 5 min, longest 1 h)`, `-`. */
export function valueText({ unit, value, parts }: Measure): string {
  if (value === null) return '-';
  if (unit === 'number') return String(value);
  const { p90 = 0, longest = 0 } = parts;
  return `${secondsText(value)} (p90 ${secondsText(p90)}, longest ${secondsText(longest)})`;
}

/** Returns the parts of a number; those of a time are in its text. */
export function partsText({ unit, parts }: Measure): string {
  if (unit === 'seconds') return '';
  return Object.entries(parts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}

function secondsText(seconds: number): string {
  if (seconds < 10) return `${Math.round(seconds * 10) / 10} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3_600)} h`;
}
