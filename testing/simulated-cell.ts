import { type Chokepoint, createChokepoint } from '../activities/chokepoint/chokepoint.ts';
import { countedIn } from '../activities/chokepoint/reservations.ts';
import { type PolicyView, policyOfStep } from '../activities/chokepoint/step-policy.ts';
import { IncidentMemory } from '../activities/memory/incident-memory.ts';
import { VoteMemory } from '../activities/memory/vote-memory.ts';
import type { ActionDeclaration, StepContext } from '../core/action/action.ts';
import { defaultGuardrails, type GuardrailRules } from '../core/action/guardrail.ts';
import type { Plan } from '../core/action/plan.ts';
import type { AppliedStep, CellActivities, DeskActivities, StepCall, WarrantActivities } from '../core/action/step.ts';
import { quarantinePod } from '../core/actions/index.ts';
import type { Alert } from '../core/alert/alert.ts';
import { isSealedFor } from '../core/assessment/containment-seal.ts';
import type { ResponseRules } from '../core/assessment/policy.ts';
import { containedBySilence, sealHeard } from '../core/assessment/silence-seal.ts';
import type { Level } from '../core/decide/approval.ts';
import { type EnvelopeAsking, groupsAskedBy } from '../core/decide/asking.ts';
import { checkVote } from '../core/decide/vote-check.ts';
import type { SignedWarrant } from '../core/decide/warrant.ts';
import { FirebreakError } from '../core/errors.ts';
import type { AlertBatch, IncidentRef } from '../core/incident/incident.ts';
import { mostLeaseHours } from '../core/incident/lease.ts';
import type { Roster } from '../core/people/roster.ts';
import type { AnyPlaybook } from '../core/playbook/playbook.ts';
import { StepFailure } from '../workflows/step-failure.ts';
import { targetText } from '../workflows/steps/step-data.ts';
import { isSkipped } from '../workflows/steps/steps.ts';
import { simulatedKeys } from './people.ts';
import { type SimulatedCall, type SimulatedCluster, simulatedAction } from './simulated-actions.ts';
import type { StoryStep } from './story.ts';

/** What the cell was asked to do, in order. */
interface CellEvents {
  readonly planned: (plan: Plan) => void;
  readonly stepped: (step: Omit<StoryStep, 'at'>) => void;
}

const hourMs = 3_600_000;

/** Of no cell: what it seals counts in simulations only. */
export const simulatedCellKey = new Uint8Array(32);

/** How long to wait for evidence, as in the shipped configuration. */
export const evidenceDeadlineMs = 30 * 60_000;

/** The activities of a cell and a desk without a cluster or a chat: with the real chokepoint, on actions that change nothing. */
export class SimulatedCell {
  readonly #chokepoint: Chokepoint;
  readonly #declarations: ReadonlyMap<string, ActionDeclaration>;
  readonly #incidents: IncidentMemory;
  readonly #votes = new VoteMemory();
  readonly #asking: EnvelopeAsking;
  readonly #roster: Roster;
  readonly #cluster: SimulatedCluster;
  readonly #events: CellEvents;
  readonly #mostLeaseHours: number;

