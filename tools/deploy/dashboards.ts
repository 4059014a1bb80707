/** The Grafana dashboards, from which `npm run generate` makes `deploy/grafana`. */

interface Panel {
  readonly title: string;
  /** What it shows, for somebody who sees it for the first time. */
  readonly about: string;
  readonly kind: 'timeseries' | 'stat' | 'table';
  readonly unit?: 'short' | 's' | 'bytes' | 'percentunit' | 'ops';
  /** PromQL, and the names of its series. */
  readonly queries: readonly (readonly [query: string, legend: string])[];
  /** Shown in red from this value on. */
  readonly worseFrom?: number;
}

interface Dashboard {
  readonly name: 'overview' | 'engine' | 'people';
  readonly title: string;
  readonly panels: readonly Panel[];
}

const rate = '[$__rate_interval]';
const share = (quantile: number, metric: string): string =>
  `histogram_quantile(${quantile}, sum by (le) (rate(${metric}_bucket${rate})))`;

export const dashboards: readonly Dashboard[] = [
  {
    name: 'overview',
    title: 'Firebreak: overview',
    panels: [
      {
        title: 'At work',
        about: 'Processes that take work from Temporal. Critical alerts are contained without it, too.',
        kind: 'stat',
        queries: [['sum(firebreak_at_work)', 'at work']],
      },
      {
        title: 'Alerts lost',
        about: 'Accepted, then permanently rejected by Temporal: they are set aside. The goal is none.',
        kind: 'stat',
        worseFrom: 1,
        queries: [['sum(firebreak_intake_refused_by_temporal)', 'set aside']],
      },
      {
        title: 'Contained within 5 s',
        about: 'Of the pods that a playbook contains at once, over 30 days. Objective: 99 %.',
        kind: 'stat',
        unit: 'percentunit',
        queries: [
          [
            'sum(increase(firebreak_contain_seconds_bucket{le=~"5([.]0)?"}[30d])) / sum(increase(firebreak_contain_seconds_count[30d]))',
            'in time',
          ],
        ],
      },
      {
        title: 'Answered within 15 minutes',
        about: 'Of the questions to people that were answered or expired, over 30 days. Objective: 90 %.',
        kind: 'stat',
        unit: 'percentunit',
        queries: [
          [
            'sum(increase(firebreak_decide_seconds_bucket{le=~"900([.]0)?"}[30d])) / sum(increase(firebreak_questions_ended_total{outcome=~"decided|expired"}[30d]))',
            'in time',
          ],
        ],
      },
      {
        title: 'Alerts',
        about: 'Accepted per second, by severity.',
        kind: 'timeseries',
        unit: 'ops',
        queries: [[`sum by (severity) (rate(firebreak_intake_alerts_accepted_total${rate}))`, '{{severity}}']],
      },
      {
        title: 'Containments at once',
        about: 'Started before their incident, by outcome.',
        kind: 'timeseries',
        queries: [[`sum by (result) (increase(firebreak_head_starts_total${rate}))`, '{{result}}']],
      },
      {
        title: 'From alert to containment',
        about: 'Of alerts that are contained at once.',
        kind: 'timeseries',
        unit: 's',
        queries: [
          [share(0.5, 'firebreak_contain_seconds'), 'median'],
          [share(0.99, 'firebreak_contain_seconds'), '99 %'],
        ],
      },
      {
        title: 'Error budget burn rate',
        about: 'How many times faster than the objective allows, over an hour: at 14 it is gone in two days.',
        kind: 'timeseries',
        worseFrom: 14.4,
        queries: [
          ['firebreak:contain_errors:ratio_rate1h / 0.01', 'contained too late'],
          ['firebreak:intake_errors:ratio_rate1h / 0.001', 'turned away'],
          ['firebreak:decide_errors:ratio_rate1h / 0.1', 'answered too late'],
        ],
      },
      {
        title: 'Hidden alerts',
        about: 'Those that started nothing, by suppression.',
        kind: 'timeseries',
        queries: [[`sum by (by) (increase(firebreak_intake_alerts_hidden_total${rate}))`, '{{by}}']],
      },
      {
        title: 'What is wrong',
        about: 'All zero on a good day.',
        kind: 'timeseries',
        worseFrom: 1,
        queries: [
          ['sum(firebreak_contained_without_incident)', 'contained without an incident'],
          ['sum(firebreak_incidents_standing_still)', 'incidents that stand still'],
          ['sum(firebreak_releases_refused)', 'releases that are refused'],
          ['sum(firebreak_missing_rights)', 'missing rights'],
          ['sum(firebreak_unreadable_keys)', 'keys that cannot be read'],
          [`sum(increase(firebreak_audit_findings_total${rate}))`, 'findings in the records'],
          ['sum(firebreak_intake_storm)', 'storm'],
        ],
      },
    ],
  },
  {
    name: 'engine',
    title: 'Firebreak: engine',
    panels: [
      {
        title: 'Oldest waiting alert',
        about: 'In the spool. After 15 minutes people are asked before anything is done.',
        kind: 'timeseries',
        unit: 's',
        worseFrom: 300,
        queries: [['max by (pod) (firebreak_intake_oldest_waiting_seconds)', '{{pod}}']],
      },
      {
        title: 'Spool',
        about: 'How much of it is used; at 100 % alerts are rejected.',
        kind: 'timeseries',
        unit: 'percentunit',
        worseFrom: 0.7,
        queries: [['max by (pod) (firebreak_intake_spool_used_ratio)', '{{pod}}']],
      },
      {
        title: 'Incidents with waiting alerts',
        about: 'And their bytes.',
        kind: 'timeseries',
        queries: [['sum(firebreak_intake_waiting_incidents)', 'incidents']],
      },
      {
        title: 'Bytes in the spool',
        about: 'Of alerts that Temporal does not have yet.',
        kind: 'timeseries',
        unit: 'bytes',
        queries: [['sum by (pod) (firebreak_intake_spool_bytes)', '{{pod}}']],
      },
      {
        title: 'Until an alert is durable',
        about: 'From reading a body until all its alerts are durable: what a sensor waits for.',
        kind: 'timeseries',
        unit: 's',
        queries: [
          [share(0.5, 'firebreak_intake_durable_seconds'), 'median'],
          [share(0.99, 'firebreak_intake_durable_seconds'), '99 %'],
        ],
      },
      {
        title: 'Calls to Temporal',
        about: 'Starts and signals of incidents per second, by result.',
        kind: 'timeseries',
        unit: 'ops',
        queries: [[`sum by (kind, result) (rate(firebreak_intake_temporal_calls_total${rate}))`, '{{kind}} {{result}}']],
      },
      {
        title: 'Rejected by the intake',
        about: 'Items and requests, by reason.',
        kind: 'timeseries',
        queries: [[`sum by (reason) (increase(firebreak_intake_refused_total${rate}))`, '{{reason}}']],
      },
      {
        title: 'Repetitions',
        about: 'Alerts that were already known: sensors sent them again.',
        kind: 'timeseries',
        queries: [[`sum(increase(firebreak_intake_alerts_duplicate_total${rate}))`, 'duplicates']],
      },
      {
        title: 'Sensors about themselves',
        about: 'Their own messages, and those that report dropped events.',
        kind: 'timeseries',
        queries: [
          [`sum by (sensor) (increase(firebreak_intake_sensor_messages_total${rate}))`, '{{sensor}}'],
          [`sum by (sensor) (increase(firebreak_intake_sensor_drops_total${rate}))`, '{{sensor}}: drops'],
        ],
      },
      {
        title: 'Refused calls',
        about: 'Over Temporal, from senders that are not trusted.',
        kind: 'table',
        queries: [['sum by (activity, why) (firebreak_refused_calls_total) > 0', '{{activity}} {{why}}']],
      },
      {
        title: 'Memory',
        about: 'Of the cell, the mapped spool included.',
        kind: 'timeseries',
        unit: 'bytes',
        queries: [['max by (pod) (process_resident_memory_bytes{job=~".*firebreak.*"})', '{{pod}}']],
      },
      {
        title: 'Internal faults',
        about: 'Promises that nobody took, and what the OpenTelemetry collector did not take.',
        kind: 'timeseries',
        queries: [
          [`sum(increase(firebreak_unhandled_rejections_total${rate}))`, 'faults'],
          [`sum by (signal) (increase(firebreak_telemetry_dropped_total${rate}))`, 'dropped {{signal}}'],
        ],
      },
    ],
  },
  {
    name: 'people',
    title: 'Firebreak: people',
    panels: [
      {
        title: 'Questions',
        about: 'Of the last seven days, by outcome.',
        kind: 'stat',
        queries: [['sum by (outcome) (firebreak_questions)', '{{outcome}}']],
      },
      {
        title: 'From question to answer',
        about: 'Median and 90th percentile of the last seven days, by playbook.',
        kind: 'timeseries',
        unit: 's',
        worseFrom: 900,
        queries: [['max by (playbook, quantile) (firebreak_answer_seconds)', '{{playbook}} {{quantile}}']],
      },
      {
        title: 'Questions that ended',
        about: 'Nobody answered the expired ones.',
        kind: 'timeseries',
        queries: [[`sum by (outcome) (increase(firebreak_questions_ended_total${rate}))`, '{{outcome}}']],
      },
      {
        title: 'Time to decide',
        about: 'As people answer now.',
        kind: 'timeseries',
        unit: 's',
        queries: [
          [share(0.5, 'firebreak_decide_seconds'), 'median'],
          [share(0.9, 'firebreak_decide_seconds'), '90 %'],
        ],
      },
      {
        title: 'Asked in one shift',
        about: 'The most questions to one person in a single shift, in the last seven days.',
        kind: 'table',
        queries: [['sort_desc(max by (person) (firebreak_questions_in_a_shift))', '{{person}}']],
      },
      {
        title: 'Approvals within ten seconds',
        about: 'Of the last seven days, by playbook: anybody that quick has hardly read the question.',
        kind: 'table',
        queries: [['sort_desc(sum by (playbook) (firebreak_quick_approvals))', '{{playbook}}']],
      },
      {
        title: 'Records left out of these',
        about: 'Their cell has not signed them, or its key is not known.',
        kind: 'stat',
        worseFrom: 1,
        queries: [['sum(firebreak_records_left_out)', 'left out']],
      },
    ],
  },
];

