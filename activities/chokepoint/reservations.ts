import type { GuardrailRules } from '../../core/action/guardrail.ts';
import type { Plan } from '../../core/action/plan.ts';
import type { StepCall } from '../../core/action/step.ts';
import type { Census } from './parts.ts';

/** A watch that has not shown a containment after this has a problem of its own. */
const unseenForMs = 60_000;
/** After that every cell counts with it, where no watch is behind by more than a (cells + 1)th: docs/decisions/caps-of-several-cells.md. */
const unseenByOthersMs = 15_000;

interface Reservation {
  readonly namespace: string;
  readonly step: string;
  readonly incident: string;
  readonly at: number;
  /** Since when the census shows it. */
  seenAt?: number;
}

/** Places under the caps: taken before the apply, kept until the census itself shows the pod as contained. */
export interface Reservations {
  /**
   * How many pods are contained or about to be, the one with this uid not counted. Other cells are assumed to be doing right now as much as this one:
   * they would need a call for each containment to know better.
   */
  contained(except: string | undefined, namespace: string): { readonly total: number; readonly namespace: number };
  /** The pods of the namespace that this incident has contained or is about to. */
  containedBy(incident: string, namespace: string): ReadonlySet<string>;
  reserve(uid: string, plan: Plan, call: Pick<StepCall, 'key' | 'incident'>): void;
  drop(uid: string): void;
  dropStep(step: string): void;
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
  const terms = new Map<string, Reservation>();
  const settlesAfterMs = cells > 1 ? unseenByOthersMs : 0;

  const dropSettled = (contained: ReadonlyMap<string, string>) => {
    for (const [uid, reservation] of terms) {
      if (contained.has(uid)) {
        reservation.seenAt ??= now();
        if (now() - reservation.seenAt >= settlesAfterMs) terms.delete(uid);
      } else if (now() - reservation.at > unseenForMs) terms.delete(uid);
    }
  };

  return {
    contained: (except, namespace) => {
      const seen = census.contained();
      dropSettled(seen);
      const reserved = [...terms].flatMap(([uid, held]) => (uid === except ? [] : [[uid, held.namespace] as const]));
      const all = [...seen, ...reserved.filter(([uid]) => !seen.has(uid))].filter(([uid]) => uid !== except);
      // One more: what is about to be done here may be done there, too.
      const count = (places: typeof all, own: typeof reserved) => places.length + (own.length + 1) * (cells - 1);
      const isHere = ([, where]: readonly [string, string]) => where === namespace;
      return { total: count(all, reserved), namespace: count(all.filter(isHere), reserved.filter(isHere)) };
    },
    containedBy: (incident, namespace) => {
      const reserved = [...terms].filter(([, held]) => held.incident === incident && held.namespace === namespace);
      return new Set([...census.containedBy(incident, namespace), ...reserved.map(([uid]) => uid)]);
    },
    reserve: (uid, plan, { key, incident }) =>
      void terms.set(uid, { namespace: plan.target.name.split('/')[1] ?? '', step: key, incident: incident.id, at: now() }),
    drop: (uid) => void terms.delete(uid),
    dropStep: (step) => {
      for (const [uid, reservation] of terms) if (reservation.step === step) terms.delete(uid);
    },
  };
}
