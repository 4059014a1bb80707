import { createHmac } from 'node:crypto';
import type { Client } from '@temporalio/client';
import type { IncidentMemory } from '../../../activities/memory/incident-memory.ts';
import type { CellKey } from '../../../core/cluster/before-state.ts';
import { type Asking, type EnvelopeAsking, narrowerOf } from '../../../core/decide/asking.ts';
import type { IncidentRef } from '../../../core/incident/incident.ts';
import { type ActivePromotion, rampingOf } from '../../../core/orders/promotion.ts';
import type { AnyPlaybook } from '../../../core/playbook/playbook.ts';
import type { Config } from '../../config/load.ts';
import { type Logger, reasonOf } from '../../process/log.ts';
import { repeat } from '../../process/repeat.ts';
import { askingOf } from '../../process/rules.ts';
import type { WorkflowBuild } from '../../temporal/bundle/bundle.ts';
import { RepeatedTrouble } from '../../temporal/repeated-trouble.ts';
import { knownBuilds, saidOfBuild, sayOfBuild } from '../../temporal/versions.ts';

/** The pack versions that an incident begins with: as read from a configuration, and in one build. */
interface PackVersions {
  readonly config: Config;
  readonly build: WorkflowBuild;
}

/** The versions that some incidents begin with: they differ in one pack. */
export interface RampingVersions extends PackVersions {
  readonly pack: string;
  /** Integrity of its code. */
  readonly integrity: string;
}

interface IncidentVersionsParts {
  readonly current: PackVersions;
  readonly ramping?: RampingVersions | undefined;
  /** The promotions that people have decided. */
  readonly promotions: () => readonly ActivePromotion[];
  readonly incidents: Pick<IncidentMemory, 'buildOf'>;
  /** The first run of an open incident. */
  readonly openRun: (incident: string) => string | undefined;
  readonly cellKey: CellKey;
  readonly now?: () => number;
}

interface Known extends PackVersions {
  readonly asking: EnvelopeAsking;
}

/**
 * Decides which pack versions each incident uses. The cell draws the lot itself and remembers it: if Temporal did, anyone who can reach Temporal could choose
 * the envelope that limits an incident. The lot is drawn with the cell's key, so nobody outside can predict the side an incident will be on.
 */
export class IncidentVersions {
  readonly #parts: IncidentVersionsParts;
  readonly #current: Known;
  readonly #ramping: (Known & RampingVersions) | undefined;
  readonly #narrower: Asking;
  readonly #now: () => number;
  #isRampRunning = false;

  constructor(parts: IncidentVersionsParts) {
    const { current, ramping } = parts;
    this.#parts = parts;
    this.#current = { ...current, asking: askingOf(current.config) };
    this.#ramping = ramping && { ...ramping, asking: askingOf(ramping.config) };
    this.#narrower = this.#ramping ? narrowerOf(this.#current.asking, this.#ramping.asking) : this.#current.asking;
    this.#now = parts.now ?? Date.now;
  }

  /** Playbooks of all versions: some appear twice. */
  get playbooks(): readonly AnyPlaybook[] {
    const current = this.#current.asking.playbooks;
    const more = this.#ramping?.asking.playbooks.filter((one) => !current.includes(one)) ?? [];
    return more.length === 0 ? current : [...current, ...more];
  }

