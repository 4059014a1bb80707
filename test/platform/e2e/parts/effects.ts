import { names } from '../../../../core/cluster/labels.ts';
import { type AuditEvent, AuditLog, isFirebreaks, isWrite } from '../../../../tools/demo/audit-log.ts';
import { Landed } from './landed.ts';

export type EffectKind = 'contain' | 'give-back' | 'delete' | 'secret' | 'roll' | 'other';

export interface Effect {
  readonly kind: EffectKind;
  /** `namespace/name`. */
  readonly target: string;
  /** Milliseconds since 1970, by the API server's clock; for a write without an answer: when it was seen on the object. */
  readonly at: number;
}

/** What Firebreak did to the cluster, according to the API server: every granted write, and those that landed without an answer, in order. */
export class Effects {
  readonly #log: AuditLog;
  readonly #landed: Landed;

  constructor({ auditLog, kubeconfig }: { readonly auditLog: string; readonly kubeconfig: string }) {
    this.#log = new AuditLog(auditLog);
    this.#landed = new Landed(kubeconfig);
  }

  stop(): void {
    this.#landed.stop();
  }

  all(): readonly Effect[] {
    const ours = this.#log.events().filter(isFirebreaks);
    const granted = ours.filter(isWrite).map(effectOf);
    const known = new Set(granted.map(({ kind, target }) => `${kind} ${target}`));
    const landed = ours.filter(isWithoutAnswer).flatMap((event): readonly Effect[] =>
      kindsOf(event).flatMap((kind) => {
        const target = targetOf(event);
        const at = this.#landed.at(kind, target);
        if (at === undefined || known.has(`${kind} ${target}`)) return [];
        known.add(`${kind} ${target}`);
        return [{ kind, target, at }];
      }),
    );
    return [...granted, ...landed].sort((a, b) => a.at - b.at);
  }

  of(kind: EffectKind, target: string): readonly Effect[] {
    return this.all().filter((effect) => effect.kind === kind && effect.target === target);
  }

  /** Each target of this kind, with the number of times that it was changed. */
  counts(kind: EffectKind): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const effect of this.all()) if (effect.kind === kind) counts[effect.target] = (counts[effect.target] ?? 0) + 1;
    return counts;
  }
}

function effectOf(event: AuditEvent): Effect {
  const kinds = kindsOf(event);
  const contained = event.responseObject?.metadata?.labels?.[names.quarantineLabel] !== undefined;
  const kind = kinds.length === 2 ? (contained ? 'contain' : 'give-back') : (kinds[0] ?? 'other');
  return { kind, target: targetOf(event), at: Date.parse(event.stageTimestamp) };
}

/** The client disconnected: the API server logs 504, whether the write landed or not. */
function isWithoutAnswer({ responseStatus }: AuditEvent): boolean {
  return responseStatus?.code === 504;
}

function targetOf({ objectRef = {}, requestObject, responseObject }: AuditEvent): string {
  const name = objectRef.name ?? responseObject?.metadata?.name ?? requestObject?.metadata?.name ?? '';
  return `${objectRef.namespace}/${name}`;
}

/** The kinds that a write by Firebreak may be, by verb and resource. */
function kindsOf({ verb, objectRef = {} }: AuditEvent): readonly EffectKind[] {
  switch (`${verb} ${objectRef.resource}`) {
    case 'patch pods':
      return ['contain', 'give-back'];
    case 'delete pods':
      return ['delete'];
    case 'create secrets':
      return ['secret'];
    case 'patch deployments':
      return ['roll'];
    default:
      return [];
  }
}
