import type { ComponentChildren } from 'preact';
import type { ConsoleCoverage, ConsoleOverview, ConsoleSession } from '../../core/console/console.schema.ts';
import { useAsked } from '../api.ts';
import { Fact, Problem, Severity, Sheet, Table, Tag, Time, usePage, Waiting } from '../parts/common.tsx';
import { Coverage, Playbooks } from '../parts/playbook-record.tsx';
import { History, Share } from '../parts/plots.tsx';
import { Sensors } from '../parts/sensors.tsx';
import { tookText } from '../time.ts';
import { countText, numberText, placeText } from '../words.ts';
import { mayAsk } from './incident.tsx';

export function Overview({ session }: { readonly session: ConsoleSession }) {
  usePage('Overview');
  const { data, fault, isLoading, again } = useAsked('overview', {}, () => true);
  const covered = useAsked('coverage', {}, () => false);
  return (
    <>
      <h1>Overview</h1>
      {fault && <Problem fault={fault} again={again} />}
      {isLoading && <Waiting what="Loading the overview" />}
      {data && <Shown overview={data} coverage={covered.data} />}
      {covered.fault && <Problem fault={covered.fault} again={covered.again} />}
      {mayAsk(session, 'people') && <People />}
    </>
  );
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

function Shown({ overview, coverage }: { readonly overview: ConsoleOverview; readonly coverage: ConsoleCoverage | undefined }) {
  const { reckoned, clusters, containments, guardrails, suppressions, times, questions, days, history } = overview;
  const isOne = clusters.length === 1;
  return (
    <>
      <dl class="tiles">
        <Tile name="Open incidents" value={numberText(sum(clusters.map(({ open }) => open)))}>
          {sum(clusters.map(({ critical }) => critical))} critical
        </Tile>
        <Tile name="Contained incidents" value={sum(clusters.map(({ contained }) => contained))}>
          in {countText(clusters.filter(({ contained }) => contained > 0).length, 'cluster')}
        </Tile>
        <Tile name="Questions open" value={questions.open}>
          {numberText(questions.decided)} decided, {numberText(questions.expired)} not answered in {countText(days, 'day')}
        </Tile>
        <Tile name="Time to contain" value={times.toContain ? tookText(times.toContain.p50) : '–'}>
          {times.toContain ? `9 of 10 within ${tookText(times.toContain.p90)}` : 'nothing was contained'}
        </Tile>
        <Tile name="Time to decide" value={times.toDecide ? tookText(times.toDecide.p50) : '–'}>
          {times.toDecide ? `9 of 10 within ${tookText(times.toDecide.p90)}` : 'nothing was decided'}
        </Tile>
      </dl>
      <History history={history} />
      <div class="sheets">
        <Sheet title="Contained now" none={containments.length === 0 ? 'Nothing is contained.' : undefined}>
          <ul class="rows">
            {containments.map(({ incident, title, namespace, severity, contained, since }) => (
              <li key={incident} class="line">
                <span>
                  <a href={`/console/incidents/${incident}`}>{placeText({ title, namespace })}</a> <Severity is={severity} />
                </span>
                <span class="soft small">
                  {countText(contained, 'containment')}, since <Time at={since} />
                </span>
              </li>
            ))}
          </ul>
        </Sheet>
        <Guardrails guardrails={guardrails} isOne={isOne} />
        <Sheet title="Clusters" none={clusters.length === 0 ? 'No cluster has sent an alert yet.' : undefined}>
          <Table head={['Cluster', '#Open', '#Critical', '#Contained', 'Last alert']}>
            {clusters.map(({ name, open, critical, contained, lastAlertAt, answers }) => (
              <tr key={name}>
                <th scope="row">
                  {name} {answers === false && <Tag tone="doubt">Not responding</Tag>}
                </th>
                <td class="number">{open}</td>
                <td class="number">{critical}</td>
                <td class="number">{contained}</td>
                <td>{lastAlertAt === null ? 'never' : <Time at={lastAlertAt} as="ago" />}</td>
              </tr>
            ))}
          </Table>
        </Sheet>
        <Sensors overview={overview} />
        <Sheet title="Suppressed alerts" none={suppressionsNone(suppressions)}>
          <ul class="rows">
            {(suppressions ?? []).map(({ id, cluster, title, owner, reason, upTo, until, hidden }) => (
              <li key={id}>
                <div class="line">
                  <h3>{title}</h3>
                  <span class="small">
                    until <Time at={until} />
                  </span>
                </div>
                <p class="soft small">
                  {isOne ? '' : `${cluster}. `}
                  {owner}: “{reason}”. Up to {upTo}
                  {hidden !== null && `, ${countText(hidden, 'alert')} hidden`}
                </p>
              </li>
            ))}
          </ul>
        </Sheet>
      </div>
      <Playbooks overview={overview} coverage={coverage} />
      {coverage && <Coverage coverage={coverage} />}
      {reckoned.incidents < reckoned.of && (
        <p class="soft small">
          Playbooks, sensors and the time to contain cover only the newest {numberText(reckoned.incidents)} of{' '}
          {numberText(reckoned.of)} incidents in these {countText(days, 'day')}.
        </p>
      )}
    </>
  );
}

function suppressionsNone(suppressions: ConsoleOverview['suppressions']): string | undefined {
  if (suppressions === null) return 'The cell is not reporting its suppressions. What is suppressed stays suppressed.';
  return suppressions.length === 0 ? 'No alert is suppressed.' : undefined;
}

function Tile({
  name,
  value,
  children,
}: {
  readonly name: string;
  readonly value: number | string;
  readonly children: ComponentChildren;
}) {
  return (
    <div class="tile">
      <dt>{name}</dt>
      <dd class="number">
        {value}
        <small>{children}</small>
      </dd>
    </div>
  );
}

const modes = { freeze: 'Frozen', observe: 'Observe only', 'break-glass': 'Limits lifted' } as const;

function Guardrails({
  guardrails: { protectedNamespaces, restraints },
  isOne,
}: {
  readonly guardrails: ConsoleOverview['guardrails'];
  /** If there is only one cluster, nobody needs to read its name. */
  readonly isOne: boolean;
}) {
  return (
    <Sheet title="Guardrails">
      {restraints === null && <p class="soft">The cell is not reporting whether it is frozen.</p>}
      {restraints?.length === 0 && (
        <p>
          <Tag tone="good">In force</Tag> No freeze, and no limits lifted.
        </p>
      )}
      <ul class="rows">
        {(restraints ?? []).map(({ id, cluster, mode, title, owner, reason, until }) => (
          <li key={id}>
            <div class="line">
              <h3>{title}</h3>
              <Tag tone="doubt">{modes[mode]}</Tag>
            </div>
            <p class="soft small">
              {isOne ? '' : `${cluster}. `}
              {owner}: “{reason}”, until <Time at={until} />
            </p>
          </li>
        ))}
      </ul>
      <dl class="facts small">
        <Fact name="Protected namespaces">{protectedNamespaces.join(', ') || 'none'}</Fact>
      </dl>
    </Sheet>
  );
}

/** Who is asked too much? Quick approvals were hardly read. */
function People() {
  const { data, fault, again } = useAsked('people', {}, () => false);
  if (fault) return <Problem fault={fault} again={again} />;
  if (!data) return null;
  const most = Math.max(0, ...data.people.map(({ questions }) => questions));
  return (
    <Sheet
      title="Approvals per person"
      aside={
        <span class="soft small">
          since <Time at={data.since} />
        </span>
      }
      none={data.people.length === 0 ? 'Nobody was asked.' : undefined}
    >
      <Table head={['Person', 'Load', '#Asked', '#Answered', '#Within 10 s', '#Most in a shift']}>
        {data.people.map(({ person, name, questions, answers, quickApprovals, mostInAShift }) => (
          <tr key={person}>
            <th scope="row">{name}</th>
            <td>
              <Share of={questions} most={most} unit="question" />
            </td>
            <td class="number">{questions}</td>
            <td class="number">{answers}</td>
            <td class="number">{quickApprovals}</td>
            <td class="number">{mostInAShift}</td>
          </tr>
        ))}
      </Table>
    </Sheet>
  );
}
