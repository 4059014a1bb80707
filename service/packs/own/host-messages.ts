import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { OwnRun } from '../../../activities/actions/own-action.ts';
import type { OwnResponse } from '../../../core/action/own-implementation.ts';

/** Lines of JSON to the process of a pack's actions. */
export type ToHost =
  | {
      readonly kind: 'run';
      readonly id: number;
      /** File in `implementations`. */
      readonly file: string;
      readonly call: OwnRun;
      readonly secrets: Readonly<Record<string, string>>;
      readonly settings: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'abort'; readonly id: number }
  /** The answer to a request. */
  | ({ readonly kind: 'answer'; readonly request: number } & (
      | { readonly response: OwnResponse }
      | { readonly refused: string }
      | { readonly failed: string; readonly retryAfterMs?: number }
    ));

const id = z.int().min(0);
const end = z.discriminatedUnion('end', [
  z.strictObject({ end: z.literal('value'), value: z.unknown().optional() }),
  z.strictObject({ end: z.literal('refused'), reason: z.string() }),
  z.strictObject({ end: z.literal('failed'), reason: z.string(), retryAfterMs: z.number().min(0).optional() }),
]);
const asked = z.strictObject({
  method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']),
  url: z.string().max(16_384),
  headers: z.record(z.string().max(1_000), z.string().max(65_536)).optional(),
  body: z.unknown().optional(),
});

/** Lines of JSON from that process: the code of the pack can write what it likes there. */
export const fromHost = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('log'), id, text: z.string() }),
  /** Has the pool send a request. */
  z.strictObject({ kind: z.literal('request'), id, request: id, asked }),
  z.strictObject({ kind: z.literal('end'), id, end }),
]);

export type FromHost = z.infer<typeof fromHost>;

/** Longest line that a process of a pack may write: an answer of 16 MiB, as JSON. */
export const longestLine = 24 * 1_048_576;

/** Calls `tooLong` if a line is longer: whoever reads lines holds all of one in memory. */
export function limitLines(stream: Readable, tooLong: () => void, longest = longestLine): void {
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    const last = chunk.lastIndexOf(10);
    bytes = last === -1 ? bytes + chunk.length : chunk.length - last - 1;
    if (bytes > longest) tooLong();
  });
}