  constructor(options: {
    readonly playbooks: readonly AnyPlaybook[];
    readonly roster: Roster;
    readonly levels: readonly Level[];
    readonly cluster: SimulatedCluster;
    readonly guardrails: Partial<GuardrailRules> | undefined;
    readonly response: ResponseRules;
    /** The first alert: what else is known of the cluster is what it says. */
    readonly alert: Alert;
    /** Pods of the alert's workload. */
    readonly replicas: number | undefined;
    readonly events: CellEvents;
  }) {
    const { playbooks, roster, levels, cluster, guardrails, response, alert, replicas, events } = options;
    this.#cluster = cluster;
    this.#events = events;
    this.#mostLeaseHours = guardrails?.longestLeaseHours ?? mostLeaseHours;
    this.#roster = roster;
    this.#asking = { playbooks, groups: levels.map(({ group }) => group) };
    this.#incidents = new IncidentMemory({ now: cluster.now });
    const used = [quarantinePod, ...playbooks.flatMap(({ uses }) => Object.values(uses))];
    this.#declarations = new Map(used.map((declaration) => [declaration.name, declaration]));
    this.#chokepoint = createChokepoint({
      actions: [...this.#declarations.values()].map((declaration) => simulatedAction(declaration, cluster)),
      rules: { ...defaultGuardrails, ...guardrails },
      roster,
      keys: simulatedKeys,
      census: {
        ownerReplicas: () => replicas,
        ...countedIn(() => cluster.contained),
        containedBy: (_, namespace) =>
          new Set([...cluster.contained].flatMap(([uid, where]) => (where === namespace ? [uid] : []))),
      },
      isAssessed: (text, podUid) => isSealedFor(text, { podUid, key: simulatedCellKey, nowMs: cluster.now() }),
      bySilence: (unanswered, of) => containedBySilence(unanswered, { ...of, key: simulatedCellKey, nowMs: cluster.now() }),
      policyOn: policyOfStep({ cluster: alert.cluster, response }, { view: labelsIn(alert), incidents: this.#incidents }),
      hasEvidence: async () => true,
      evidenceWait: { ms: evidenceDeadlineMs },
      asking: () => this.#asking,
      incidents: this.#incidents,
      votes: this.#votes,
      now: cluster.now,
    });
  }

  /** Called before the incident receives the batch, as the intake does. */
  hears({ id, run }: IncidentRef, batch: AlertBatch): void {
    this.#incidents.hears(id, batch, this.#asking.playbooks);
    this.#incidents.delivered(id, run);
  }

  declarationOf(action: string): ActionDeclaration | undefined {
    return this.#declarations.get(action);
  }

  /** The step joined another one, which involves no call. */
  joined(action: string, target: string): void {
    this.#tell({ action, input: undefined }, { state: 'joined', target });
  }

  /** @param chain of the incident's records */
  activities(chain: () => string): CellActivities & DeskActivities & WarrantActivities {
    const checks = {
      verifyVote: async ({ vote, question, level, actors }) => {
        const known = this.#ownWord(question, actors);
        const now = this.#cluster.now();
        const checked = checkVote({ signed: vote, question, level, roster: this.#roster, keys: simulatedKeys, now, ...known });
        if (checked.ok) this.#votes.note(question, vote, { at: now, asked: level, actors: known.actors, level: checked.level });
        return checked;
      },
      verifyRemark: async () => ({ ok: false, reason: 'nobody remarks in a simulation' }),
      // Only for cards, which nobody reads here: the voters themselves are still checked.
      answerersTo: async ({ question }) => ({
        levels: question.levels.map(() => []),
        requesters: [],
        ...(question.containsOnSilence !== undefined && { heard: sealHeard(question, simulatedCellKey, this.#cluster.now()) }),
      }),
    } satisfies Partial<CellActivities>;
    return {
      ...checks,
      planStep: (call) => this.#plan(call),
      applyStep: (call) => this.#apply(call),
      applyStepNow: (call) => this.#apply(call),
      verifyStep: (step) => this.#chokepoint.verify(step, contextOf(step.call)),
      undoStep: async (undo) => {
        const approvedBy = undo.reason.kind === 'approved' ? peopleIn(undo.reason.proof) : [];
        const result = await this.#orTell(undo.call, approvedBy, () => this.#chokepoint.undo(undo, contextOf(undo.call)));
        this.#tell(undo.call, { state: 'undone', approvedBy });
        return result;
      },
      // The pool of a simulation is its cell, which needs no warrant.
      issueWarrant: async (call) => simulatedWarrant(call),
      issueReleaseWarrant: async ({ call }) => simulatedWarrant(call),
      postQuestion: async () => null,
      updateQuestion: async () => undefined,
      postInThread: async () => null,
      showNotice: async () => null,
      answerClick: async () => undefined,
      recordAudit: async (records) => ({ chain: chain(), number: records.at(-1)?.number ?? 0, hash: '' }),
    };
  }

  #ownWord(question: Parameters<CellActivities['verifyVote']>[0]['question'], actors: readonly string[] = []) {
    const known = this.#incidents.of(question.incident);
    return {
      actors: [...new Set([...known.actors, ...actors])],
      requesters: known.requesters,
      groups: groupsAskedBy(question, this.#asking, known.playbooks),
    };
  }

  async #plan(call: StepCall): Promise<Plan> {
    return asStep(async () => {
      const failure = this.#cluster.failureOf({ key: call.key, action: call.action, does: 'plan', input: call.input });
      if (failure) throw new FirebreakError(failure.code, failure.reason);
      const plan = await this.#chokepoint.plan(call, contextOf(call));
      this.#events.planned(plan);
      return plan;
    });
  }

  async #apply(call: StepCall): Promise<AppliedStep> {
    const approvedBy = peopleIn(call.approval);
    const applied = await this.#orTell(call, approvedBy, () => this.#chokepoint.apply(call, contextOf(call)));
    const declaration = this.#declarations.get(call.action);
    const state = declaration && isSkipped(declaration, applied.output) ? 'skipped' : 'done';
    this.#tell(call, { state, approvedBy, ...this.#shortened(call) });
    return applied;
  }

  #shortened({ lease }: StepCall): Pick<StoryStep, 'shortened'> {
    const asked = (lease?.durationMs ?? 0) / hourMs;
    return asked > this.#mostLeaseHours ? { shortened: { asked, allowed: this.#mostLeaseHours } } : {};
  }

  async #orTell<T>(call: StepCall, approvedBy: readonly string[], work: () => Promise<T>): Promise<T> {
    try {
      return await asStep(work);
    } catch (error) {
      if (error instanceof StepFailure)
        this.#tell(call, {
          state: 'failed',
          approvedBy,
          code: error.code,
          reason: error.message,
          ...(this.#cluster.wasInjected(call.key) && { isInjected: true as const }),
        });
      throw error;
    }
  }

  #tell(call: Pick<SimulatedCall, 'action' | 'input'>, what: Partial<StoryStep> & Pick<StoryStep, 'state'>): void {
    const { effect = 'read', reach = 'pod' } = this.#declarations.get(call.action) ?? {};
    this.#events.stepped({ action: call.action, target: targetText(call.input), effect, reach, approvedBy: [], ...what });
  }
}

