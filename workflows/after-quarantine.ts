import type { Verification } from '../core/action.ts';
import type { StepResult } from '../core/playbook.ts';
import { declarationOf } from './declarations.ts';
import type { IncidentModel } from './model.ts';
import type { Questions } from './questions.ts';
import type { StepEngine, StepOrder } from './steps.ts';

interface Parts {
  readonly engine: StepEngine;
  readonly model: IncidentModel;
  readonly questions: Questions;
}

/**
 * Once a pod is in quarantine, what the cell has turned on for that: its open connections are cut, and the quarantine is tried. Beside the
 * body, which neither waits for it nor fails by it; once for each quarantine, whoever joins it.
 */
export function afterQuarantine(parts: Parts, order: StepOrder, quarantine: StepResult): void {
  const { model } = parts;
  const wanted = model.settings.afterQuarantine ?? [];
  if (order.declaration.name !== 'quarantinePod' || wanted.length === 0 || model.followedUp.has(quarantine.key)) return;
  model.followedUp.add(quarantine.key);
  void model.during(followUp(parts, order, quarantine.key, wanted));
}

async function followUp(parts: Parts, order: StepOrder, key: string, wanted: readonly string[]): Promise<void> {
  const { engine, model, questions } = parts;
  const found = new Map<string, Verification>();
  for (const name of wanted) {
    // What fails is on the record, as a step like any other.
    const result = await engine
      .run({ caller: order.caller, declaration: declarationOf(name), input: order.input })
      .catch(() => undefined);
    if (result) found.set(name, result.verification);
  }
  const step = model.steps.get(key);
  const verification = combined({
    before: step?.verification,
    tried: found.get('probeQuarantine'),
    cut: found.get('cutConnections'),
  });
  if (!step || !verification) return;
  model.steps.set(key, { ...step, state: verification.state, detail: verification.detail, verification });
  model.record('step.verified', 'engine', `quarantinePod on ${step.target}: ${verification.state} (${verification.detail})`, {
    step: key,
    verification,
  });
  questions.touchAll();
}

/** What is known of the quarantine now; undefined where nothing new is. A quarantine that is only partial stays that. */
function combined(known: {
  readonly before: Verification | undefined;
  readonly tried: Verification | undefined;
  readonly cut: Verification | undefined;
}): Verification | undefined {
  const { before, tried, cut } = known;
  if (before?.state !== 'unverified') return undefined;
  if (tried?.state === 'partial') return tried;
  const open = cut?.state === 'verified' ? 'what was open has been cut' : 'established connections may live';
  if (tried?.state === 'verified') return { state: 'verified', detail: `${tried.detail}; ${open}` };
  if (tried === undefined && cut?.state !== 'verified') return undefined;
  return {
    state: 'unverified',
    detail: `applied; ${tried ? `a probe proved nothing: ${tried.detail}` : 'no probe was made'}; ${open}`,
  };
}
