import type { Plan } from '../core/plan.ts';
import type { StepCall } from '../core/step.ts';
import type { Census } from './chokepoint.ts';

/** A watch that has not shown a containment after this has a problem of its own. */
const unseenForMs = 60_000;

interface Reservation {
  readonly namespace: string;
  readonly step: string;
  readonly incident: string;
  readonly at: number;
}

/** Places under the caps: taken before the apply, kept until the census itself shows the pod as contained. */
export interface Reservations {
  /** How many pods are contained or about to be, the one with this uid not counted. */
  contained(except: string | undefined, namespace: string): { readonly total: number; readonly namespace: number };
  /** The pods of the namespace that this incident has contained or is about to. */
  takenBy(incident: string, namespace: string): ReadonlySet<string>;
  reserve(uid: string, plan: Plan, call: Pick<StepCall, 'key' | 'incident'>): void;
  drop(uid: string): void;
  dropStep(step: string): void;
}

export function createReservations({
  census,
  now = Date.now,
}: {
  readonly census: Census;
  readonly now?: () => number;
}): Reservations {
  const taken = new Map<string, Reservation>();

  const dropSeen = (contained: ReadonlyMap<string, string>) => {
    for (const [uid, { at }] of taken) if (contained.has(uid) || now() - at > unseenForMs) taken.delete(uid);
  };

  return {
    contained: (except, namespace) => {
      const seen = census.contained();
      dropSeen(seen);
      const reserved = [...taken].map(([uid, reservation]) => [uid, reservation.namespace] as const);
      const others = [...seen, ...reserved].filter(([uid]) => uid !== except);
      return { total: others.length, namespace: others.filter(([, where]) => where === namespace).length };
    },
    takenBy: (incident, namespace) => {
      const reserved = [...taken].filter(([, held]) => held.incident === incident && held.namespace === namespace);
      return new Set([...census.takenBy(incident, namespace), ...reserved.map(([uid]) => uid)]);
    },
    reserve: (uid, plan, { key, incident }) =>
      void taken.set(uid, { namespace: plan.target.name.split('/')[1] ?? '', step: key, incident: incident.id, at: now() }),
    drop: (uid) => void taken.delete(uid),
    dropStep: (step) => {
      for (const [uid, reservation] of taken) if (reservation.step === step) taken.delete(uid);
    },
  };
}
