import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { FirebreakError } from '../../core/errors.ts';
import type { Metadata } from './cluster.ts';

/** The fields of a Kubernetes audit event (audit.k8s.io/v1) that the demo reads. */
export interface AuditEvent {
  readonly stage: string;
  readonly verb: string;
  readonly requestURI?: string;
  readonly userAgent?: string;
  readonly user: { readonly username: string };
  readonly objectRef?: {
    readonly resource?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number };
  readonly requestObject?: { readonly metadata?: Metadata };
  readonly responseObject?: { readonly metadata?: Metadata };
  readonly stageTimestamp: string;
}

const writes = ['create', 'update', 'patch', 'delete', 'deletecollection'];

/** Whether a request changed something and was granted. A dry run, or a question about permissions, changes nothing. */
export function isWrite({ verb, responseStatus, requestURI, objectRef }: AuditEvent): boolean {
  const code = responseStatus?.code ?? 0;
  if (requestURI?.includes('dryRun=') || objectRef?.resource?.endsWith('accessreviews')) return false;
  return writes.includes(verb) && code >= 200 && code < 300;
}

/** Whether Firebreak's own client sent it. The demo only reads once the alert is sent, and uses another client. */
export function isFirebreaks({ userAgent }: AuditEvent): boolean {
  return userAgent?.startsWith('firebreak') === true;
}

/** A file that grows by lines, from now on. */
export class GrowingFile {
  readonly #file: string;
  #position: number;

  constructor(file: string) {
    this.#file = file;
    this.#position = statSync(file).size;
  }

  /** The lines that were completed since the last call, in order. */
  newLines(): readonly string[] {
    const file = openSync(this.#file, 'r');
    try {
      const bytes = Buffer.alloc(Math.max(0, fstatSync(file).size - this.#position));
      const count = readSync(file, bytes, 0, bytes.length, this.#position);
      const end = bytes.subarray(0, count).lastIndexOf(0x0a) + 1;
      this.#position += end;
      return bytes
        .toString('utf8', 0, end)
        .split('\n')
        .filter((line) => line !== '');
    } finally {
      closeSync(file);
    }
  }
}

/** The API server's audit log from now on: who did what, as the API server recorded it, by its own clock. */
export class AuditLog {
  readonly #file: GrowingFile;
  readonly #events: AuditEvent[] = [];

  constructor(file: string) {
    this.#file = new GrowingFile(file);
  }

  /** Everything written since then, in order. */
  events(): readonly AuditEvent[] {
    for (const line of this.#file.newLines()) {
      const event: AuditEvent = JSON.parse(line);
      if (event.stage === 'ResponseComplete') this.#events.push(event);
    }
    return this.#events;
  }

  /** Waits for the first event that fits. Throws FB_ERR_UNAVAILABLE after `withinMs`. */
  async first(what: string, withinMs: number, fits: (event: AuditEvent) => boolean): Promise<AuditEvent> {
    const deadline = Date.now() + withinMs;
    for (;;) {
      const found = this.events().find(fits);
      if (found) return found;
      if (Date.now() > deadline)
        throw new FirebreakError('FB_ERR_UNAVAILABLE', `the API server's audit log has no ${what} after ${withinMs / 1_000} s`);
      await sleep(10);
    }
  }
}
