import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { OwnSteps } from '../../../activities/chokepoint/own-steps.ts';
import { createControlActivities } from '../../../activities/control/control.ts';
import { createEvidenceActivities } from '../../../activities/control/evidence-orders.ts';
import type { IncidentMemory } from '../../../activities/memory/incident-memory.ts';
import type { VoteMemory } from '../../../activities/memory/vote-memory.ts';
import type { IntakeReport } from '../../../core/alert/intake-report.ts';
import type { StormReport } from '../../../core/alert/storm.ts';
import type { CellKey } from '../../../core/cluster/before-state.ts';
import type { Level } from '../../../core/decide/approval.ts';
import {
  type ControlActivities,
  controlNames,
  type EvidenceActivities,
  type HaltedRunReport,
} from '../../../core/decide/control.ts';
import type { KeyRegister } from '../../../core/evidence/incident-key.ts';
import { controlIdOf } from '../../../core/orders/order.ts';
import type { Beliefs } from '../../../core/orders/order-check.ts';
import { type KubernetesApi, pathOf } from '../../../integrations/kubernetes/client.ts';
import { controlFolder } from '../../config/complete.ts';
import type { Config } from '../../config/load.ts';
import type { Secrets } from '../../config/secrets.ts';
import type { ExpectedSensor } from '../../intake/watch/silence.ts';
import { awaitPublicKeys } from '../../process/keys/key-files.ts';
import { createVoteKeys } from '../../process/keys/vote-keys.ts';
import type { Logger } from '../../process/log.ts';
import { createSignInReader } from '../../process/sign-ins.ts';
import { DecisionBook } from './decision-book.ts';
import { EvidenceWindow } from './evidence-window.ts';
import { PromotedPacks, type RunningRamp } from './promoted-packs.ts';
import { SignInMemory } from './sign-in-memory.ts';

const callMs = 5_000;

/** Everything above single incidents in the cell's cluster. */
export interface CellControl {
  /** What is suppressed, frozen, only observed, or lifted. */
  readonly book: DecisionBook;
  /** Steps that Firebreak itself is doing. */
  readonly steps: OwnSteps;
  readonly activities: ControlActivities & EvidenceActivities;
  readonly intake: IntakeTeller;
  /** Decides which pack versions run. Absent: none comes from the store. */
  readonly packs?: PromotedPacks;
  /** For evidence orders: what Temporal knows of incidents. */
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
  incidents,
  raise,
  secrets,
  ramping,
  log,
}: {
  readonly config: Config;
  readonly keys: KeyRegister;
  readonly cellKey: CellKey;
  readonly steps: OwnSteps;
  readonly votes: VoteMemory;
  /** What the cell itself has heard about incidents. */
  readonly incidents: IncidentMemory;
  readonly raise: Parameters<typeof createControlActivities>[0]['raise'];
  readonly secrets: Pick<Secrets, 'releases'>;
  readonly ramping: RunningRamp | undefined;
  readonly log: Logger;
}): Promise<CellControl> {
  const { stateDir } = config;
  const reader = createSignInReader(config);
  const stored = { file: join(controlFolder(stateDir), 'sign-ins.json'), key: cellKey };
  const signIns = reader && new SignInMemory({ reader, stored, log });
  const { levels, beliefs } = await beliefsOf(config, signIns, votes);
  const book = new DecisionBook({ file: join(controlFolder(stateDir), 'decisions.json'), beliefs, log });
  const packs =
    config.releases.packs.length > 0
      ? new PromotedPacks({ config, secrets, ramping, promotions: () => book.promotions(), log })
      : undefined;
  const evidence = new EvidenceWindow((run) => incidents.of(run));
  const { retention } = config.evidence;
  const { runOf } = evidence;
  return {
    book,
    steps,
    activities: {
      ...createControlActivities({
        beliefs,
        levels,
        raise,
        ...(reader && { signIns: reader }),
        ...(packs && { problemOfPromotion: (terms) => packs.problemOf(terms) }),
        inForce: (id) => book.inForce(id),
        ended: (end, signIn) => {
          if (signIn) signIns?.noteEnd(end, signIn);
          book.end(end);
        },
      }),
      ...createEvidenceActivities({ beliefs, retention, keys, runOf }),
    },
    intake: new IntakeTeller(config.cluster),
    evidence,
    ...(packs && { packs }),
    ...(signIns && { signIns }),
  };
}

