import type { JudgementMemory } from '../../activities/memory/judgement-memory.ts';
import type { RecordMemory } from '../../activities/memory/record-memory.ts';
import type { StartMemory } from '../../activities/memory/start-memory.ts';
import type { StepListener } from '../../core/action/step.ts';
import type { Config } from '../config/load.ts';
import { roles as allRoles, type Role, type Secrets } from '../config/secrets.ts';
import { RepeatedTrouble } from '../temporal/repeated-trouble.ts';
import { createSpeaker, type RefusedCall, type Speaker } from '../temporal/speaker.ts';
import type { Logger } from './log.ts';
import type { Tracing } from './telemetry/tracing.ts';
import { openRoleSigner, openTrust, unreadableTrust } from './trust.ts';

/** Counts refused calls over Temporal, by activity and reason, since this process started. */
export class RefusedCalls {
  readonly #counts = new Map<string, RefusedCall & { readonly times: number }>();
  readonly #log: Logger;
  readonly #trouble = new RepeatedTrouble();

  constructor(log: Logger) {
    this.#log = log;
  }

  add(refused: RefusedCall): void {
    const { activity, why } = refused;
    const key = `${activity} ${why}`;
    this.#counts.set(key, { ...refused, times: (this.#counts.get(key)?.times ?? 0) + 1 });
    const soFar = this.#trouble.met(key);
    if (soFar)
      this.#log.warn({ activity, why, ...soFar }, 'refused a call through Temporal: it does not come from a trusted cell');
  }

  all(): readonly (RefusedCall & { readonly times: number })[] {
    return [...this.#counts.values()];
  }
}

/** Opens one speaker per role of this process: each signs with its own key. */
export async function openSpeakers(parts: {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly roles: readonly Role[];
  readonly refused: RefusedCalls;
  readonly starts: StartMemory;
  readonly judgements: JudgementMemory;
  /** Receives the outcomes of steps in pools. */
  readonly steps: StepListener;
  /** Keeps records until they have been sent. */
  readonly records: Pick<RecordMemory, 'made' | 'left'>;
  /** Absent: nothing is traced. */
  readonly tracing?: Tracing | undefined;
  readonly log: Logger;
}): Promise<ReadonlyMap<Role, Speaker>> {
  const { config, secrets, roles, refused, starts, judgements, steps, records, tracing, log } = parts;
  const { namespace } = config.temporal;
  const speakers = new Map<Role, Speaker>();
  const trouble = new RepeatedTrouble();
  const onUnreadable = (file: string): void => {
    const soFar = trouble.met(file);
    if (soFar)
      log.error(
        { file, ...soFar },
        'cannot read a trusted public key; its previous value stays valid, and it is read again later',
      );
  };
  for (const role of allRoles.filter((one) => roles.includes(one))) {
    const signer = await openRoleSigner(config, role);
    const trust = openTrust(config, role, { onUnreadable });
    const onRefused = (call: RefusedCall): void => refused.add(call);
    const { codecKeys: keys } = secrets;
    const heard = { starts, judgements, steps, records };
    speakers.set(role, createSpeaker({ keys, namespace, signer, trust, onRefused, ...heard, tracing }));
  }
  const unread = unreadableTrust(config);
  if (unread.length > 0)
    log.info({ files: unread }, 'these public key files are missing: their keys are not trusted until the files exist');
  return speakers;
}
