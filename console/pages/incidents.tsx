import { useEffect, useState } from 'preact/hooks';
import { severities } from '../../core/alert/severity.ts';
import type { IncidentQuery, ListedIncident } from '../../core/console/console.schema.ts';
import { goTo, useAddress } from '../address.ts';
import { ask, type RequestFault, useAsked, useNews } from '../api.ts';
import { Empty, Problem, Severity, Tag, Time, usePage, Waiting } from '../parts/common.tsx';
import { countText, placeText, standText } from '../words.ts';

/** How far back, in hours. */
const spans: Readonly<Record<string, { readonly text: string; readonly hours: number }>> = {
  hour: { text: 'Last hour', hours: 1 },
  day: { text: 'Last 24 hours', hours: 24 },
  week: { text: 'Last 7 days', hours: 168 },
};

const states = ['open', 'closed', 'all'] as const;

/** Filters that are rarely used. */
const further = ['cluster', 'namespace', 'playbook'];

/** The filters in the address, as sent to the desk. Hours are counted from when the filter was set, not from each keystroke. */
function askedBy(query: URLSearchParams, now: number): IncidentQuery {
  const text = (name: string) => {
    const value = query.get(name)?.trim();
    return value ? { [name]: value } : {};
  };
  // Any other value in the address falls back to the page's default.
  const state = states.find((one) => one === query.get('state')) ?? 'open';
  const severity = severities.find((one) => one === query.get('severity'));
  const span = spans[query.get('opened') ?? ''];
  return {
    ...(state !== 'all' && { state }),
    ...(severity && { severity }),
    ...(span && { from: new Date(now - span.hours * 3_600_000).toISOString() }),
    ...text('text'),
    ...text('cluster'),
    ...text('playbook'),
    ...text('namespace'),
  };
}

/** Each search looks through all incidents: the text is sent once nobody has typed for a moment. */
const settleMs = 250;

function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), settleMs);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}

export function Incidents() {
  usePage('Incidents');
  const { query } = useAddress();
  const settled = useSettled(query.toString());
  const opened = query.get('opened') ?? '';
  const [now, setNow] = useState(Date.now);
  useEffect(() => setNow(Date.now()), [opened]);
  const request = askedBy(new URLSearchParams(settled), now);
  const first = useAsked('incidents', { query: request }, ({ kind }) => kind === 'incident');
  const [more, setMore] = useState<{ of: string; items: readonly ListedIncident[]; next: string | null; fault?: RequestFault }>();
  const of = JSON.stringify(request);
  const later = more?.of === of ? more : undefined;
  const next = later ? later.next : (first.data?.next ?? null);
  const [changed, setChanged] = useState<ReadonlyMap<string, ListedIncident>>(new Map());
  useNews((news) => {
    if (news.kind === 'incident') setChanged((before) => new Map(before).set(news.incident.key, news.incident));
  });

  async function fetchMore(): Promise<void> {
    if (next === null) return;
    const before = later?.items ?? [];
    await ask('incidents', { query: { ...request, cursor: next } }).then(
      (page) => setMore({ of, items: [...before, ...page.items], next: page.next }),
      (fault: RequestFault) => setMore({ of, items: before, next, fault }),
    );
  }

  // An incident moves to the first page when something new comes before it: it is shown once.
  const listed = [...new Map([...(later?.items ?? []), ...(first.data?.items ?? [])].map((one) => [one.key, one])).values()]
    .map((one) => {
      const news = changed.get(one.key);
      return news && news.revision > one.revision ? news : one;
    })
    .toSorted((a, b) => b.openedAt.localeCompare(a.openedAt));
  const isFiltered = [...query.keys()].length > 0;
  return (
    <>
      <h1>Incidents</h1>
      <Filters query={query} />
      <p class="unseen" role="status">
        {first.data && `${countText(listed.length, 'incident')} shown`}
      </p>
      {first.fault && <Problem fault={first.fault} again={first.again} />}
      {first.isLoading && <Waiting what="Loading incidents" />}
      {first.data && listed.length === 0 && (
        <Empty title={isFiltered ? 'No incidents match these filters' : 'No open incidents'}>
          {isFiltered ? (
            <a href="/console/incidents">Show all open incidents</a>
          ) : (
            <p>New ones appear here automatically. For earlier ones, set State to All.</p>
          )}
        </Empty>
      )}
      {listed.length > 0 && (
        <ul class="sheet incidents">
          {listed.map((incident) => (
            <li key={incident.key}>
              <Row incident={incident} />
            </li>
          ))}
        </ul>
      )}
      {later?.fault && <Problem fault={later.fault} />}
      {next !== null && listed.length > 0 && (
        <button type="button" class="more" onClick={fetchMore}>
          Show more
        </button>
      )}
    </>
  );
}

function Row({ incident }: { readonly incident: ListedIncident }) {
  const { key, severity, cluster, what, rules, alerts, openedAt, openQuestions } = incident;
  const { text, tone } = standText(incident);
  const [rule = 'No rule named', ...others] = rules;
  return (
    <a class="incident" href={`/console/incidents/${key}`}>
      <span>
        <Severity is={severity} />
      </span>
      <span class="what">
        <span class="name">{placeText(incident)}</span> <span class="soft small">{cluster}</span>
        <br />
        {what ?? rule}
        {others.length > 0 && <span class="soft"> and {countText(others.length, 'other rule')}</span>}
      </span>
      <span class="state">
        <Tag tone={tone}>{text}</Tag> {openQuestions > 0 && <Tag tone="low">{countText(openQuestions, 'question')} open</Tag>}
      </span>
      <span class="when soft small">
        <Time at={openedAt} as="ago" />
        <br />
        {countText(alerts, 'alert')}
      </span>
    </a>
  );
}

function Filters({ query }: { readonly query: URLSearchParams }) {
  const set = (name: string, value: string): void => {
    const to = new URLSearchParams(query);
    if (value === '') to.delete(name);
    else to.set(name, value);
    const text = to.toString();
    goTo(`/incidents${text === '' ? '' : `?${text}`}`, { replace: true });
  };
  const field = (name: string, label: string) => (
    <label>
      {label}
      <input
        type="search"
        autocomplete="off"
        maxLength={100}
        value={query.get(name) ?? ''}
        onInput={({ currentTarget }) => set(name, currentTarget.value)}
      />
    </label>
  );
  const choice = (name: string, label: string, options: readonly (readonly [string, string])[]) => (
    <label>
      {label}
      <select
        value={options.find(([value]) => value === query.get(name))?.[0] ?? ''}
        onChange={({ currentTarget }) => set(name, currentTarget.value)}
      >
        {options.map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
  const word = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
  return (
    <search class="filters">
      {field('text', 'Search')}
      {choice('state', 'State', [
        ['', 'Open'],
        ['closed', 'Closed'],
        ['all', 'All'],
      ])}
      {choice('severity', 'Severity', [['', 'Any'], ...severities.map((one) => [one, word(one)] as const)])}
      {choice('opened', 'Opened', [['', 'Any time'], ...Object.entries(spans).map(([id, { text }]) => [id, text] as const)])}
      <details open={further.some((name) => query.has(name))}>
        <summary>More filters</summary>
        <div class="further">
          {field('cluster', 'Cluster')}
          {field('namespace', 'Namespace')}
          {field('playbook', 'Playbook')}
        </div>
      </details>
    </search>
  );
}
