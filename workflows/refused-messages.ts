import type { RecordKind } from '../core/audit/record-kinds.ts';

/** Rejected messages to this run: what they claimed to be, why they were rejected, and how many there were so far. */
export interface RefusedMessages {
  readonly what: string;
  readonly why: string;
  readonly times: number;
}

interface Recorder {
  record(kind: RecordKind, actor: string, text: string, body?: Readonly<Record<string, unknown>>): void;
}

export function recordRefused(model: Recorder, { what, why, times }: RefusedMessages): void {
  const text =
    times === 1
      ? `a message over Temporal was ignored: ${what}: ${why}`
      : `${times} messages over Temporal were ignored: ${what}: ${why}`;
  model.record('message.refused', 'engine', text, { what, why, times });
}
