import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { FirebreakError } from '../../core/errors.ts';
import { KubernetesError } from '../../integrations/kubernetes/client-error.ts';
import type { PodCommand } from '../../integrations/kubernetes/pods/pod-command.ts';
import type { UploadDoor } from '../../integrations/uploads/door.ts';
import { mustHaveEnded } from './in-container.ts';
import { parsed } from './tool-stream.ts';

export interface UploadParts {
  /** Absent: everything goes through the API server. */
  readonly uploads?: Uploads;
}

/** How a stream of the tools came: through the API server, as the command's output, or straight from the pod. */
export type Way = { readonly way: 'exec'; readonly why?: string } | { readonly way: 'upload' };

/** The first line that the tools write if they were given an address; see `deploy/forensics/tools/upload.go`. */
const firstLineSchema = z.discriminatedUnion('way', [
  z.object({ way: z.literal('here'), why: z.string() }),
  z.object({ way: z.literal('upload'), token: z.string().min(32) }),
]);
/** A ValidatingAdmissionPolicy answers with 422 if it gives no reason of its own. */
const refusedByAdmission = [403, 422];
const longestFirstLine = 4_096;
/** An address that was tried is not tried again for the same step: anyone in the pod could cut off each upload. Maximum number of steps remembered. */
const mostRemembered = 10_000;

/** Lets the tools upload evidence straight to us, if their pod can reach us. */
export class Uploads {
  readonly #door: UploadDoor;
  readonly #tried = new LRUCache<string, true>({ max: mostRemembered });

  constructor(door: UploadDoor) {
    this.#door = door;
  }

  /** The address at which pods reach us, for people. */
  get origin(): string {
    return this.#door.origin;
  }

  /**
   * What a command of the tools sends, by whichever way it found. The address is only for this command: it accepts one stream, from whoever knows the token
   * that the command generated itself and announced in the stream of its `exec`; and it ends with the command.
   */
  stream({
    step,
    mostBytes,
    lastsMs,
    start,
  }: {
    /** The key of the step. */
    readonly step: string;
    readonly mostBytes: number;
    readonly lastsMs: number;
    /** Starts the command with these additional arguments. */
    readonly start: (more: readonly string[]) => PodCommand;
  }): Stream {
    if (this.#tried.has(step)) return byExec(start([]), 'an earlier upload of this step failed');
    this.#tried.set(step, true);
    const address = this.#door.open({ mostBytes, lastsMs });
    let command = start(['-upload', address.url, '-pin', this.#door.certificateSha256]);
    let way: Way | undefined;
    async function* data(): AsyncGenerator<Uint8Array> {
      try {
        const first = await firstLine(command).catch((error: unknown) => {
          if (!(error instanceof KubernetesError) || !refusedByAdmission.includes(error.status)) throw error;
          // Admission restricts its account to another address, or to none. What the tools collect is evidence whichever way it comes.
          way = { way: 'exec', why: 'the API server does not let the tools send to the address for uploads' };
          command = start([]);
        });
        if (!first) {
          address.end();
          yield* command.stdout;
          return;
        }
        const { said, rest } = first;
        if (said.way === 'here') {
          way = { way: 'exec', why: `the tools cannot reach the address for uploads: ${said.why}` };
          address.end();
          yield* rest;
          return;
        }
        way = { way: 'upload' };
        address.admit(said.token);
        const ended = commandEnd(command, rest);
        ended.then(
          () => address.end(new FirebreakError('FB_ERR_UNAVAILABLE', 'the tools exited before all of their upload was received')),
          (error: unknown) => address.end(error),
        );
        yield* address.data;
        await ended;
      } finally {
        address.end();
      }
    }
    return {
      command: { stdout: { [Symbol.asyncIterator]: data }, end: () => command.end() },
      way() {
        if (!way) throw new TypeError('the stream has not begun');
        return way;
      },
    };
  }
}

interface Stream {
  /** Its `stdout` is what the tools send, whichever way it comes. */
  readonly command: PodCommand;
  /** Known once the first byte has arrived. */
  way(): Way;
}

/** The stream of the command itself. */
export function byExec(command: PodCommand, why?: string): Stream {
  return { command, way: () => ({ way: 'exec', ...(why !== undefined && { why }) }) };
}

/** @throws what the tools' exit code means, if they ended before they wrote anything. */
async function firstLine(command: PodCommand): Promise<{
  readonly said: z.infer<typeof firstLineSchema>;
  readonly rest: AsyncGenerator<Uint8Array>;
}> {
  const parts = command.stdout[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  let end = -1;
  while (end < 0) {
    const { value, done } = await parts.next();
    if (done) mustHaveEnded(command);
    if (done || head.length > longestFirstLine)
      throw new FirebreakError('FB_ERR_REFUSED', 'the tools did not report how they send');
    head = Buffer.concat([head, value]);
    end = head.indexOf('\n');
  }
  const rest = (async function* (): AsyncGenerator<Uint8Array> {
    const more = head.subarray(end + 1);
    if (more.length > 0) yield more;
    yield* { [Symbol.asyncIterator]: () => parts };
  })();
  const said = firstLineSchema.safeParse(parsed(head.toString('utf8', 0, end)));
  if (!said.success) throw new FirebreakError('FB_ERR_REFUSED', 'the tools did not report how they send');
  return { said: said.data, rest };
}

/** Waits for the command, which itself writes nothing more. @throws what its exit code means. */
async function commandEnd(command: PodCommand, rest: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const part of rest)
    if (part.length > 0) throw new FirebreakError('FB_ERR_REFUSED', 'the tools wrote more than their upload');
  mustHaveEnded(command);
}
