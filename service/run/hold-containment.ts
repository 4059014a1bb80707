import type { Chokepoint } from '../../activities/chokepoint.ts';
import { type BeforeState, type CellKey, openBeforeState } from '../../core/before-state.ts';
import type { IncidentNote } from '../../core/incident.ts';
import { names } from '../../core/labels.ts';
import type { PodRecord } from '../../core/pod-record.ts';
import type { StepCall } from '../../core/step.ts';
import type { ClusterView } from '../../integrations/kubernetes/cluster-view.ts';
import { type Logger, reasonOf } from './log.ts';

export interface HoldContainmentParts {
  readonly chokepoint: Pick<Chokepoint, 'apply'>;
  readonly view: ClusterView;
  readonly cellKey: CellKey;
  /** A line for the incident's record. Sent again under the same id. */
  readonly note: (incident: string, note: IncidentNote) => Promise<{ readonly kind: string }>;
  readonly log: Logger;
  readonly everyMs?: number;
}

const lookEveryMs = 2_000;
const applyWithinMs = 5_000;
/** Whoever takes it off more often than that means it: people decide, nobody fights. */
const mostTimes = 5;

/**
 * Puts a quarantine back that somebody took off without giving the pod back: its label is gone, and the sealed note of what it was like
 * before is still there. An undo takes both off in one patch, and so does the way out by hand.
 */
export class HoldContainment {
  readonly #parts: HoldContainmentParts;
  readonly #times = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #looking = false;

  constructor(parts: HoldContainmentParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#timer = setInterval(() => void this.#look(), this.#parts.everyMs ?? lookEveryMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      for (const pod of this.#parts.view.pods()) {
        const before = this.#robbed(pod);
        if (before) await this.#putBack(pod, before);
      }
    } finally {
      this.#looking = false;
    }
  }

  #robbed({ labels, annotations, uid, deleting }: PodRecord): BeforeState | undefined {
    const text = annotations[names.beforeAnnotation];
    if (text === undefined || deleting || labels[names.quarantineLabel] === 'active') return undefined;
    const opened = openBeforeState({ text, podUid: uid, key: this.#parts.cellKey });
    return opened.kind === 'read' && opened.authentic === 'yes' ? opened.state : undefined;
  }

  async #putBack(pod: PodRecord, before: BeforeState): Promise<void> {
    const { chokepoint, note, log } = this.#parts;
    const { namespace, name, uid } = pod;
    const times = (this.#times.get(uid) ?? 0) + 1;
    this.#times.set(uid, times);
    if (times > mostTimes + 1) return;
    const said = { incident: before.incident, step: before.step, pod: `${namespace}/${name}` };
    const about = `pod/${namespace}/${name}`;
    const noted = async (text: string): Promise<void> => {
      const { kind } = await note(before.incident, {
        id: `reasserted/${uid}/${times}`,
        kind: 'containment.reasserted',
        text,
        about,
      });
      if (kind !== 'signalled') log.warn({ ...said, kind }, 'the incident could not be told that its containment was reverted');
    };
    if (times > mostTimes) {
      log.error(said, 'a quarantine is taken off again and again: it is not put back any more');
      await noted(`the quarantine of ${about} was taken off ${times} times, and is not put back any more: somebody must decide`);
      return;
    }
    const call: StepCall = {
      key: before.step,
      action: 'quarantinePod',
      input: { pod: { namespace, name, uid } },
      incident: { id: before.incident, run: '' },
      incidentTitle: before.incident,
      playbook: 'engine',
      severity: 'unknown',
      ownerContained: 0,
      evidence: [],
      evidenceDeadline: new Date(0).toISOString(),
    };
    try {
      const signal = AbortSignal.timeout(applyWithinMs);
      await chokepoint.apply(call, { key: before.step, incident: before.incident, run: '', fast: true, signal });
      log.warn(said, 'a quarantine was taken off by somebody, and is in force again');
      await noted(`somebody took the quarantine of ${about} off; it is in force again`);
    } catch (error) {
      log.error({ ...said, reason: reasonOf(error) }, 'a quarantine was taken off by somebody, and could not be put back');
    }
  }
}