async function beliefsOf(
  config: Config,
  signIns: SignInMemory | undefined,
  votes?: VoteMemory,
): Promise<{ readonly levels: readonly Level[]; readonly beliefs: () => Beliefs }> {
  const { cluster, roster, evidence } = config;
  const keys = createVoteKeys({ deskPublicKeys: await awaitPublicKeys(config.desk.votePublicKeys, config), roster });
  const levels = config.incidents.levels.map(({ group, withinMinutes }) => ({ group, withinMs: withinMinutes * 60_000 }));
  const groups = levels.map(({ group }) => group);
  return {
    levels,
    beliefs: () => ({
      cluster,
      roster,
      keys,
      groups,
      stewards: evidence.stewards,
      now: Date.now(),
      ...(signIns && { stepUp: signIns.stepUp, signInOfEnd: (end) => signIns.ofEnd(end) }),
      ...(votes && { seen: (question) => votes.of(question) }),
    }),
  };
}

/** Opens the decisions above all incidents for a process without a cell, or for a pool in it: each in its own file. */
export async function openDecisions(options: {
  readonly config: Config;
  readonly reader: string;
  readonly log: Logger;
}): Promise<{ readonly book: DecisionBook; readonly signIns?: SignInMemory }> {
  const { config, reader: by, log } = options;
  const reader = createSignInReader(config);
  const signIns = reader && new SignInMemory({ reader, log });
  const { beliefs } = await beliefsOf(config, signIns);
  const book = new DecisionBook({ file: join(controlFolder(config.stateDir), `decisions-${by}.json`), beliefs, log });
  return { book, ...(signIns && { signIns }) };
}

/** The sensors that the configuration expects on the nodes. */
export function expectedSensors({ sensors }: Config): readonly ExpectedSensor[] {
  return Object.entries(sensors).flatMap(([sensor, { daemonSet, nodes, silentAfterSeconds, speaks }]) =>
    daemonSet ? [{ sensor, daemonSet, nodes, silentAfterMs: silentAfterSeconds * 1_000, speaks }] : [],
  );
}

const retryMs = 5_000;

/** Asks the API server which account it knows us as, until it answers. Never rejects. */
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
      // Not available yet, or too old to answer (before 1.28): then no step is recognised as our own, which is the safe side.
    }
    await sleep(retryMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

/**
 * Forwards what an intake sees to the cluster's control workflow, where the desk and authorised people find it: a cell has no credentials for notifying people.
 */
class IntakeTeller {
  readonly #cluster: string;
  #client: Client | undefined;

  constructor(cluster: string) {
    this.#cluster = cluster;
  }

  /** Call this once Temporal is available. */
  open(client: Client): void {
    this.#client = client;
  }

  /** Returns false if it did not arrive. Never rejects. */
  storm(report: StormReport): Promise<boolean> {
    return this.#tell(controlNames.stormSignal, report);
  }

  /** Returns false if it did not arrive. Never rejects. */
  report(report: IntakeReport): Promise<boolean> {
    return this.#tell(controlNames.intakeSignal, report);
  }

  /** Returns false if it did not arrive. Never rejects. */
  setAside(report: HaltedRunReport): Promise<boolean> {
    return this.#tell(controlNames.setAsideSignal, report);
  }

  async #tell(signal: string, report: StormReport | IntakeReport | HaltedRunReport): Promise<boolean> {
    const client = this.#client;
    if (client === undefined) return false;
    try {
      const handle = client.workflow.getHandle(controlIdOf(this.#cluster));
      await client.withDeadline(Date.now() + callMs, () => handle.signal(signal, report));
      return true;
    } catch {
      return false;
    }
  }
}
