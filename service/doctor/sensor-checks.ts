import { existsSync } from 'node:fs';
import { sensors as knownSensors } from '../../integrations/sensors/index.ts';
import { askRunningSensors, askRunningUnauthorized } from '../intake/control.ts';
import { type DoctorCheck, type Examined, failure, type LookResult, notTried, ok, warning } from './diagnosis.ts';

/** Most clusters have an alert each day; a sensor that is silent for this long may have been switched off. */
const silentMs = 24 * 3_600_000;

const mostNamed = 10;

export const sensorChecks: readonly DoctorCheck[] = [{ name: 'sensors', roles: ['cell'], run: sensors }];
export const senderChecks: readonly DoctorCheck[] = [{ name: 'unknown senders', roles: ['cell'], run: unknownSenders }];

/** Strangers can cause any number of these. */
const mostSaid = 5;

/** What the intake running here has received since its start; each sensor by its most recently heard node. */
async function sensors({ config }: Examined): Promise<readonly LookResult[]> {
  const { dir } = config.intake.spool;
  const known = existsSync(dir) ? await askRunningSensors(dir) : undefined;
  if (!known) return [notTried('no intake of this configuration runs here: run this on its machine, or in its pod')];
  const { since, sensors: reports } = known;
  const names = [...new Set([...reports.map(({ sensor }) => sensor), ...config.intake.tokens.map(({ name }) => name)])].sort();
  return names.map((name) => {
    const own = reports.filter(({ sensor }) => sensor === name);
    if (own.length === 0) {
      const text = `${name}: may send, but nothing has arrived since ${since}`;
      // A token can have any name.
      const isSensor = knownSensors.some((sensor) => sensor.name === name);
      return warning(
        text,
        isSensor
          ? `firebreak alerts send --sample ${name} tests the path; firebreak docs sensors/${name} says how it is set up.`
          : 'firebreak alerts send --sample falco tests the path; firebreak docs sensors has a page for each sensor.',
      );
    }
    const last =
      own
        .map(({ lastSeenAt }) => lastSeenAt)
        .sort()
        .at(-1) ?? '';
    const drops = own.reduce((sum, one) => sum + one.drops, 0);
    const alerts = own.reduce((sum, one) => sum + one.alerts, 0);
    const text = `${name}: ${alerts} alerts, last heard from at ${last}`;
    if (drops > 0)
      return warning(
        `${text}; it has reported ${drops} times that it dropped events`,
        'Give the sensor a larger buffer, or fewer rules.',
      );
    const lacks = [...new Set(own.flatMap((one) => one.lacks ?? []))].sort();
    if (lacks.length > 0)
      return warning(
        `${text}; no rule can apply that looks at ${lacks.join('; ')}`,
        `firebreak docs sensors/${name} says which rules need which level, and has a policy with which all of them can apply.`,
      );
    const unanswered = own.flatMap((one) => one.unanswered ?? []);
    if (unanswered.length > 0)
      return warning(
        `${text}; no enabled playbook is made for ${unanswered.slice(-mostNamed).join('; ')}${unanswered.length > mostNamed ? ` and ${unanswered.length - mostNamed} more rules` : ''}`,
        `firebreak playbooks coverage shows which playbook is made for which rule. Enable one, write one that matches by rule or by act, or switch the rule off at the sensor; if such alerts are expected, firebreak suppress.`,
      );
    if (Date.now() - Date.parse(last) > silentMs)
      return failure(text, 'Check whether it runs, and whether it still has the address and the token.');
    return ok(text);
  });
}

/** Requests that were refused for their token. A warning, never an error: whoever reaches the intake can cause it. */
async function unknownSenders({ config }: Examined): Promise<readonly LookResult[]> {
  const { dir } = config.intake.spool;
  const refused = existsSync(dir) ? await askRunningUnauthorized(dir) : undefined;
  if (!refused) return [notTried('no intake of this configuration runs here: run this on its machine, or in its pod')];
  if (refused.length === 0) return [ok('no request without a valid token in the last day')];
  const said = refused
    .slice(0, mostSaid)
    .map(({ from, sensor, count, since, lastAt, reason }) =>
      warning(
        `${count} requests from ${from}${sensor === undefined ? '' : ` to the address of ${sensor}`} were refused since ${since}, the last at ${lastAt}: ${reason}`,
        `If that is a sensor of yours, nothing that it sends is heard: give it the token that the intake has (intake.tokens), and restart whichever of the two was started before the last change.${sensor === undefined ? '' : ` firebreak docs sensors/${sensor} says where it goes.`}`,
      ),
    );
  const more = refused.slice(mostSaid).reduce((sum, { count }) => sum + count, 0);
  if (more === 0) return said;
  return [
    ...said,
    warning(
      `${more} more such requests, from other addresses`,
      'firebreak_intake_refused_total{reason="unauthorized"} counts all of them.',
    ),
  ];
}
