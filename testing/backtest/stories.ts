import { defaultGuardrails, type GuardrailRules } from '../../core/action/guardrail.ts';
import type { Alert } from '../../core/alert/alert.ts';
import type { ListedPlaybook } from '../../core/playbook/pack.ts';
import type { ParamValue } from '../../core/playbook/params.ts';
import { matchesAnyName } from '../../core/text/name-pattern.ts';
import type { Chooser } from '../chooser.ts';
import { runStory } from '../simulate.ts';
import type { Story } from '../story.ts';

/** The countable result of a story. */
interface StoryOutcome {
  /** Steps that change something and ran without people. */
  readonly contained: number;
  readonly automatic: readonly string[];
  readonly refused: readonly string[];
  /** For each question its groups, in the order in which they are asked. */
  readonly asked: readonly (readonly string[])[];
  readonly stopped: boolean;
}

/** What of the options changes what a body does. */
interface StoryOptions {
  readonly guardrails?: GuardrailRules;
  readonly levels?: readonly string[];
  readonly params?: Readonly<Record<string, Readonly<Record<string, ParamValue>>>>;
}

/** Maximum number of alert kinds whose story is remembered. */
const mostStories = 5_000;

/** Everybody is silent, nothing fails, and each action returns its plainest output. */
const inSilence: Chooser = { answer: () => undefined, failure: () => undefined, output: (_, [plainest]) => plainest?.() };

/** Fields that identify an individual alert and not its kind. */
const names: ReadonlySet<string> = new Set([
  ...['id', 'time', 'receivedAt', 'title', 'pod', 'node', 'cluster'],
  // What it says is part of the kind; its reasons name individual things.
  'assessment',
]);

/** After this many different alerts of one rule and severity with the same result, the others are assumed to have it too. */
const sureAfter = 10;

/** The oldest entry is dropped first. */
function remember<Value>(all: Map<string, Value>, key: string, value: Value): void {
  all.set(key, value);
  if (all.size > mostStories) for (const oldest of all.keys()) if (all.delete(oldest)) return;
}

/** Guardrails under which a cap is reached, whatever is contained. */
const full = { namespaceCap: 0, namespaceReserve: 0 } as const;

/** What a playbook does about each kind of alert; the kind consists of everything its body looks at. */
export class StoryMemory {
  readonly #options: StoryOptions;
  /** Namespaces in which the same alert has another result. */
  readonly #protected: readonly string[];
  readonly #outcomes = new Map<string, StoryOutcome>();
  /** Playbook, rule and severity → how often the result was the same, whatever else the alert said; no longer used after the first difference. */
  readonly #alike = new Map<string, { readonly outcome: StoryOutcome; readonly times: number }>();
  /** Playbook → alert fields that its body has read so far. */
  readonly #looked = new Map<string, Set<string>>();

  constructor(options: StoryOptions) {
    this.#options = options;
    const { protectedNamespaces, ownNamespace } = options.guardrails ?? defaultGuardrails;
    this.#protected = [...protectedNamespaces, ownNamespace];
  }

  /** @param isCapped a cap keeps the pod from being contained */
  async outcomeOf(playbook: ListedPlaybook, alert: Alert, isCapped: boolean): Promise<StoryOutcome> {
    const { rule, severity, sensor, doubt, pod, assessment } = alert;
    const isProtected = pod !== undefined && matchesAnyName(this.#protected, pod.namespace);
    const kind = JSON.stringify([
      ...[playbook.id, rule, severity, sensor, doubt, pod?.uid !== undefined, isProtected],
      ...[assessment?.response, assessment?.pages, isCapped],
    ]);
    const alike = this.#alike.get(kind);
    if (alike && alike.times >= sureAfter) return alike.outcome;
    const known = this.#outcomes.get(this.#keyOf(playbook, alert, isCapped));
    if (known) return known;
    const looked = this.#looked.get(playbook.id) ?? new Set<string>();
    this.#looked.set(playbook.id, looked);
    const { guardrails, levels, params } = this.#options;
    const options = {
      alert,
      params: params?.[playbook.id] ?? {},
      ...((guardrails || isCapped) && { guardrails: { ...guardrails, ...(isCapped && full) } }),
      ...(levels && { levels: levels.map((group) => ({ group, within: '1h' as const })) }),
    };
    const story = await runStory([seen(playbook, looked)], options, inSilence);
    const outcome = outcomeOf(story);
    const isSame = alike && JSON.stringify(alike.outcome) === JSON.stringify(outcome);
    remember(this.#alike, kind, {
      outcome,
      times: alike === undefined ? 1 : isSame ? alike.times + 1 : Number.NEGATIVE_INFINITY,
    });
    // Stored by everything it has read so far.
    remember(this.#outcomes, this.#keyOf(playbook, alert, isCapped), outcome);
    return outcome;
  }

  #keyOf({ id }: ListedPlaybook, alert: Alert, isCapped: boolean): string {
    const { rule, severity, sensor, doubt, pod, workload, assessment } = alert;
    const looked = [...(this.#looked.get(id) ?? [])].filter((field) => !names.has(field)).sort();
    const values = looked.map((field) => [field, (alert as unknown as Readonly<Record<string, unknown>>)[field]]);
    return JSON.stringify([
      ...[id, rule, severity, sensor, doubt, pod?.namespace, pod?.uid !== undefined, workload?.kind, values],
      ...[assessment?.response, assessment?.pages, isCapped],
    ]);
  }
}

/** The same playbook, recording which fields of the alert its body reads. */
function seen(playbook: ListedPlaybook, looked: Set<string>): ListedPlaybook {
  const run = (context: { readonly alert: Alert }): Promise<void> => {
    const alert = new Proxy(context.alert, {
      get: (target, field) => {
        if (typeof field === 'string') looked.add(field);
        return Reflect.get(target, field);
      },
      has: (target, field) => {
        if (typeof field === 'string') looked.add(field);
        return Reflect.has(target, field);
      },
      ownKeys: (target) => {
        for (const field of Object.keys(target)) looked.add(field);
        return Reflect.ownKeys(target);
      },
    });
    return playbook.run(Object.create(context, { alert: { value: alert, enumerable: true } }) as never);
  };
  return { ...playbook, run };
}

function outcomeOf({ steps, questions, end }: Story): StoryOutcome {
  const automatic = steps.filter(({ state, approvedBy }) => state === 'done' && approvedBy.length === 0);
  return {
    contained: automatic.filter(({ effect }) => effect !== 'read').length,
    automatic: automatic.map(({ action }) => action),
    refused: steps.flatMap(({ state, code }) => (state === 'failed' && code !== undefined ? [code] : [])),
    asked: questions.map(({ groups }) => groups),
    stopped: end === 'failed' || end === 'endless',
  };
}