/** Scopes that ask for labels of namespaces hold for none here, as in the assessment. */
function labelsIn({ pod, facts }: Alert): PolicyView {
  const labels = Object.fromEntries(
    Object.entries(facts?.labels ?? {}).filter((entry): entry is [string, string] => entry[1] !== null),
  );
  return {
    podByUid: (uid) => (pod?.uid === uid ? { namespace: pod.namespace, labels } : undefined),
    namespaceLabels: () => ({}),
  };
}

function simulatedWarrant({ key, action, incident, severity }: StepCall): SignedWarrant {
  return {
    warrant: {
      version: 1,
      id: key,
      incident,
      step: key,
      action,
      inputDigest: '',
      planDigest: '',
      proofDigest: '',
      severity,
      deciders: [],
      actors: [],
      requesters: [],
      at: 0,
      until: 0,
    },
    keyId: 'simulated',
    signature: '',
  };
}

/** Converts a failure as the worker would. */
async function asStep<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof FirebreakError ? new StepFailure(error.code, error.detail) : error;
  }
}

function peopleIn(proof: StepCall['approval']): readonly string[] {
  return [...new Set(proof?.votes.map(({ vote }) => vote.person) ?? [])];
}

function contextOf({ key, incident }: StepCall): StepContext {
  return { key, incident: incident.id, run: incident.run, fast: false, signal: neverAborted };
}
const neverAborted = new AbortController().signal;
