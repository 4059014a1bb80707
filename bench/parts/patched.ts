import { setTimeout as sleep } from 'node:timers/promises';
import { type AuditEvent, GrowingFile, isWrite } from '../../tools/demo/audit-log.ts';
import { microseconds } from './clock.ts';
import type { PodTarget } from './stage.ts';

const lookEveryMs = 50;

/**
 * When the API server answered the first patch of each pod, from its audit log. Most lines of it are about something else: they are not parsed, since what
 * measures must not take the processors from what it measures.
 */
export class PatchedPods {
  readonly #file: GrowingFile;
  readonly #at = new Map<string, number>();

  /** @param auditLog the file that the API server writes; what is in it by now does not count */
  constructor(auditLog: string) {
    this.#file = new GrowingFile(auditLog);
  }

  /** Waits for it, in milliseconds by the API server's clock. */
  async at(pod: Pick<PodTarget, 'namespace' | 'name'>, withinMs = 20_000): Promise<number> {
    const name = `${pod.namespace}/${pod.name}`;
    for (const until = performance.now() + withinMs; ; ) {
      this.#read();
      const at = this.#at.get(name);
      if (at !== undefined) return at;
      if (performance.now() > until) throw new Error(`pod ${name} was not patched within ${withinMs / 1_000} s`);
      await sleep(lookEveryMs);
    }
  }

  #read(): void {
    for (const line of this.#file.newLines())
      if (line.includes('"verb":"patch"') && line.includes('"resource":"pods"')) this.#see(JSON.parse(line));
  }

  #see(event: AuditEvent): void {
    const { objectRef, stage, stageTimestamp } = event;
    if (stage !== 'ResponseComplete' || objectRef?.subresource !== undefined || !isWrite(event)) return;
    const name = `${objectRef?.namespace}/${objectRef?.name}`;
    if (!this.#at.has(name)) this.#at.set(name, microseconds(stageTimestamp));
  }
}
