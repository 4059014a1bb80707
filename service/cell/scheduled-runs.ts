import type { Alert, PodRef } from '../../core/alert/alert.ts';
import type { PodRecord } from '../../core/cluster/pod-record.ts';
import type { AnyPlaybook } from '../../core/playbook/playbook.ts';
import {
  type DueRun,
  DueRuns,
  type LastRuns,
  type RunTarget,
  type ScheduledPlaybook,
  scheduledAlert,
} from '../../core/playbook/scheduled-runs.ts';
import { compareTexts } from '../../core/text/plain-json.ts';
import { type Logger, reasonOf } from '../process/log.ts';

/** Temporal's schedules ring on time. If one is late, gone or paused, this look finds what is due. */
const lookEveryMs = 300_000;

export interface ScheduledRunsParts {
  readonly cluster: string;
  readonly playbooks: readonly AnyPlaybook[];
  readonly params: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly kept: LastRuns;
  /** Resolves when all pending writes are on disk. */
  readonly written: () => Promise<unknown>;
  readonly view: { ready(): boolean; pods(namespace: string): Iterable<PodRecord> };
  /** Whether this cell gets the run, if several cells of one cluster could. Absent: there is no other cell. */
  readonly claim?: ((playbook: string, due: number) => Promise<boolean>) | undefined;
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>;
  readonly now?: () => number;
}

/**
 * Begins scheduled playbooks when they are due, as alerts that only Firebreak itself creates. A ring, from Temporal or elsewhere, only triggers a look: the
 * configuration, this cell's disk and its clock determine what is due.
 */
export class ScheduledRuns {
  readonly #parts: ScheduledRunsParts;
  readonly #now: () => number;
  readonly #due: DueRuns;
  readonly #said = new Set<string>();
  #tell: ((alert: Alert) => Promise<boolean>) | undefined;
  #looking: Promise<readonly string[]> | undefined;
  #next: Promise<readonly string[]> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: ScheduledRunsParts) {
    const { playbooks, params, kept, now = Date.now } = parts;
    this.#parts = parts;
    this.#now = now;
    this.#due = new DueRuns({ playbooks, params, kept, now: now() });
  }

  /** Playbooks that have a target. */
  get playbooks(): readonly ScheduledPlaybook[] {
    return this.#due.playbooks;
  }

  /** Call this once alerts can be passed on. @param tell whether the alert is durable */
  open(tell: (alert: Alert) => Promise<boolean>): void {
    this.#tell = tell;
    if (this.playbooks.length === 0) return;
    this.#timer = setInterval(() => void this.look(), lookEveryMs).unref();
    void this.look();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await (this.#next ?? this.#looking);
  }

  /**
   * Begins what is due: one look at a time, and one more afterwards for all callers that ask meanwhile. @returns ids of the playbooks that it has begun. Never
   * rejects.
   */
  look(): Promise<readonly string[]> {
    if (this.#looking) {
      this.#next ??= this.#looking.then(() => {
        this.#next = undefined;
        return this.look();
      });
      return this.#next;
    }
    this.#looking = this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #look(): Promise<readonly string[]> {
    const begun: string[] = [];
    for (const run of this.#due.at(this.#now())) {
      const { id } = run.playbook;
      try {
        if (await this.#begin(run)) begun.push(id);
      } catch (error) {
        this.#say('error', run, `trying again: ${reasonOf(error)}`);
      }
    }
    return begun;
  }

  async #begin(run: DueRun): Promise<boolean> {
    const { cluster, claim, view, written, log } = this.#parts;
    const { playbook, target, due } = run;
    if (run.missed) {
      this.#say('error', run, 'it is too late: the run is skipped');
      this.#due.ran(run);
      return false;
    }
    if (!this.#tell || (target.kind === 'pod' && !view.ready())) return false;
    const pod = target.kind === 'pod' ? newestPod(target, view.pods(target.namespace)) : undefined;
    if (target.kind === 'pod' && !pod) {
      this.#say('warn', run, `no ready pod in ${target.namespace} has the label ${target.label}=${target.value}: looking again`);
      return false;
    }
    if (claim && !(await claim(playbook.id, due))) {
      // Another cell has the run.
      this.#due.ran(run);
      return false;
    }
    if (!(await this.#tell(scheduledAlert({ playbook, cluster, target, due, pod })))) return false;
    // The alert is sent first: after a crash in between it is sent again, and recognised by its id.
    this.#due.ran(run);
    await written();
    log.info({ playbook: playbook.id, due: new Date(due).toISOString() }, 'started a scheduled playbook');
    return true;
  }

  /** Logged once for each due time. */
  #say(level: 'warn' | 'error', { playbook, due }: DueRun, reason: string): void {
    const key = `${playbook.id} ${due} ${reason}`;
    if (this.#said.has(key)) return;
    if (this.#said.size > 1_000) this.#said.clear();
    this.#said.add(key);
    this.#parts.log[level](
      { playbook: playbook.id, due: new Date(due).toISOString(), reason },
      'a scheduled playbook was not started',
    );
  }
}

/** The name alone would be a guess, so the uid is included. */
function newestPod({ label, value }: Extract<RunTarget, { kind: 'pod' }>, pods: Iterable<PodRecord>): PodRef | undefined {
  const [newest] = [...pods]
    .filter((pod) => pod.labels[label] === value && pod.ready && !pod.deleting)
    .toSorted((a, b) => compareTexts(b.createdAt, a.createdAt));
  return newest && { namespace: newest.namespace, name: newest.name, uid: newest.uid };
}
