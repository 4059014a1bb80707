import type { Command } from 'commander';
import { configToRun } from '../../config/left-out.ts';
import { type Config, type ConfigSource, checkConfig } from '../../config/load.ts';
import { type Role, roles } from '../../config/secrets.ts';
import type { Diagnosis, DiagnosisState } from '../../doctor/diagnosis.ts';
import { type ConfiguredOptions, withConfig, withExamples } from '../options.ts';
import { print, printable, printJson, styled } from '../output.ts';
import { roleList } from '../role-list.ts';

interface DoctorOptions extends ConfiguredOptions {
  readonly role: readonly Role[];
  readonly probe?: boolean;
  readonly metrics?: string;
}

/** Anything that still hangs at the end, such as a connection that nobody answers, must not keep the command running. */
const leftoverMs = 1_000;

/** Adds `firebreak doctor`. */
export function registerDoctorCommand(program: Command): void {
  const doctor = program
    .command('doctor')
    .description(
      'check everything that an installation needs, and say what is wrong and what to do; exit code 1 if anything is wrong',
    )
    .option('--role <roles>', 'the roles whose secrets, files and rights are here', roleList, roles)
    .option(
      '--probe',
      'test whether NetworkPolicies are enforced, with four pods and a policy for some seconds; needs the right to create them',
    )
    .option('--metrics <file>', 'also write the findings as Prometheus metrics, for the textfile collector of the node exporter');
  withExamples(withConfig(doctor), [
    'firebreak doctor',
    'firebreak doctor --role desk --json',
    'firebreak doctor --config cell.yaml --role cell',
    'firebreak doctor --probe --metrics /var/lib/node_exporter/firebreak.prom',
  ]).action(look);
}

async function look({ config: path, role, json, probe = false, metrics }: DoctorOptions): Promise<void> {
  const checked = checkConfig({ path, env: process.env });
  const config = checked.ok ? checked.config : configThatRuns({ path, env: process.env }, role);
  const { examine, ofConfiguration, worstOf } = await import('../../doctor/doctor.ts');
  const found = [
    ...ofConfiguration(checked, config),
    ...(config ? await examine({ config, env: process.env, roles: role }, { probe }) : []),
  ];
  const worst = worstOf(found);
  if (worst === 'error') process.exitCode = 1;
  if (json) printJson({ ok: worst !== 'error', worst, findings: found });
  else show(found);
  if (metrics !== undefined || config?.telemetry.otlp) {
    const { doctorMetrics, pushOnce, writeMetrics } = await import('../../doctor/doctor-metrics.ts');
    const numbers = doctorMetrics({ found, roles: role, ...(config && { cluster: config.cluster }) });
    if (metrics !== undefined) await writeMetrics(metrics, numbers);
    if (config) await pushOnce({ config, env: process.env, roles: role, numbers });
  }
  setTimeout(() => process.exit(), leftoverMs).unref();
}

/** Undefined if the service does not start with it. */
function configThatRuns(source: ConfigSource, roles: readonly Role[]): Config | undefined {
  try {
    return configToRun(source, roles);
  } catch {
    return undefined;
  }
}

const marks: Readonly<Record<DiagnosisState, { readonly mark: string; readonly style: Parameters<typeof styled>[0] }>> = {
  ok: { mark: '✔', style: 'green' },
  warning: { mark: '!', style: 'yellow' },
  error: { mark: '✘', style: 'red' },
  'not tried': { mark: '–', style: 'dim' },
};

/** One line per check, with the remedy below it. */
function show(found: readonly Diagnosis[]): void {
  const width = Math.max(...found.map(({ check }) => check.length));
  for (const { check, state, text, remedy } of found) {
    const { mark, style } = marks[state];
    const said = state === 'not tried' ? `not tried: ${text}` : text;
    print(`${styled(style, mark)} ${check.padEnd(width)}  ${printable(said)}`);
    if (remedy !== undefined) print(`  ${' '.repeat(width)}  → ${printable(remedy)}`);
  }
  const count = (state: DiagnosisState): number => found.filter((one) => one.state === state).length;
  print();
  print(`${count('error')} wrong, ${count('warning')} to look at, ${count('ok')} in order, ${count('not tried')} not tried.`);
}
