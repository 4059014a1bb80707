import { Gauge, Registry } from 'prom-client';
import { FirebreakError } from '../../core/errors.ts';
import { writeProblem } from '../../core/system-error.ts';
import type { Metrics } from '../../integrations/http-door.ts';
import { replaceFile } from '../../integrations/replace-file.ts';
import { type Role, resolveTelemetrySecrets } from '../config/secrets.ts';
import { createLog } from '../process/log.ts';
import { openTelemetry } from '../process/telemetry/telemetry.ts';
import type { Diagnosis, DiagnosisState, Examined } from './diagnosis.ts';

const states: readonly DiagnosisState[] = ['ok', 'warning', 'error', 'not tried'];

/** A doctor's findings as metrics. A check without findings in a state reports 0, so that an alert ends once the problem is fixed. */
export function doctorMetrics({
  found,
  roles,
  cluster = '',
  now = Date.now,
}: {
  readonly found: readonly Diagnosis[];
  readonly roles: readonly Role[];
  /** Absent: the configuration cannot be read. */
  readonly cluster?: string;
  readonly now?: () => number;
}): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const common = { cluster, roles: roles.join(',') };
  const findings = new Gauge({
    name: 'firebreak_doctor_findings',
    help: 'What the last `firebreak doctor` has found, by check and state',
    labelNames: ['cluster', 'roles', 'check', 'state'],
    registers,
  });
  for (const check of new Set(found.map((one) => one.check)))
    for (const state of states)
      findings.set({ ...common, check, state }, found.filter((one) => one.check === check && one.state === state).length);
  new Gauge({
    name: 'firebreak_doctor_last_run_timestamp_seconds',
    help: 'When `firebreak doctor` was run last, in seconds since 1970',
    labelNames: ['cluster', 'roles'],
    registers,
  }).set(common, Math.floor(now() / 1_000));
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    read: () => registry.getMetricsAsJSON(),
  };
}

/** For the textfile collector of Prometheus' node exporter, which may read at any moment. @throws FB_ERR_FILE_MISSING if it cannot be written. */
export async function writeMetrics(file: string, numbers: Metrics): Promise<void> {
  try {
    // The collector may run as another user.
    await replaceFile({ path: file, content: await numbers.text(), mode: 0o644, makeFolder: false });
  } catch (error) {
    throw new FirebreakError('FB_ERR_FILE_MISSING', `${file} cannot be written: ${writeProblem(error)}`);
  }
}

/** Pushes to the configured OpenTelemetry collector, if there is one. If the collector does not accept it, that is logged and not a finding. */
export async function pushOnce({ config, env, roles, numbers }: Examined & { readonly numbers: Metrics }): Promise<void> {
  if (!config.telemetry.otlp) return;
  const secrets = resolveTelemetrySecrets({ config, env });
  const telemetry = openTelemetry({ config, secrets, roles, log: createLog(config) });
  await telemetry?.sendOnce(numbers);
  await telemetry?.stop();
}