const columns = 2;
const size = { w: 24 / columns, h: 8 };
const datasource = { type: 'prometheus', uid: '$datasource' };

/** The model as Grafana imports it. */
export function grafanaModel({ name, title, panels }: Dashboard): object {
  return {
    uid: `firebreak-${name}`,
    title,
    tags: ['firebreak'],
    schemaVersion: 39,
    editable: true,
    refresh: '30s',
    time: { from: name === 'people' ? 'now-7d' : 'now-6h', to: 'now' },
    templating: { list: [{ name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus' }] },
    panels: panels.map((panel, index) => panelModel(panel, index)),
  };
}

function panelModel({ title, about, kind, unit = 'short', queries, worseFrom }: Panel, index: number): object {
  const steps = [{ color: 'green', value: null }, ...(worseFrom === undefined ? [] : [{ color: 'red', value: worseFrom }])];
  const gridPos = { ...size, x: (index % columns) * size.w, y: Math.floor(index / columns) * size.h };
  return {
    id: index + 1,
    type: kind,
    title,
    description: about,
    datasource,
    gridPos,
    fieldConfig: { defaults: { unit, min: 0, thresholds: { mode: 'absolute', steps } }, overrides: [] },
    targets: queries.map(([expr, legendFormat], nth) => ({
      refId: String.fromCharCode(65 + nth),
      datasource,
      expr,
      legendFormat,
      ...(kind !== 'timeseries' && { instant: true, range: false }),
    })),
  };
}
