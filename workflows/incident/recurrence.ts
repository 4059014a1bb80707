import { quarantinePod } from '../../core/actions/index.ts';
import type { Alert } from '../../core/alert/alert.ts';
import type { HarmlessDecision } from '../../core/alert/coverage.ts';
import type { ListedPlaybook } from '../../core/playbook/pack.ts';
import { levelsOf } from '../../core/playbook/playbook.ts';
import type { StepOrder } from '../steps/step-calls.ts';
import { nowMs, timeNow } from '../world.ts';
import type { ContextParts } from './context.ts';

interface Again {
  /** Since the last decision of people. */
  times: number;
  decided: HarmlessDecision;
  isAsked: boolean;
  /** Milliseconds since 1970: until then it is only counted. */
  notBefore: number;
}

interface RecurringAlert {
  readonly playbook: ListedPlaybook;
  readonly alert: Alert;
  readonly decided: HarmlessDecision;
  /** Absent: once. */
  readonly times?: number;
}

/** Wait after an answer. The first time there is no wait. */
const quietMs = 3_600_000;

/**
 * Something that people have called harmless occurs again on a pod that they released: they are asked at once, with one question however often it occurs. After
 * their answer it is counted for an hour before it is asked about again, with the count.
 */
export class Recurrences {
  readonly #parts: ContextParts;
  readonly #about = new Map<string, Again>();

  constructor(parts: ContextParts) {
    this.#parts = parts;
  }

  ask({ playbook, alert, decided, times = 1 }: RecurringAlert): void {
    const { model, questions } = this.#parts;
    const about = alert.pod?.uid ?? alert.node ?? alert.cluster;
    const again = this.#about.get(about) ?? { times: 0, decided, isAsked: false, notBefore: 0 };
    again.times += times;
    this.#about.set(about, again);
    if (again.isAsked) questions.touchAll();
    if (again.isAsked || nowMs() < again.notBefore) return;
    again.isAsked = true;
    model.lastNewsAt = nowMs();
    void model.during(
      this.#ask(playbook, alert, again).finally(() => {
        again.isAsked = false;
        again.times = 0;
        again.notBefore = nowMs() + quietMs;
      }),
    );
  }

  async #ask(playbook: ListedPlaybook, alert: Alert, again: Again): Promise<void> {
    const { model, questions, engine } = this.#parts;
    const order = orderOf(playbook, alert);
    const plan = order && (await engine.plan(order).catch(() => undefined));
    const [first, ...later] = levelsOf(playbook, alert.severity, model.settings.levels);
    const decision = await questions.ask({
      text: textOf(alert, again, model.namesOf(again.decided.by)),
      choices: [
        ...(plan ? [{ id: 'quarantine', label: 'Quarantine the pod', plans: [plan] }] : []),
        { id: 'look', label: 'Leave it as it is, and look into it', plans: [] },
        { id: 'harmless', label: 'It is still harmless', plans: [], harmless: true as const },
      ],
      // A released pod is not contained: silence matters.
      levels: first ? [alert.severity === 'critical' ? { ...first, page: true } : first, ...later] : [],
      requester: `playbook/${playbook.id}`,
      onSilence: 'Nothing is done: it is not contained.',
      alert,
    });
    if (decision?.choice === 'harmless') again.decided = { ...again.decided, at: timeNow(), by: decision.by };
    if (decision?.choice !== 'quarantine' || !order) return;
    // A refusal is recorded as a failed step, and reported to the people who wanted the step.
    await engine.run({ ...order, approval: decision.proof }).catch((error) => {
      questions.page(`The pod was not quarantined: ${error instanceof Error ? error.message : 'the step failed'}`);
    });
  }
}

function orderOf(playbook: ListedPlaybook, alert: Alert): StepOrder | undefined {
  const { pod, workload, doubt } = alert;
  // A playbook that does not contain must not ask for it either.
  if (pod?.uid === undefined || !Object.values(playbook.uses).some(({ name }) => name === quarantinePod.name)) return undefined;
  const { namespace, name, uid } = pod;
  return {
    caller: { playbook: playbook.id, subjectKey: `pod:${uid}/again`, workload, alert, doubt },
    declaration: quarantinePod,
    input: { pod: { namespace, name, uid } },
    lease: {},
  };
}

/** Includes the time and the people of the earlier answer. */
function textOf({ rule, pod, node, cluster }: Alert, { times, decided }: Again, people: readonly string[]): string {
  const where = pod ? `${pod.namespace}/${pod.name}` : (node ?? cluster);
  const often = times === 1 ? 'was reported again' : `was reported again, ${times} times,`;
  const at = `${decided.at.slice(0, 16).replace('T', ' ')} UTC`;
  return `“${rule}” ${often} in ${where}. ${people.join(' and ')} found it harmless or released it at ${at}. What is it?`;
}
