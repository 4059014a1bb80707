import type { Alert } from './alert.ts';
import type { Severity } from './severity.ts';

/** What the configuration says of one sensor. */
export interface SensorSettings {
  /** Rule or policy → severity; the rule `*` stands for all others of that sensor. */
  readonly severities: Readonly<Record<string, Severity>>;
  /** Of `kubernetes-audit`: addresses and blocks from which the control plane calls the API server. Absent or empty: any. */
  readonly controlPlane?: readonly string[] | undefined;
  /** Of `kubernetes-audit`: registries from which images may come. Absent or empty: any. */
  readonly registries?: readonly string[] | undefined;
}

/** By the alert's sensor. */
export type SeverityOverrides = Readonly<Record<string, SensorSettings>>;

export interface DecodeContext {
  /** The cluster whose intake this is: a sensor's own word for it is not trusted. */
  readonly cluster: string;
  /** Of the sensor that decodes. */
  readonly settings?: SensorSettings | undefined;
}

/**
 * What one item of a sensor's delivery turned out to be. `lacks` is what the sensor's own settings keep out of it, so that rules cannot
 * apply: few texts, and none of the event's.
 */
export type Decoded =
  | { readonly kind: 'alert'; readonly alert: Alert; readonly lacks?: string }
  /** The sensor speaks of itself: dropped events, metrics. Never a reason for a playbook. */
  | { readonly kind: 'health'; readonly sensor: string; readonly host?: string; readonly time?: string; readonly text: string }
  /** Read and understood, and no alert: telemetry, the end of an alert, an update of a known one. */
  | { readonly kind: 'ignored'; readonly sensor: string; readonly reason: string; readonly lacks?: string }
  /** Not to be read. The reason names the field and is safe to show to the sender. */
  | { readonly kind: 'rejected'; readonly reason: string };

/** One kind of sender: pure functions over parsed JSON. They never throw, whatever the value. */
export interface Sensor {
  /** Lower case, as in the address `/v1/alerts/NAME`. */
  readonly name: string;
  /** Its integers go beyond 2^53: these come to it as texts of digits, so that none is rounded. */
  readonly exactIntegers?: true;
  /** Whether this looks like its work; used where the sender did not say. */
  detect(value: unknown): boolean;
  /** One item; more only where the value is an envelope around several. */
  decode(value: unknown, context: DecodeContext): readonly Decoded[];
  /** The field of an envelope that holds the list of its items: the intake takes each with its own bytes. */
  listIn?(value: unknown): string | undefined;
}

/** The alert with the severity that the configuration gives its rule; as it was where it gives none. */
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
