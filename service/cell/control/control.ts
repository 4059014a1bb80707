import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OwnSteps } from '../../../activities/chokepoint/own-steps.ts';
import { createControlActivities } from '../../../activities/control/control.ts';
import { createEvidenceActivities } from '../../../activities/control/evidence-orders.ts';
import type { VoteMemory } from '../../../activities/memory/vote-memory.ts';
import type { CellKey } from '../../../core/cluster/before-state.ts';
import type { Level } from '../../../core/decide/approval.ts';
import type { ControlActivities, EvidenceActivities } from '../../../core/decide/control.ts';
import type { KeyRegister } from '../../../core/evidence/incident-key.ts';
import type { Beliefs } from '../../../core/orders/suppression-check.ts';
import { type KubernetesApi, pathOf } from '../../../integrations/kubernetes/client.ts';
import type { Config } from '../../config/load.ts';
import type { ExpectedSensor } from '../../intake/watch/silence.ts';
import { readPublicKeys } from '../../process/keys.ts';
import type { Logger } from '../../process/log.ts';
import { createVoteKeys } from '../../process/vote-keys.ts';
import { createSignInReader } from '../pools/sign-ins.ts';
import { EvidenceWindow } from './evidence-window.ts';
import { RestraintBook } from './restraint-book.ts';
import { SignInMemory } from './sign-in-memory.ts';
import { StormTeller } from './storm-teller.ts';
import { SuppressionBook } from './suppression-book.ts';

/** What stands above all incidents of the cell's cluster. */
export interface CellControl {
  readonly book: SuppressionBook;
  /** Freezes and observe modes. */
  readonly restraints: RestraintBook;
  /** What Firebreak is doing itself. */
  readonly steps: OwnSteps;
  readonly activities: ControlActivities & EvidenceActivities;
  readonly storms: StormTeller;
  /** Of the evidence orders: what Temporal knows of incidents. */
  readonly evidence: EvidenceWindow;
  /** Absent: no decision needs a sign-in. */
  readonly signIns?: SignInMemory;
}

export async function createCellControl({
  config,
  keys,
  steps,
  cellKey,
  votes,
  raise,
  log,
}: {
  readonly config: Config;
  readonly keys: KeyRegister;
  readonly cellKey: CellKey;
  readonly steps: OwnSteps;
  readonly votes: VoteMemory;
  readonly raise: Parameters<typeof createControlActivities>[0]['raise'];
  readonly log: Logger;
}): Promise<CellControl> {
  const { stateDir } = config;
  const reader = createSignInReader(config);
  const kept = { file: join(stateDir, 'control', 'sign-ins.json'), key: cellKey };
  const signIns = reader && new SignInMemory({ reader, kept, log });
  const { levels, beliefs } = await beliefsOf(config, signIns, votes);
  const restraints = new RestraintBook({ file: join(stateDir, 'control', 'restraints.json'), beliefs, log });
  const evidence = new EvidenceWindow();
  const { stewards, retention } = config.evidence;
  const { runOf } = evidence;
  return {
    book: new SuppressionBook({ file: join(stateDir, 'control', 'suppressions.json'), beliefs, log }),
    restraints,
    steps,
    activities: {
      ...createControlActivities({
        beliefs,
        levels,
        raise,
        ...(reader && { signIns: reader }),
        inForce: (id) => restraints.active().find(({ terms }) => terms.id === id)?.terms,
      }),
      ...createEvidenceActivities({ beliefs, stewards, retention, keys, runOf }),
    },
    storms: new StormTeller(config.cluster),
    evidence,
    ...(signIns && { signIns }),
  };
}

async function beliefsOf(
  config: Config,
  signIns: SignInMemory | undefined,
  votes?: VoteMemory,
): Promise<{ readonly levels: readonly Level[]; readonly beliefs: () => Beliefs }> {
  const { cluster, roster } = config;
  const keys = createVoteKeys({ deskPublicKeys: await readPublicKeys(config.desk.votePublicKeys), roster });
  const levels = config.incidents.levels.map(({ group, withinMinutes }) => ({ group, withinMs: withinMinutes * 60_000 }));
  const groups = levels.map(({ group }) => group);
  return {
    levels,
    beliefs: () => ({
      cluster,
      roster,
      keys,
      groups,
      now: Date.now(),
      ...(signIns && { stepUp: signIns.stepUp }),
      ...(votes && { seen: (question) => votes.of(question) }),
    }),
  };
}

/** Freezes and observe modes for a pool in a process of its own, in a file of its own. */
export async function openRestraints(options: {
  readonly config: Config;
  readonly pool: string;
  readonly log: Logger;
}): Promise<{ readonly restraints: RestraintBook; readonly signIns?: SignInMemory }> {
  const { config, pool, log } = options;
  const reader = createSignInReader(config);
  const signIns = reader && new SignInMemory({ reader, log });
  const { beliefs } = await beliefsOf(config, signIns);
  const restraints = new RestraintBook({ file: join(config.stateDir, 'control', `restraints-${pool}.json`), beliefs, log });
  return { restraints, ...(signIns && { signIns }) };
}

/** The sensors that the configuration expects on the nodes. */
export function expectedSensors({ sensors }: Config): readonly ExpectedSensor[] {
  return Object.entries(sensors).flatMap(([sensor, { daemonSet, nodes, silentAfterSeconds, speaks }]) =>
    daemonSet ? [{ sensor, daemonSet, nodes, silentAfterMs: silentAfterSeconds * 1_000, speaks }] : [],
  );
}

const retryMs = 5_000;

/** Asks the API server as whom it knows us, until it has answered. Never rejects. */
export async function learnOwnAccount(options: {
  readonly api: KubernetesApi;
  readonly steps: OwnSteps;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { api, steps, signal } = options;
  while (!signal.aborted) {
    try {
      const review = await api.json<{ readonly status?: { readonly userInfo?: { readonly username?: string } } }>({
        method: 'POST',
        path: pathOf({ group: 'authentication.k8s.io', resource: 'selfsubjectreviews' }),
        body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
        what: 'create selfsubjectreviews',
        signal,
      });
      const account = review.status?.userInfo?.username;
      if (account) return steps.knownAs(account);
    } catch {
      // Not there yet, or too old to say (before 1.28): then no step is taken for our own, which is the safe side.
    }
    await sleep(retryMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}
