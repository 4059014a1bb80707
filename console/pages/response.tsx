import { useState } from 'preact/hooks';
import { severities } from '../../core/alert/severity.ts';
import type { ConsoleExplained, ConsoleResponse, ConsoleWouldHave } from '../../core/console/response.schema.ts';
import { goTo, useAddress } from '../address.ts';
import { useAsked } from '../api.ts';
import { Empty, Fact, Problem, Severity, Sheet, Table, Tag, Time, usePage, Waiting } from '../parts/common.tsx';
import { countText } from '../words.ts';

/** What is done without asking, what would happen now, and whether more can be turned on. */
export function ResponsePage() {
  usePage('Response');
  const { data, fault, isLoading, again } = useAsked('response', {}, () => false);
  return (
    <>
      <h1>Response</h1>
      {fault && <Problem fault={fault} again={again} />}
      {isLoading && <Waiting what="Loading modes and scopes" />}
      {data && <Scopes response={data} />}
      <Explain />
      <WouldHave />
    </>
  );
}

const modeText = {
  observe: 'Observe',
  ask: 'Ask',
  contain: 'Contain',
} as const;
const silenceText = { contain: 'Pod is cut off', nothing: 'Nothing' } as const;

function Scopes({ response }: { readonly response: ConsoleResponse }) {
  const { cluster, mode, profile, onSilence, scopes, hidden, protectedNamespaces } = response;
  return (
    <Sheet title="Mode and scopes" aside={<span class="soft small">{cluster}</span>}>
      <p class="soft small">
        Observe: nothing is done, and nobody is asked. Ask: people decide. Contain: pods are cut off at once. The first scope that
        matches holds; what it does not set is as in the last line. The configuration of this desk says so (<code>response</code>
        ).
      </p>
      <Table head={['Where', 'Mode', 'Profile', 'On silence']}>
        {scopes.map((scope) => (
          <tr key={scope.place}>
            <th scope="row">
              {scope.place}. {scope.name ?? scope.asks}
              {scope.name !== null && <div class="soft small">{scope.asks}</div>}
              {scope.onlyStronger && <div class="soft small">only makes the response stronger</div>}
            </th>
            <td>{modeText[scope.mode]}</td>
            <td>{scope.profile}</td>
            <td>{silenceText[scope.onSilence]}</td>
          </tr>
        ))}
        <tr>
          <th scope="row">{scopes.length + hidden > 0 ? 'Everywhere else' : 'Everywhere'}</th>
          <td>{modeText[mode]}</td>
          <td>{profile}</td>
          <td>{silenceText[onSilence]}</td>
        </tr>
      </Table>
      {hidden > 0 && <p class="soft small">{countText(hidden, 'scope')} for namespaces that you do not see.</p>}
      <dl class="facts small">
        <Fact name="Protected">{protectedNamespaces.join(', ') || 'no namespace that you see'}</Fact>
      </dl>
    </Sheet>
  );
}

const fields = ['namespace', 'rule', 'pod', 'severity', 'sensor', 'secondRule'] as const;
type Field = (typeof fields)[number];

/** The question is in the address: it can be sent to a colleague. */
function Explain() {
  const { query } = useAddress();
  const asked = Object.fromEntries(fields.flatMap((name) => (query.get(name) ? [[name, query.get(name) ?? '']] : [])));
  const [typed, setTyped] = useState<Readonly<Record<string, string>>>(asked);
  const isAsked = asked.namespace !== undefined && asked.rule !== undefined;
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const filled = Object.entries(typed)
      .map(([name, value]) => [name, value.trim()])
      .filter(([, value]) => value !== '');
    goTo(`/response?${new URLSearchParams(filled)}`);
  };
  const field = (name: Field, label: string, hint?: string, isRequired = false) => (
    <label>
      {label}
      <input
        autocomplete="off"
        maxLength={200}
        required={isRequired}
        value={typed[name] ?? ''}
        placeholder={hint}
        onInput={({ currentTarget }) => setTyped((before) => ({ ...before, [name]: currentTarget.value }))}
      />
    </label>
  );
  return (
    <Sheet title="What would happen now?">
      <form class="explain" onSubmit={submit}>
        {field('namespace', 'Namespace', 'shop', true)}
        {field('rule', 'Rule', 'Terminal shell in container', true)}
        {field('pod', 'Pod', 'any')}
        <label>
          Severity
          <select
            value={typed.severity ?? ''}
            onChange={({ currentTarget }) => setTyped((before) => ({ ...before, severity: currentTarget.value }))}
          >
            <option value="">As the rule says</option>
            {severities.map((one) => (
              <option key={one} value={one}>
                {one}
              </option>
            ))}
          </select>
        </label>
        {field('sensor', 'Sensor', 'any that has the rule')}
        {field('secondRule', 'Then, in the same pod', 'another rule')}
        <button type="submit" class="primary">
          Explain
        </button>
      </form>
      {isAsked && <Explained asked={asked} />}
    </Sheet>
  );
}

