import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CheckedConfig, Config } from '../config/load.ts';
import type { ConfigProblem, LeftOut } from '../config/problems.ts';
import { unchosenMode } from '../config/sections/response-section.ts';
import { askRunningRefusals } from '../intake/control.ts';
import { certificateChecks } from './certificate-checks.ts';
import { clusterChecks, networkProbe } from './cluster-checks.ts';
import { deskChecks } from './desk-checks.ts';
import {
  type Diagnosis,
  type DoctorCheck,
  type Examined,
  failure,
  type LookResult,
  notTried,
  ofProblem,
  ok,
  reasonWhy,
  warning,
} from './diagnosis.ts';
import { keyChecks } from './key-checks.ts';
import { reachChecks } from './reach.ts';
import { senderChecks, sensorChecks } from './sensor-checks.ts';
import { storeChecks } from './store-checks.ts';
import { temporalChecks } from './temporal-checks.ts';

const usualMs = 30_000;
/** The cause is usually the same for all: beyond this number they are not listed separately. */
const mostSaid = 20;

export const releaseChecks: readonly DoctorCheck[] = [{ name: 'releases', roles: ['cell'], run: releases }];

export const responseChecks: readonly DoctorCheck[] = [{ name: 'response', roles: ['cell'], run: mode }];

/** In the order in which they are reported. */
const usualChecks: readonly DoctorCheck[] = [
  ...reachChecks,
  ...temporalChecks,
  ...clusterChecks,
  ...storeChecks,
  ...deskChecks,
  ...sensorChecks,
  ...senderChecks,
  ...releaseChecks,
  ...responseChecks,
  ...certificateChecks,
  ...keyChecks,
];

interface ExamineOptions {
  readonly chosen?: readonly DoctorCheck[];
  readonly withinMs?: number;
  /** Tests with our own pods whether NetworkPolicies are enforced. */
  readonly probe?: boolean;
}

/**
 * Checks everything that these roles need, concurrently. Never rejects. Apart from the probe, it changes nothing except one small object in the evidence store.
 */
export async function examine(
  examined: Examined,
  { chosen = usualChecks, withinMs = usualMs, probe = false }: ExamineOptions = {},
): Promise<readonly Diagnosis[]> {
  const wanted = [...chosen, ...(probe ? [networkProbe] : [])].filter(
    ({ roles }) => roles === undefined || roles.some((role) => examined.roles.includes(role)),
  );
  const found = await Promise.all(
    wanted.map(async (check) =>
      (await outcomes(check, examined, check.withinMs ?? withinMs)).map((outcome) => ({ check: check.name, ...outcome })),
    ),
  );
  return found.flat();
}

/** Returns what is known of a check when its time is over, so that it never holds up another one. */
async function outcomes(check: DoctorCheck, examined: Examined, withinMs: number): Promise<readonly LookResult[]> {
  const over = new AbortController();
  const late = sleep(withinMs, undefined, { signal: over.signal }).then(
    () => [
      failure(
        `no answer within ${withinMs / 1_000} s`,
        'Check whether it is overloaded, or a firewall drops what is sent there.',
      ),
    ],
    () => [],
  );
  const looked = check
    .run(examined, over.signal)
    .catch((error: unknown) => [
      failure(reasonWhy(error, 'it could not be checked'), 'Check its log, and the network path to it.'),
    ]);
  const first = await Promise.race([looked, late]);
  over.abort();
  return first;
}

/**
 * What is known about the file itself.
 * @param running what the service runs with; absent if it does not start
 */
export function ofConfiguration(checked: CheckedConfig, running?: Config): readonly Diagnosis[] {
  const check = 'configuration';
  const without = running?.leftOut ?? [];
  const problems = without.length > 0 ? without.map(withWhatFollows) : checked.ok ? [] : checked.problems;
  const dead = checked.deadEnds.map(({ problem, remedy }) => ({ check, ...warning(problem, remedy) }));
  if (problems.length > 0) return [...problems.map((problem) => ({ check, ...ofProblem(problem) })), ...dead];
  return dead.length > 0 ? dead : [{ check, ...ok('valid') }];
}

function withWhatFollows({ part, problem, ...more }: LeftOut): ConfigProblem {
  return { ...more, problem: `${problem}. The service runs without it (${part})` };
}

export function worstOf(diagnoses: readonly Diagnosis[]): 'error' | 'warning' | 'ok' {
  if (diagnoses.some(({ state }) => state === 'error')) return 'error';
  return diagnoses.some(({ state }) => state === 'warning') ? 'warning' : 'ok';
}

async function mode({ config }: Examined): Promise<readonly LookResult[]> {
  const { isModeChosen, mode: chosen, profile, scopes } = config.response;
  if (!isModeChosen) return [warning(unchosenMode.problem, unchosenMode.remedy)];
  const others =
    scopes.length === 0
      ? ''
      : scopes.length === 1
        ? ', and 1 scope with a response of its own'
        : `, and ${scopes.length} scopes with a response of their own`;
  return [ok(`mode ${chosen}, profile ${profile}${others}`)];
}

/** Containments that, according to the cell running here, should have been released but still exist, in any pool. */
async function releases({ config }: Examined): Promise<readonly LookResult[]> {
  const { dir } = config.intake.spool;
  const known = existsSync(dir) ? await askRunningRefusals(dir) : undefined;
  if (!known) return [notTried('no cell of this configuration runs here: run this on its machine, or in its pod')];
  if (known.length === 0) return [ok('none is refused')];
  const oldestFirst = known.toSorted((a, b) => Date.parse(a.since) - Date.parse(b.since));
  const said = oldestFirst
    .slice(0, mostSaid)
    .map(({ incident, text, since }) =>
      failure(
        `${incident}: since ${since}: ${text}`,
        'Fix what refuses it; it is then released automatically. firebreak docs runbooks/FirebreakReleasesRefused says what that may be.',
      ),
    );
  const more = known.length - said.length;
  if (more === 0) return said;
  return [...said, failure(`${more} more releases are refused`, 'firebreak incidents list shows which incidents are open.')];
}
