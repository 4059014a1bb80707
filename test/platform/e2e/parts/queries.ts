import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { projectRoot } from '../../../../service/process/project-root.ts';
import { dashboards } from '../../../../tools/deploy/dashboards.ts';
import type { PrometheusServer } from '../../../../tools/platform/prometheus.ts';

/** A query that Firebreak ships for Prometheus: from an alert rule, a recording rule or a dashboard. */
interface Query {
  readonly query: string;
  /** Labels that its text names: a dashboard's legend, an alert's description. */
  readonly told: readonly string[];
}

/** A series that a query selects: `firebreak_contain_seconds_bucket{le=~"5([.]0)?"}`, and the labels by which the query groups it. */
interface Selector {
  readonly text: string;
  readonly groupedBy: readonly string[];
}

type Node = Readonly<Record<string, unknown>>;
interface Matcher {
  readonly name: string;
  readonly type: string;
  readonly value: string;
}

export const rulesFile = join(projectRoot(), 'deploy', 'prometheus', 'firebreak.rules.yaml');

interface Rule {
  readonly expr: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

export function shippedQueries(): readonly Query[] {
  const { groups }: { readonly groups: readonly { readonly rules: readonly Rule[] }[] } = parse(readFileSync(rulesFile, 'utf8'));
  const ofRules = groups.flatMap(({ rules }) =>
    rules.map(({ expr, annotations = {} }) => ({
      query: expr,
      told: labelsIn(annotations.description ?? '', /\$labels\.(\w+)/g),
    })),
  );
  const ofDashboards = dashboards
    .flatMap(({ panels }) => panels.flatMap((panel) => panel.queries))
    .map(([query, legend]) => ({
      query: query.replaceAll('$__rate_interval', '1m'),
      told: labelsIn(legend, /\{\{(\w+)\}\}/g),
    }));
  return [...ofRules, ...ofDashboards];
}

const labelsIn = (words: string, pattern: RegExp): readonly string[] =>
  [...words.matchAll(pattern)].map(([, label = '']) => label);

/** The selectors in the query, as parsed by Prometheus itself. */
export async function selectorsIn(prometheus: PrometheusServer, query: string): Promise<readonly Selector[]> {
  return selectorsOf(await prometheus.ask('parse_query', { query }), []);
}

function selectorsOf(part: unknown, groupedBy: readonly string[]): readonly Selector[] {
  if (Array.isArray(part)) return part.flatMap((one) => selectorsOf(one, groupedBy));
  if (typeof part !== 'object' || part === null) return [];
  const node = part as Node;
  if (node.type === 'vectorSelector' || node.type === 'matrixSelector') {
    const matchers = (node.matchers as readonly Matcher[]).filter(({ name }) => name !== '__name__');
    const text = matchers.map(({ name, type, value }) => `${name}${type}${JSON.stringify(value)}`).join();
    return [{ text: `${node.name}${text && `{${text}}`}`, groupedBy }];
  }
  const further = node.type === 'aggregation' && node.without === false ? (node.grouping as readonly string[]) : [];
  return Object.values(node).flatMap((value) => selectorsOf(value, [...groupedBy, ...further]));
}

/** The labels of each series of a selector that existed at any time: on a busy machine the last look may have found nothing. */
export async function seriesOf(
  prometheus: PrometheusServer,
  selector: string,
): Promise<readonly Readonly<Record<string, string>>[]> {
  const { result } = (await prometheus.ask('query', { query: `last_over_time(${selector}[1h])` })) as {
    readonly result: readonly { readonly metric: Readonly<Record<string, string>> }[];
  };
  return result.map(({ metric }) => metric);
}
