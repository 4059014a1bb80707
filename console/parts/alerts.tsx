import type { AlertSample, ShownAlerts } from '../../core/console/console.schema.ts';
import { lastPart, shortName } from '../../core/text/object-name.ts';
import { countText } from '../words.ts';
import { Fact, Severity, Tag, Time } from './common.tsx';

/** Rules with their number of alerts, and for each alert that is kept the processes that led to it. All of it may be an attacker's words. */
export function Alerts({
  alerts,
  samples,
}: {
  readonly alerts: readonly ShownAlerts[];
  readonly samples: readonly AlertSample[];
}) {
  return (
    <>
      <ul class="rows">
        {alerts.map(({ rule, severity, pod, count, firstSeen, lastSeen }) => (
          <li key={`${rule} ${pod}`}>
            <div class="line">
              <h3>{rule}</h3>
              <Severity is={severity} />
            </div>
            <p class="soft small">
              {countText(count, 'alert')}
              {pod !== null && <> in {shortName(lastPart(pod))}</>}, <Time at={firstSeen} />
              {count > 1 && (
                <>
                  {' to '}
                  <Time at={lastSeen} />
                </>
              )}
            </p>
          </li>
        ))}
      </ul>
      {samples.map((sample) => (
        <Sample key={sample.id} sample={sample} />
      ))}
    </>
  );
}

function Sample({ sample }: { readonly sample: AlertSample }) {
  const { at, rule, sensor, node, container, image, processes, request, doubt, novelty, mitre } = sample;
  return (
    <details>
      <summary>
        {rule}, <Time at={at} />
      </summary>
      <div class="plan">
        {doubt !== null && (
          <p>
            <Tag tone="doubt">In doubt</Tag> {doubt}
          </p>
        )}
        {processes.length > 0 && <ProcessTree processes={processes} />}
        {request !== null && (
          <p>
            {request.account}: {request.verb} {request.resource} {[request.namespace, request.name].filter(Boolean).join('/')}
          </p>
        )}
        <dl class="facts small">
          <Fact name="Sensor">{sensor}</Fact>
          {container !== null && <Fact name="Container">{container}</Fact>}
          {image !== null && <Fact name="Image">{image}</Fact>}
          {node !== null && <Fact name="Node">{node}</Fact>}
          {novelty !== null && <Fact name="New here">{novelty}</Fact>}
          {mitre.length > 0 && <Fact name="ATT&CK">{mitre.join(', ')}</Fact>}
        </dl>
      </div>
    </details>
  );
}

/** Each process below the one that started it. */
function ProcessTree({ processes }: { readonly processes: AlertSample['processes'] }) {
  const [first, ...rest] = processes;
  if (!first) return null;
  const branch = (one: typeof first, below: typeof rest) => {
    const [next, ...others] = below;
    const name = one.name ?? one.exe ?? 'unknown';
    return (
      <ul>
        <li>
          <strong>{name}</strong>
          <span class="soft small">
            {one.user !== null && ` as ${one.user}`}
            {one.pid !== null && `, process ${one.pid}`}
          </span>
          {one.commandLine !== null && one.commandLine !== name && (
            <pre class="command">
              <code>{one.commandLine}</code>
            </pre>
          )}
          {next && branch(next, others)}
        </li>
      </ul>
    );
  };
  return <div class="tree">{branch(first, rest)}</div>;
}
