import type { Alert } from './alert.ts';

export interface DecodeContext {
  /** The cluster whose intake this is: a sensor's own word for it is not trusted. */
  readonly cluster: string;
}

/** What one item of a sensor's delivery turned out to be. */
export type Decoded =
  | { readonly kind: 'alert'; readonly alert: Alert }
  /** The sensor speaks of itself: dropped events, metrics. Never a reason for a playbook. */
  | { readonly kind: 'health'; readonly sensor: string; readonly host?: string; readonly time: string; readonly text: string }
  /** Not to be read. The reason names the field and is safe to show to the sender. */
  | { readonly kind: 'rejected'; readonly reason: string };

/** One kind of sender: pure functions over parsed JSON. They never throw, whatever the value. */
export interface Sensor {
  readonly name: string;
  /** Whether this looks like its work; used where the sender did not say. */
  detect(value: unknown): boolean;
  decode(value: unknown, context: DecodeContext): Decoded;
}