  /** Percentage of new incidents that begin with the ramped version, as people have decided. */
  percent(): number {
    const ramping = this.#ramping;
    if (!ramping) return 0;
    const terms = this.#parts.promotions().map((one) => one.terms);
    const decided = rampingOf(ramping.config.releases.packs, terms, this.#now());
    const isThis = decided?.pack === ramping.pack && decided.integrity === ramping.integrity;
    return isThis ? (decided.percent ?? 0) : 0;
  }

  /** Call this once its worker runs and Temporal knows it: until then no incident begins with it. */
  rampRuns(): void {
    this.#isRampRunning = true;
  }

  /** Returns the versions that an open incident runs, or would begin with now. */
  of(incident: string): PackVersions {
    return this.#of(incident);
  }

  playbooksOf(incident: string): readonly AnyPlaybook[] {
    return this.#of(incident).asking.playbooks;
  }

  /** Returns whom an incident may ask about what. An incident that this cell did not begin, or has forgotten, may do only what both versions allow. */
  asking({ id, run }: IncidentRef): Asking {
    const build = this.#parts.incidents.buildOf({ id, run });
    if (build === undefined) return this.#narrower;
    return build === this.#ramping?.build.id ? this.#ramping.asking : this.#current.asking;
  }

  #of(incident: string): Known {
    const ramping = this.#ramping;
    if (!ramping) return this.#current;
    const { incidents, openRun } = this.#parts;
    const run = openRun(incident);
    if (run !== undefined) return incidents.buildOf({ id: incident, run }) === ramping.build.id ? ramping : this.#current;
    if (!this.#isRampRunning) return this.#current;
    return lotOf(incident, { integrity: ramping.integrity, cellKey: this.#parts.cellKey }) < this.percent()
      ? ramping
      : this.#current;
  }
}

/** Returns 0 to 99, constant for a version: an incident that begins with it at 10 % also does so at 20 %. */
export function lotOf(
  incident: string,
  { integrity, cellKey }: Pick<RampingVersions, 'integrity'> & { readonly cellKey: CellKey },
): number {
  const drawn = createHmac('sha256', cellKey).update(`firebreak.ramp.v1\n${integrity}\n${incident}`).digest();
  return drawn.readUInt32BE(0) % 100;
}

/** The configuration with both versions of the pack: checks for missing rights and for what is held cover what either uses. */
export function eitherOf(config: Config, ramping: RampingVersions | undefined): Config {
  const next = ramping?.config.packs.filter(({ name }) => name === ramping.pack) ?? [];
  return next.length === 0 ? config : { ...config, packs: [...config.packs, ...next] };
}

const followEveryMs = 2_000;

/**
 * Tells Temporal what share of incidents begins with the ramped version, so that `builds list` shows it. Once Temporal has accepted that, it knows the build’s
 * worker, and incidents begin with it. Ends with `signal`. Never rejects.
 */
export async function followRamp(options: {
  readonly client: Client;
  readonly deployment: string;
  readonly ramping: PackVersions;
  readonly versions: IncidentVersions;
  readonly log: Logger;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { client, deployment, ramping, versions, log, signal } = options;
  const { id: buildId } = ramping.build;
  const trouble = new RepeatedTrouble();
  let said: number | undefined;
  const work = async (): Promise<void> => {
    const percent = versions.percent();
    if (percent === said) return;
    try {
      await sayOfBuild({ client, deployment, buildId, said: { packs: packsIn(ramping.config), percent } });
      versions.rampRuns();
      said = percent;
      trouble.over();
      log.info({ build: buildId, percent }, 'changed the share of new incidents that start with the partly promoted version');
    } catch (error) {
      const reason = reasonOf(error);
      const told = trouble.met(reason);
      // After each start, its worker has not asked for work yet, so the first failure is expected.
      if (told && told.times > 1)
        log.warn({ build: buildId, reason, ...told }, 'Temporal does not know the build of the partly promoted version yet');
    }
  };
  await repeat({ work, everyMs: followEveryMs, signal });
}

/** Records which packs a build has. @throws what Temporal throws, also if no worker of the build has asked it for work yet */
export async function tellBuild(options: {
  readonly client: Client;
  readonly deployment: string;
  readonly of: PackVersions;
}): Promise<void> {
  const { client, deployment, of } = options;
  await sayOfBuild({ client, deployment, buildId: of.build.id, said: { packs: packsIn(of.config) } });
}

/**
 * Records which packs the current build has, and marks builds that some incidents used to begin with and none does now. Informational: a failure stops nothing.
 */
export async function tellBuilds(options: {
  readonly client: Client;
  readonly deployment: string;
  readonly current: PackVersions;
  readonly ramping: PackVersions | undefined;
}): Promise<void> {
  const { client, deployment, current, ramping } = options;
  try {
    await tellBuild({ client, deployment, of: current });
    for (const buildId of await knownBuilds({ client, deployment })) {
      if (buildId === current.build.id || buildId === ramping?.build.id) continue;
      const said = await saidOfBuild({ client, deployment, buildId });
      if (said?.percent) await sayOfBuild({ client, deployment, buildId, said: { packs: said.packs } });
    }
  } catch {
    // The next start records it.
  }
}

/** `acme@1.2.0` for each pack. */
function packsIn({ packs }: Pick<Config, 'packs'>): readonly string[] {
  return packs.map(({ name, version }) => `${name}@${version}`);
}
