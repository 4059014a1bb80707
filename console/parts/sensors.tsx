import type { ConsoleOverview } from '../../core/console/console.schema.ts';
import { countText, numberText } from '../words.ts';
import { Sheet, Tag, Time } from './common.tsx';

type Sensor = ConsoleOverview['sensors'][number];
type Intake = NonNullable<ConsoleOverview['intakes']>[number];

/** Which sensors report, what they lose, and what was rejected at the intake: an attack that is not seen here is seen nowhere. */
export function Sensors({ overview: { sensors, intakes, days } }: { readonly overview: ConsoleOverview }) {
  return (
    <>
      <Sheet title="Sensors" none={sensors.length === 0 ? 'No sensor has sent an alert yet.' : undefined}>
        <ul class="rows">
          {sensors.map((sensor) => (
            <OneSensor
              key={`${sensor.cluster} ${sensor.name}`}
              sensor={sensor}
              days={days}
              showsHealth={intakes !== null && !isNewsTo(intakes, sensor)}
            />
          ))}
        </ul>
      </Sheet>
      {intakes !== null && (
        <Sheet title="Intake" none={intakes.length === 0 ? 'No intake is reporting its health.' : undefined}>
          <ul class="rows">
            {intakes.map((intake) => (
              <OneIntake key={`${intake.cluster} ${intake.source}`} intake={intake} />
            ))}
          </ul>
        </Sheet>
      )}
    </>
  );
}

/** Whether its last alert arrived after each intake of its cluster last reported what it has heard: that an intake does not know it yet proves nothing. */
function isNewsTo(intakes: readonly Intake[], { cluster, lastAlertAt, health }: Sensor): boolean {
  const there = intakes.filter((intake) => intake.cluster === cluster && !intake.isAway);
  return (
    health === null &&
    lastAlertAt !== null &&
    there.length > 0 &&
    there.every(({ at }) => Date.parse(at) < Date.parse(lastAlertAt))
  );
}

function OneSensor({
  sensor: { cluster, name, alerts, lastAlertAt, health },
  days,
  showsHealth,
}: {
  readonly sensor: Sensor;
  readonly days: number;
  /** Whether the reader may see it, and there is something to show. */
  readonly showsHealth: boolean;
}) {
  const heardAt = health?.heardAt ?? lastAlertAt;
  return (
    <li>
      <div class="line">
        <h3>{name}</h3>
        {showsHealth && <Health health={health} />}
      </div>
      <p class="soft small">
        {cluster}: {countText(alerts, 'alert')} in {countText(days, 'day')}
        {heardAt !== null && (
          <>
            , last heard from <Time at={heardAt} as="ago" />
          </>
        )}
      </p>
      {health && health.drops > 0 && (
        <p class="small">
          It reported {countText(health.drops, 'time')} that it lost events
          {health.droppedAt !== null && (
            <>
              , last <Time at={health.droppedAt} as="ago" />
            </>
          )}
          . An attack in them was not seen.
        </p>
      )}
      {health?.watched && health.watched.silent > 0 && (
        <p class="small">
          Silent:{' '}
          {health.watched.longest.map(({ node, since }, index) => (
            <span key={node}>
              {index > 0 && ', '}
              {node} since <Time at={since} />
            </span>
          ))}
          {health.watched.silent > health.watched.longest.length &&
            `, and ${health.watched.silent - health.watched.longest.length} more`}
        </p>
      )}
      {health && health.lacks.length > 0 && <p class="small">Its settings leave out: {health.lacks.join('; ')}.</p>}
    </li>
  );
}

function Health({ health }: Pick<Sensor, 'health'>) {
  if (!health) return <Tag tone="doubt">Not seen by any intake</Tag>;
  const { watched, drops, heardAt } = health;
  if (watched && watched.silent > 0)
    return (
      <Tag tone="bad">
        Silent on {watched.silent} of {countText(watched.nodes, 'node')}
      </Tag>
    );
  if (drops > 0) return <Tag tone="doubt">Loses events</Tag>;
  if (watched) return <Tag tone="good">{watched.nodes === 1 ? 'On its node' : `On all ${watched.nodes} nodes`}</Tag>;
  return heardAt === null ? <Tag tone="doubt">Not heard from yet</Tag> : <Tag>Nodes not watched</Tag>;
}

/** Texts for the reasons in the intake's metrics. */
const refusals: Readonly<Record<string, string>> = {
  unreadable: 'could not be read',
  forbidden: 'not allowed for their sender',
  rate_limit: 'over their sender’s limit',
  spool_full: 'arrived while the disk was full',
  not_durable: 'could not be written to disk',
  unauthorized: 'without a valid token',
  request: 'in a malformed request',
};

function OneIntake({
  intake: { cluster, source, at, since, isAway, accepted, duplicates, refused, unauthorized },
}: {
  readonly intake: Intake;
}) {
  const turnedAway = refused.reduce((sum, { count }) => sum + count, 0);
  return (
    <li>
      <div class="line">
        <h3>
          {cluster} <span class="soft small">{source.split('/')[0]}</span>
        </h3>
        {isAway ? (
          <Tag tone="bad">Not reporting</Tag>
        ) : (
          <Tag tone={turnedAway > 0 ? 'doubt' : 'good'}>{turnedAway > 0 ? 'Rejected alerts' : 'Accepted all'}</Tag>
        )}
      </div>
      <p class="soft small">
        {countText(accepted, 'alert')} accepted since <Time at={since} />, and {numberText(duplicates)} that were already known.
        As of <Time at={at} />
      </p>
      {refused.length > 0 && (
        <p class="small">
          Rejected: {refused.map(({ reason, count }) => `${numberText(count)} ${refusals[reason] ?? reason}`).join(', ')}.
        </p>
      )}
      {unauthorized.length > 0 && (
        <>
          <p class="small">
            If one of these is a sensor of yours, it has an old or wrong token, and nothing that it sends is heard:
          </p>
          <ul class="small">
            {unauthorized.map(({ from, sensor, count, since: first, lastAt }) => (
              <li key={`${from} ${sensor}`}>
                {from}
                {sensor !== null && `, as ${sensor}`}: {countText(count, 'request')} since <Time at={first} />, the last{' '}
                <Time at={lastAt} />
              </li>
            ))}
          </ul>
        </>
      )}
    </li>
  );
}