function Explained({ asked }: { readonly asked: Readonly<Partial<Record<Field, string>>> }) {
  const { namespace = '', rule = '', severity, ...rest } = asked;
  const known = severities.find((one) => one === severity);
  const query = { namespace, rule, ...rest, ...(known && { severity: known }) };
  const { data, fault, isLoading } = useAsked('explain', { query }, () => false);
  if (fault) return <Problem fault={fault} />;
  if (isLoading || !data) return <Waiting what="Judging it" />;
  const { pod, sensor, policy, cases, limits }: ConsoleExplained = data;
  return (
    <div class="explained" aria-live="polite">
      <dl class="facts small">
        <Fact name="Where">
          {pod === null
            ? 'No pod: the rule is about a node or the API server'
            : `${namespace}, ${pod === 'any' ? 'any pod' : pod}`}
        </Fact>
        <Fact name="Sensor">{sensor}</Fact>
        <Fact name="Mode">
          {policy.mode}, profile {policy.profile}, by {policy.scope}
        </Fact>
      </dl>
      <ul class="rows">
        {cases.map((one) => (
          <li key={one.when}>
            <div class="line">
              <h3>{sentence(one.when)}</h3>
              <Severity is={one.severity} />
            </div>
            <p>
              <strong>{sentence(one.effect)}.</strong>
            </p>
            <p class="soft small">{one.rule}</p>
            <ul class="reasons small">
              {one.reasons.map((reason) => (
                <li key={reason}>{reason}</li>
              ))}
            </ul>
          </li>
        ))}
      </ul>
      <ul class="reasons soft small">
        {limits.map((limit) => (
          <li key={limit}>{limit}</li>
        ))}
      </ul>
    </div>
  );
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const spans = { '1': 'Last 24 hours', '7': 'Last 7 days', '28': 'Last 28 days' } as const;
const judgedText = { right: 'Right', wrong: 'Wrong', open: 'Not judged' } as const;
const wouldText = { contain: 'Contained', 'held back': 'Held back', ask: 'Asked' } as const;

function WouldHave() {
  const [days, setDays] = useState<keyof typeof spans>('7');
  const { data, fault, isLoading, again } = useAsked('wouldHave', { query: { days } }, () => false);
  return (
    <Sheet
      title="What mode contain would have done"
      aside={
        <label class="beside">
          <span class="unseen">Period</span>
          <select value={days} onChange={({ currentTarget }) => setDays(currentTarget.value as keyof typeof spans)}>
            {Object.entries(spans).map(([value, text]) => (
              <option key={value} value={value}>
                {text}
              </option>
            ))}
          </select>
        </label>
      }
    >
      {fault && <Problem fault={fault} again={again} />}
      {isLoading && <Waiting what="Reading the records" />}
      {data && (data.rows.length === 0 ? <Nothing leftOut={data.leftOut} /> : <Report report={data} />)}
    </Sheet>
  );
}

function Nothing({ leftOut }: { readonly leftOut: number }) {
  return (
    <Empty title="Nothing in this period">
      <p>Modes observe and ask count here what mode contain would have done. Where mode contain holds, it was done.</p>
      {leftOut > 0 && <LeftOut count={leftOut} />}
    </Empty>
  );
}

function LeftOut({ count }: { readonly count: number }) {
  return <p class="small">{countText(count, 'record')} without a valid signature left out.</p>;
}

function Report({ report }: { readonly report: ConsoleWouldHave }) {
  const { rows, decisions, further, snippet, leftOut } = report;
  const clusters = new Set(rows.map(({ cluster }) => cluster));
  return (
    <>
      <Table
        head={['Namespace', 'Next', 'Mode', '#Contained', '#Right', '#Wrong', '#Not judged', '#Held back', '#Asked', '#Pages']}
      >
        {rows.map(({ cluster, namespace, mode, scope, contain, right, wrong, open, heldBack, ask, pages, advice }) => (
          <tr key={`${cluster}/${namespace}/${mode}/${scope}`}>
            <th scope="row">
              {namespace ?? 'no namespace'}
              {clusters.size > 1 && <div class="soft small">{cluster}</div>}
              <div class="soft small">{scope}</div>
            </th>
            <td>
              {advice.next === null ? <Tag>Not yet</Tag> : <Tag tone="good">Ready for {advice.next}</Tag>}
              <div class="soft small">{advice.why}</div>
            </td>
            <td>{mode}</td>
            {[contain, right, wrong, open, heldBack, ask, pages].map((value, place) => (
              <td key={place} class="number">
                {value}
              </td>
            ))}
          </tr>
        ))}
      </Table>
      {snippet !== null && (
        <>
          <p>To turn it on, write into the configuration:</p>
          <pre class="snippet">{snippet}</pre>
        </>
      )}
      <ul class="rows">
        {decisions.map(({ at, incident, namespace, pod, rule, would, judged, reasons }) => (
          <li key={`${at} ${namespace}/${pod} ${rule}`}>
            <div class="line">
              <h3>
                {wouldText[would]}:{' '}
                {incident === null ? (
                  nameOf(namespace, pod)
                ) : (
                  <a href={`/console/incidents/${incident}`}>{nameOf(namespace, pod)}</a>
                )}
              </h3>
              <span class="soft small">
                {would === 'contain' && <>{judgedText[judged]}, </>}
                <Time at={at} />
              </span>
            </div>
            <p>{rule}</p>
            <ul class="reasons small">
              {reasons.map((reason) => (
                <li key={reason}>{reason}</li>
              ))}
            </ul>
          </li>
        ))}
      </ul>
      {further > 0 && (
        <p class="soft small">
          {countText(further, 'earlier decision')}: <code>firebreak report would-have --json</code> lists all.
        </p>
      )}
      {leftOut > 0 && <LeftOut count={leftOut} />}
    </>
  );
}

function nameOf(namespace: string | null, pod: string | null): string {
  return pod === null ? (namespace ?? 'no pod') : `${namespace}/${pod}`;
}
