import type { GuardrailRules } from '../../core/action/guardrail.ts';
import type { Plan } from '../../core/action/plan.ts';
import type { StepCall } from '../../core/action/step.ts';
import type { Census, ContainedCount } from './parts.ts';

/** If a watch has not shown a containment after this time, the watch itself has a problem. */
const unseenForMs = 60_000;
/** After this time every cell counts it, if no watch is behind by more than a (cells + 1)th: docs/decisions/caps-of-several-cells.md. */
const unseenByOthersMs = 15_000;

interface Reservation {
  readonly uid: string;
  readonly namespace: string;
  readonly incident: string;
  readonly at: number;
  /** When the census first showed it. */
  seenAt?: number;
}

/** Places under the caps: taken before the apply, kept until the census itself shows the pod as contained. */
export interface Reservations {
  /**
   * How many pods are contained or about to be, not counting the one with this uid. Other cells are assumed to be doing as much right now as this one: knowing
   * better would take a call for each containment.
   */
  contained(except: string | undefined, namespace: string): ContainedCount;
  /** The pods of the namespace that this incident has contained or is about to. */
  containedBy(incident: string, namespace: string): ReadonlySet<string>;
  reserve(uid: string, plan: Plan, call: Pick<StepCall, 'key' | 'incident'>): void;
  /** Drops only the step's own place: another step may have one for the same pod. */
  drop(step: string): void;
}

export function createReservations({
  census,
  rules: { cells = 1 },
  now = Date.now,
}: {
  readonly census: Census;
  readonly rules: Pick<GuardrailRules, 'cells'>;
  readonly now?: () => number;
}): Reservations {
  /** One place per step: several may contain the same pod, which counts once. */
  const places = new Map<string, Reservation>();
  const settlesAfterMs = cells > 1 ? unseenByOthersMs : 0;

  const dropSettled = () => {
    for (const [step, reservation] of places) {
      if (census.isContained(reservation.uid)) {
        reservation.seenAt ??= now();
        if (now() - reservation.seenAt >= settlesAfterMs) places.delete(step);
      } else if (now() - reservation.at > unseenForMs) places.delete(step);
    }
  };

  return {
    contained: (except, namespace) => {
      dropSettled();
      const seen = census.contained(except, namespace);
      const reserved = [...new Map([...places.values()].map((place) => [place.uid, place.namespace]))].filter(
        ([uid]) => uid !== except,
      );
      const here = reserved.filter(([, where]) => where === namespace);
      // Plus one: another cell may be about to do the same as this one.
      const count = (contained: number, own: typeof reserved) =>
        contained + own.filter(([uid]) => !census.isContained(uid)).length + (own.length + 1) * (cells - 1);
      return { total: count(seen.total, reserved), namespace: count(seen.namespace, here) };
    },
    containedBy: (incident, namespace) => {
      dropSettled();
      const reserved = [...places.values()].filter((place) => place.incident === incident && place.namespace === namespace);
      return new Set([...census.containedBy(incident, namespace), ...reserved.map(({ uid }) => uid)]);
    },
    reserve: (uid, plan, { key, incident }) =>
      void places.set(key, { uid, namespace: plan.target.name.split('/')[1] ?? '', incident: incident.id, at: now() }),
    drop: (step) => void places.delete(step),
  };
}

/** Counts in a map of uid → namespace. */
export function countedIn(contained: () => ReadonlyMap<string, string>): Pick<Census, 'contained' | 'isContained'> {
  return {
    contained: (except, namespace) => {
      const others = [...contained()].filter(([uid]) => uid !== except);
      return { total: others.length, namespace: others.filter(([, where]) => where === namespace).length };
    },
    isContained: (uid) => contained().has(uid),
  };
}
