import type { z } from 'zod';
import { silenceUnder } from '../../../core/assessment/assessment.ts';
import { policyIn, scopeAsks } from '../../../core/assessment/policy.ts';
import { ownConfidences } from '../../../core/assessment/rule-confidence.ts';
import type { AuditStore } from '../../../core/audit/audit-store.ts';
import { incidentKeyOf } from '../../../core/console/incident-summary.ts';
import type { ConsoleExplained, ConsoleResponse, ConsoleWouldHave, explainQuery } from '../../../core/console/response.schema.ts';
import { sees, type VisibleNamespaces } from '../../../core/console/routes.ts';
import type { ControlState } from '../../../core/decide/control.ts';
import { isRestraint } from '../../../core/decide/decision.ts';
import { FirebreakError } from '../../../core/errors.ts';
import type { Trust } from '../../../core/messages/sender.ts';
import { type ActiveRestraint, restraintOn } from '../../../core/orders/restraint.ts';
import { matchesAnyName } from '../../../core/text/name-pattern.ts';
import type { Config } from '../../config/load.ts';
import { enabledPlaybooks } from '../../config/packs.ts';
import { readWouldHave } from '../../incidents/would-have.ts';
import { rulesOf } from '../../process/rules.ts';

const dayMs = 86_400_000;
const mostDecisions = 50;
/** Many people look at it, and its signatures take a while. */
const rememberedMs = 60_000;
const mostRemembered = 50;

interface Parts {
  readonly config: Config;
  readonly store: Pick<AuditStore, 'eachOfKinds'>;
  readonly trust: Trust;
  /** What people have ordered in a cluster; undefined while its cell does not answer. */
  readonly control: (cluster: string) => Promise<ControlState | undefined>;
  readonly now?: () => number;
}

/** What is done without asking, what would happen now, and what mode `contain` would have done: for whoever may see the namespaces. */
export class ConsoleResponses {
  readonly #parts: Parts;
  readonly #remembered = new Map<string, { readonly at: number; readonly made: Promise<ConsoleWouldHave> }>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Modes and scopes. A scope for namespaces that the reader does not see is only counted. */
  shown(visible: VisibleNamespaces): ConsoleResponse {
    const { config } = this.#parts;
    const { response, cluster, guardrails } = config;
    const isSeen = (patterns: readonly string[]): boolean =>
      visible === 'all' || visible.some((namespace) => matchesAnyName(patterns, namespace));
    const seen = response.scopes.flatMap((scope, index) => {
      if (scope.namespaces !== undefined && !isSeen(scope.namespaces)) return [];
      const { scope: _, ...policy } = policyIn(response, scope);
      const asks = scopeAsks(scope);
      return [
        {
          ...{ place: index + 1, name: scope.name ?? null, asks, ...inForce(policy) },
          onlyStronger: scope.workloadLabels !== undefined,
        },
      ];
    });
    const { scope: _, ...policy } = policyIn(response, undefined);
    return {
      ...{ cluster, ...inForce(policy), scopes: seen, hidden: response.scopes.length - seen.length },
      protectedNamespaces: guardrails.protectedNamespaces.filter((pattern) => isSeen([pattern])),
    };
  }

  /** @throws FB_ERR_NOT_FOUND for a namespace that the reader may not see, FB_ERR_UNKNOWN_ID for a rule that nobody has */
  async explained(question: z.output<typeof explainQuery>, visible: VisibleNamespaces): Promise<ConsoleExplained> {
    const { config, control, now = Date.now } = this.#parts;
    const { namespace, rule, pod, sensor, severity, secondRule } = question;
    if (!sees(visible, namespace))
      throw new FirebreakError('FB_ERR_NOT_FOUND', `You may not see the namespace ${namespace}, or there is none.`);
    const state = await control(config.cluster);
    const restraints = state?.decisions.flatMap((decision): readonly ActiveRestraint[] =>
      isRestraint(decision) && decision.status.state === 'active'
        ? [{ terms: decision.proposal.order.terms, proposer: '', approvers: [] }]
        : [],
    );
    // Imports decoders and rule sets: nothing else in the desk needs them.
    const { explainRule } = await import('../../coverage/explain-rule.ts');
    const playbooks = enabledPlaybooks(config);
    const { policy, cases, ...explained } = explainRule(
      {
        ...{ namespace, rule },
        ...(pod !== undefined && { pod }),
        ...(sensor !== undefined && { sensor }),
        ...(severity !== undefined && { severity }),
        ...(secondRule !== undefined && { secondRule }),
      },
      {
        ...{ cluster: config.cluster, playbooks, guardrails: rulesOf(config) },
        ...{ capWindowMinutes: config.guardrails.capWindowMinutes, severities: config.sensors, response: config.response },
        own: ownConfidences(config.sensors, playbooks),
        ...(restraints && {
          restraintOn: (playbook: string) => restraintOn(restraints, { namespaces: [namespace], playbook }, now()),
        }),
      },
      now(),
    );
    return {
      ...explained,
      policy: { ...policy, ...inForce(policy) },
      limits: [...explained.limits],
      cases: cases.map(({ when, severity: worst, assessment, effect, playbooks, rule: fires }) => ({
        ...{ when, rule: fires, severity: worst, effect, response: assessment.response, reasons: [...assessment.reasons] },
        playbooks: playbooks.map(({ id, title }) => ({ id, title })),
      })),
    };
  }

  wouldHave(days: number, visible: VisibleNamespaces): Promise<ConsoleWouldHave> {
    const { now = Date.now } = this.#parts;
    const key = JSON.stringify([days, visible]);
    const known = this.#remembered.get(key);
    if (known && now() - known.at < rememberedMs) return known.made;
    const made = this.#readWouldHave(days, visible);
    this.#remembered.delete(key);
    const [oldest] = this.#remembered.keys();
    if (oldest !== undefined && this.#remembered.size >= mostRemembered) this.#remembered.delete(oldest);
    this.#remembered.set(key, { at: now(), made });
    made.catch(() => this.#remembered.delete(key));
    return made;
  }

  async #readWouldHave(days: number, visible: VisibleNamespaces): Promise<ConsoleWouldHave> {
    const { store, trust, now = Date.now } = this.#parts;
    const until = now();
    const period = { since: until - days * dayMs, until };
    const { decisions, rows, ...report } = await readWouldHave({
      ...{ store, trust, period },
      isShown: (namespace) => sees(visible, namespace),
    });
    return {
      ...report,
      rows: rows.map(({ mostADay: _, ...row }) => row),
      decisions: decisions.slice(0, mostDecisions).map(({ at, chain, namespace, pod, rule, would, judged, reasons }) => ({
        ...{ at, namespace, pod, rule, would, judged, reasons: [...reasons] },
        incident: incidentKeyOf(chain),
      })),
      further: Math.max(0, decisions.length - mostDecisions),
    };
  }
}

function inForce({ mode, profile, onSilence }: Pick<ConsoleResponse, 'mode' | 'profile' | 'onSilence'>) {
  return { mode, profile, onSilence: silenceUnder({ mode, profile, onSilence }) };
}
