import { counted } from '../text/counted.ts';
import type { Mode } from './response.ts';

/** Days on record before the numbers say anything. */
const enoughDays = 7;
/** A question that comes more often is not read. */
const mostQuestionsADay = 10;
/** Containments that people have judged before it happens without them. */
const enoughJudged = 3;

/** Whether the numbers say that the next mode can be turned on. */
export interface Advice {
  /** Null: not yet. */
  readonly next: Mode | null;
  /** For people. */
  readonly why: string;
}

/** What mode `contain` would have done about a namespace in a period. */
export interface WouldHaveCounts {
  readonly cluster: string;
  readonly namespace: string | null;
  readonly mode: Mode;
  readonly contain: number;
  readonly right: number;
  readonly wrong: number;
  readonly open: number;
  /** Questions on the day with most: containments count, because mode `ask` asks about them. */
  readonly mostADay: number;
}

type Advised = Pick<WouldHaveCounts, 'cluster' | 'namespace'> & { readonly advice: Advice };

/** @param days length of the period */
export function adviceFor(row: WouldHaveCounts, days: number): Advice {
  const { namespace, mode, contain, right, wrong, open, mostADay } = row;
  if (namespace === null) return { next: null, why: 'it is in no namespace: people decide in each mode' };
  if (days < enoughDays) return { next: null, why: `fewer than ${enoughDays} days: look again with a longer --since` };
  if (mode === 'observe')
    return mostADay > mostQuestionsADay
      ? { next: null, why: `${mostADay} questions on the busiest day: silence what is noisy first (firebreak tune)` }
      : { next: 'ask', why: `at most ${counted(mostADay, 'question')} a day` };
  if (wrong > 0) return { next: null, why: `people called ${wrong} of ${contain} harmless` };
  if (right < enoughJudged) return { next: null, why: `people judged ${right} containments right: ${enoughJudged} are needed` };
  if (open > right) return { next: null, why: `${open} of ${contain} are not judged` };
  return { next: 'contain', why: `${right} of ${contain} judged right, none wrong` };
}

/** What to write into the configuration. */
export function snippetFor(rows: readonly Advised[]): string | null {
  const lines = [...Map.groupBy(rows, ({ cluster }) => cluster)].flatMap(([cluster, own]) =>
    (['ask', 'contain'] as const).flatMap((next) => {
      const ready = namespacesReadyFor(own, next);
      // A sensor's word is no YAML.
      if (ready.length === 0 || !isName(cluster)) return [];
      const name = `ready-to-${next}-${cluster}`;
      return [
        `    - { name: ${name}, clusters: ['${cluster}'], namespaces: [${ready.map((one) => `'${one}'`).join(', ')}], mode: ${next} }`,
      ];
    }),
  );
  if (lines.length === 0) return null;
  return ['response:', '  scopes:   # before your other scopes: the first that matches holds', ...lines].join('\n');
}

/** Only namespaces of which no row speaks against it. */
function namespacesReadyFor(rows: readonly Advised[], next: Mode): readonly string[] {
  const byNamespace = Map.groupBy(rows, ({ namespace }) => namespace);
  return [...byNamespace].flatMap(([namespace, own]) =>
    namespace !== null && isName(namespace) && own.every(({ advice }) => advice.next === next) ? [namespace] : [],
  );
}

/** As Kubernetes writes names. */
function isName(text: string): boolean {
  return /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/.test(text);
}
