import type { Confidence } from '../assessment/rules/rule-judgement.ts';
import type { Alert } from './alert.ts';
import type { Severity } from './severity.ts';

/** Configuration of one sensor. */
export interface SensorSettings {
  /** Rule or policy → severity; the rule `*` stands for all other rules of that sensor. */
  readonly severities: Readonly<Record<string, Severity>>;
  /** Rule or policy → how sure it is, in place of the table's. */
  readonly rules?: Readonly<Record<string, { readonly confidence: Confidence; readonly why: string; readonly decoy?: boolean }>>;
  /** For `kubernetes-audit`: addresses and blocks from which the control plane calls the API server. Absent or empty: any. */
  readonly controlPlane?: readonly string[] | undefined;
  /** For `kubernetes-audit`: registries from which images may come. Absent or empty: any. */
  readonly registries?: readonly string[] | undefined;
}

/** By the alert's sensor. */
export type SeverityOverrides = Readonly<Record<string, SensorSettings>>;

export interface DecodeContext {
  /** The cluster of this intake: a sensor's own claim about it is not trusted. */
  readonly cluster: string;
  /** Settings of the decoding sensor. */
  readonly settings?: SensorSettings | undefined;
}

/**
 * What one item of a sensor's delivery turned out to be. `lacks`: what the sensor's own settings leave out of it, so that rules cannot apply; a few fixed
 * texts, none from the event.
 */
export type Decoded =
  | { readonly kind: 'alert'; readonly alert: Alert; readonly lacks?: string }
  /** The sensor reports on itself: dropped events, metrics. Never a reason for a playbook. */
  | { readonly kind: 'health'; readonly sensor: string; readonly host?: string; readonly time?: string; readonly text: string }
  /** Read and understood, but not an alert: telemetry, the end of an alert, an update of a known one. */
  | { readonly kind: 'ignored'; readonly sensor: string; readonly reason: string; readonly lacks?: string }
  /** Unreadable. The reason names the field and is safe to show to the sender. */
  | { readonly kind: 'rejected'; readonly reason: string };

/** One kind of sender: pure functions over parsed JSON. They never throw, whatever the value. */
export interface Sensor {
  /** Lower case, as in the address `/v1/alerts/NAME`. */
  readonly name: string;
  /** Its integers go beyond 2^53: they are passed to it as texts of digits, so that none is rounded. */
  readonly exactIntegers?: true;
  /** Returns whether this looks like this sensor's output; used if the sender did not say. */
  detect(value: unknown): boolean;
  /** Decodes one item; returns more only if the value is an envelope around several. */
  decode(value: unknown, context: DecodeContext): readonly Decoded[];
  /** Returns the field of an envelope that holds the list of its items: the intake takes each with its own bytes. */
  listIn?(value: unknown): string | undefined;
}

/** Returns the alert with the severity that the configuration gives its rule; unchanged if it gives none. */
export function withConfiguredSeverity(alert: Alert, overrides: SeverityOverrides | undefined): Alert {
  if (overrides === undefined || !Object.hasOwn(overrides, alert.sensor)) return alert;
  const severities = overrides[alert.sensor]?.severities ?? {};
  const rule = [alert.rule, '*'].find((name) => Object.hasOwn(severities, name));
  const severity = rule === undefined ? undefined : severities[rule];
  return severity === undefined ? alert : { ...alert, severity };
}

/** Shorthands for decoders. */
export function rejected(reason: string): readonly Decoded[] {
  return [{ kind: 'rejected', reason }];
}

export function ignored(sensor: string, reason: string): readonly Decoded[] {
  return [{ kind: 'ignored', sensor, reason }];
}
