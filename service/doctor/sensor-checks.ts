import { existsSync } from 'node:fs';
import { sensors as knownSensors } from '../../integrations/sensors/index.ts';
import { askRunningSensors } from '../intake/control.ts';
import { type DoctorCheck, type Examined, failure, type LookResult, notTried, ok, warning } from './diagnosis.ts';

/** Most clusters have an alert each day; a sensor that is silent for this long may have been switched off. */
const silentMs = 24 * 3_600_000;

export const sensorChecks: readonly DoctorCheck[] = [{ name: 'sensors', roles: ['cell'], run: sensors }];

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
    if (Date.now() - Date.parse(last) > silentMs)
      return failure(text, 'Check whether it runs, and whether it still has the address and the token.');
    return ok(text);
  });
}
