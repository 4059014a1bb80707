import { names } from '../../../core/labels.ts';
import { AuditLog, isFirebreaks, isWrite } from '../../../service/demo/audit-log.ts';

export interface Effect {
  readonly kind: 'contain' | 'give-back' | 'delete' | 'secret' | 'roll' | 'other';
  /** `namespace/name`. */
  readonly target: string;
  /** Milliseconds since 1970, by the API server. */
  readonly at: number;
}

/** What Firebreak did to the cluster, in the API server's own words: every granted write, in order. */
export class Effects {
  readonly #log: AuditLog;

  constructor(auditLog: string) {
    this.#log = new AuditLog(auditLog);
  }

  all(): readonly Effect[] {
    return this.#log
      .events()
      .filter((event) => isFirebreaks(event) && isWrite(event))
      .map(({ verb, objectRef = {}, responseObject, stageTimestamp }): Effect => {
        const name = objectRef.name ?? responseObject?.metadata?.name ?? '';
        const contained = responseObject?.metadata?.labels?.[names.quarantineLabel] !== undefined;
        return {
          kind: kindOf(`${verb} ${objectRef.resource}`, contained),
          target: `${objectRef.namespace}/${name}`,
          at: Date.parse(stageTimestamp),
        };
      });
  }

  of(kind: Effect['kind'], target: string): readonly Effect[] {
    return this.all().filter((effect) => effect.kind === kind && effect.target === target);
  }

  /** Each target of this kind with how often it was changed. */
  counts(kind: Effect['kind']): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const effect of this.all()) if (effect.kind === kind) counts[effect.target] = (counts[effect.target] ?? 0) + 1;
    return counts;
  }
}

function kindOf(what: string, contained: boolean): Effect['kind'] {
  switch (what) {
    case 'patch pods':
      return contained ? 'contain' : 'give-back';
    case 'delete pods':
      return 'delete';
    case 'create secrets':
      return 'secret';
    case 'patch deployments':
      return 'roll';
    default:
      return 'other';
  }
}
