import type { AlertBatch, IncidentNote, IncidentStart } from '../../core/incident/incident.ts';
import type { IncidentGateway, SignalResult, StartOptions, StartResult } from '../../service/intake/send/incident-gateway.ts';

interface FakeRun {
  readonly run: string;
  open: boolean;
  readonly batches: AlertBatch[];
}

/** Temporal as the intake sees it, in memory: runs by id, each with the batches that it received. */
export class FakeIncidentGateway implements IncidentGateway {
  readonly runs = new Map<string, FakeRun[]>();
  readonly starts: StartOptions[] = [];
  readonly notes: { readonly id: string; readonly note: IncidentNote }[] = [];
  /** Maximum number of simultaneous calls for one incident. */
  mostAtOnce = 0;
  calls = 0;
  /** Incidents whose run accepts no more lines for now. */
  readonly full = new Set<string>();
  /** Makes every call fail, after or before it took effect. */
  failing: 'no' | 'down' | 'answer-lost' | 'limit' = 'no';
  delayMs = 1;
  /** Calls that have not been answered yet. */
  unanswered = 0;
  #hanging: Promise<void> | undefined;
  #atOnce = new Map<string, number>();

  async start(id: string, { batch }: IncidentStart, options: StartOptions): Promise<StartResult> {
    return this.#call<StartResult>(id, () => {
      if (this.failing === 'down' || this.failing === 'limit') return { kind: 'unavailable', detail: 'down' };
      if (this.#openRun(id)) return this.failing === 'no' ? { kind: 'already-started' } : { kind: 'unavailable', detail: 'lost' };
      const runs = this.runs.get(id) ?? [];
      const run = { run: `run-${runs.length + 1}`, open: true, batches: [batch] };
      this.runs.set(id, [...runs, run]);
      this.starts.push(options);
      return this.failing === 'answer-lost' ? { kind: 'unavailable', detail: 'lost' } : { kind: 'started', run: run.run };
    });
  }

  async signal(id: string, batch: AlertBatch): Promise<SignalResult> {
    return this.#call<SignalResult>(id, () => {
      if (this.failing === 'down') return { kind: 'unavailable', detail: 'down' };
      if (this.failing === 'limit') return { kind: 'limit' };
      const run = this.#openRun(id);
      if (!run) return { kind: 'not-found' };
      run.batches.push(batch);
      return this.failing === 'answer-lost' ? { kind: 'unavailable', detail: 'lost' } : { kind: 'signalled' };
    });
  }

  async note(id: string, note: IncidentNote): Promise<SignalResult> {
    if (this.failing !== 'no') return { kind: 'unavailable', detail: 'down' };
    if (this.full.has(id)) return { kind: 'limit' };
    if (!this.#openRun(id)) return { kind: 'not-found' };
    this.notes.push({ id, note });
    return { kind: 'signalled' };
  }

  /** Answers nothing until the returned function is called. */
  hang(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#hanging = promise;
    return resolve;
  }

  end(id: string): void {
    const run = this.#openRun(id);
    if (run) run.open = false;
  }

  batches(id: string): readonly AlertBatch[] {
    return (this.runs.get(id) ?? []).flatMap((run) => run.batches);
  }

  /** As the workflow counts: a batch once, however often it arrived. */
  counted(id: string): number {
    const once = new Map(this.batches(id).map((batch) => [batch.id, batch]));
    return [...once.values()].flatMap(({ counts }) => counts).reduce((sum, { count }) => sum + count, 0);
  }

  async #call<T>(id: string, answer: () => T): Promise<T> {
    this.calls += 1;
    const now = (this.#atOnce.get(id) ?? 0) + 1;
    this.#atOnce.set(id, now);
    this.mostAtOnce = Math.max(this.mostAtOnce, now);
    this.unanswered += 1;
    await new Promise((done) => setTimeout(done, this.delayMs));
    await this.#hanging;
    this.unanswered -= 1;
    this.#atOnce.set(id, now - 1);
    return answer();
  }

  #openRun(id: string): FakeRun | undefined {
    return this.runs.get(id)?.find(({ open }) => open);
  }
}
