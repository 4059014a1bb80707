import type { Verification } from '../../core/action/action.ts';
import type { QuarantinePodOutput } from '../../core/actions/containment/quarantine-pod.schema.ts';
import type { QuarantineWorkloadOutput } from '../../core/actions/containment/quarantine-workload.schema.ts';
import type { ResolvedPod } from '../../core/actions/pod.schema.ts';
import type { StepResult } from '../../core/playbook/playbook.ts';
import { declarationOf } from '../declarations.ts';
import type { IncidentModel } from '../incident/model.ts';
import type { Questions } from '../questions/questions.ts';
import type { StepOrder } from './step-calls.ts';
import { quarantinedPods } from './step-data.ts';
import type { StepEngine } from './steps.ts';

/** Maximum number of pods followed up per quarantine, and how many at the same time: each briefly needs pods of ours on its node. */
const mostPods = 20;
const atOnce = 4;

interface Parts {
  readonly engine: StepEngine;
  readonly model: IncidentModel;
  readonly questions: Questions;
}

/** Findings for one pod. Absent: it was not done, or failed. */
interface Found {
  readonly pod: ResolvedPod;
  readonly cut: Verification | undefined;
  readonly tried: Verification | undefined;
}

/**
 * Follow-up of a quarantine as enabled in the cell: cuts the open connections of the pods, and tests the quarantine. Runs next to the body, which neither waits
 * for it nor fails because of it; once per quarantine, whoever joins it.
 */
export function afterQuarantine(parts: Parts, order: StepOrder, quarantine: StepResult): void {
  const { model } = parts;
  const wanted = model.settings.afterQuarantine ?? [];
  const pods = quarantinedPods(order.declaration.name, order.input, quarantine.output);
  if (pods.length === 0 || wanted.length === 0 || model.followedUp.has(quarantine.key)) return;
  model.followedUp.add(quarantine.key);
  void model.during(followUp({ parts, order, quarantine, wanted, pods }));
}

async function followUp(work: {
  readonly parts: Parts;
  readonly order: StepOrder;
  readonly quarantine: StepResult;
  readonly wanted: readonly string[];
  readonly pods: readonly ResolvedPod[];
}): Promise<void> {
  const { parts, order, quarantine, wanted, pods } = work;
  const { key } = quarantine;
  const { model, questions } = parts;
  const missing = missingOf(wanted, model.settings.unavailable);
  if (missing.actions.length > 0) sayMissing(parts, order, key, missing);
  const able = wanted.filter((name) => !missing.actions.includes(name));
  if (able.length === 0) return;
  const found: Found[] = [];
  const waiting = pods.slice(0, mostPods);
  const inTurn = async (): Promise<void> => {
    for (let pod = waiting.shift(); pod; pod = waiting.shift()) found.push(await lookAt(parts, order, able, pod));
  };
  await Promise.all(Array.from({ length: atOnce }, inTurn));
  const step = model.steps.get(key);
  const { exceptions = [] } = (quarantine.output ?? {}) as Partial<QuarantinePodOutput | QuarantineWorkloadOutput>;
  const verification = combined({
    before: step?.verification,
    found,
    pods: pods.length,
    exceptions: [...exceptions, ...missing.notes],
  });
  if (!step || !verification) return;
  model.steps.set(key, { ...step, state: verification.state, detail: verification.detail, verification });
  const { name } = order.declaration;
  model.record('step.checked', 'engine', `${name} on ${step.target}: ${verification.state} (${verification.detail})`, {
    step: key,
    verification,
  });
  questions.touchAll();
}

/** What was turned on and cannot work. */
interface Missing {
  readonly actions: readonly string[];
  /** The same for people. */
  readonly notes: readonly string[];
}

function missingOf(wanted: readonly string[], unavailable: readonly string[] = []): Missing {
  const actions = wanted.filter((name) => unavailable.includes(name));
  return { actions, notes: actions.length > 0 ? [`not done: ${actions.join(', ')} cannot work as configured`] : [] };
}

/** On the record and on the card: whoever turned these on counts on them. */
function sayMissing({ model, questions }: Parts, { caller, declaration }: StepOrder, key: string, missing: Missing): void {
  for (const name of missing.actions)
    model.record(
      'step.unavailable',
      `playbook/${caller.playbook}`,
      `${declarationOf(name).title}: not done. ${name} is turned on, but cannot work as configured`,
      { action: name },
    );
  const step = model.steps.get(key);
  if (!step?.verification) return;
  const verification = { ...step.verification, detail: [step.verification.detail, ...missing.notes].join('; ') };
  model.steps.set(key, { ...step, detail: verification.detail, verification });
  const { name } = declaration;
  model.record('step.checked', 'engine', `${name} on ${step.target}: ${verification.state} (${verification.detail})`, {
    step: key,
    verification,
  });
  questions.touchAll();
}

async function lookAt(parts: Parts, order: StepOrder, wanted: readonly string[], pod: ResolvedPod): Promise<Found> {
  const told = new Map<string, Verification>();
  for (const name of wanted) {
    // A failure is recorded, as for any other step.
    const result = await parts.engine
      .run({ caller: order.caller, declaration: declarationOf(name), input: { pod } })
      .catch(() => undefined);
    if (result) told.set(name, result.verification);
  }
  return { pod, cut: told.get('cutConnections'), tried: told.get('probeQuarantine') };
}

/** What is now known of the quarantine; undefined if nothing new is. A partial quarantine stays partial. */
function combined(known: {
  readonly before: Verification | undefined;
  readonly found: readonly Found[];
  /** Pods in quarantine, whether they were checked or not. */
  readonly pods: number;
  /** What is left open, whatever a probe finds. */
  readonly exceptions: readonly string[];
}): Verification | undefined {
  const { before, found, pods, exceptions } = known;
  if (before?.state !== 'unverified') return undefined;
  const said = ({ pod, tried }: Found, text = tried?.detail ?? 'no probe was made'): string =>
    pods === 1 ? text : `pod/${pod.namespace}/${pod.name}: ${text}`;
  const open = found.filter(({ tried }) => tried?.state === 'partial');
  if (open.length > 0)
    return {
      state: 'partial',
      detail: open.map((one) => said(one)).join('; '),
      missing: open.flatMap(({ tried }) => (tried?.state === 'partial' ? tried.missing : [])),
    };
  const cut = found.filter((one) => one.cut?.state === 'verified').length;
  const proven = found.filter(({ tried }) => tried?.state === 'verified');
  const lives =
    cut === pods
      ? 'what was open has been cut'
      : `established connections may survive${pods === 1 ? '' : ` in ${pods - cut} of ${pods} pods`}`;
  if (proven.length === pods) {
    const detail =
      pods === 1 ? proven.map((one) => said(one)).join() : `new connections are dropped, tried at each of ${pods} pods`;
    return { state: 'verified', detail: [detail, lives, ...exceptions].join('; ') };
  }
  if (cut === 0 && found.every(({ tried }) => tried === undefined)) return undefined;
  const unproven = found
    .filter((one) => !proven.includes(one))
    .map((one) => said(one, one.tried ? `a probe proved nothing: ${one.tried.detail}` : undefined));
  const beyond = pods - found.length;
  const rest = beyond > 0 ? [`${beyond} more were not checked: at most ${mostPods} are checked`] : [];
  const held = pods > 1 && proven.length > 0 ? [`tried at ${proven.length} of ${pods} pods, which hold`] : [];
  return { state: 'unverified', detail: ['applied', ...held, ...unproven, ...rest, lives, ...exceptions].join('; ') };
}
