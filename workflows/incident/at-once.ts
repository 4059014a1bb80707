import { quarantinePod } from '../../core/actions/index.ts';
import type { Alert } from '../../core/alert/alert.ts';
import { worse } from '../../core/alert/severity.ts';
import { isAskedAbout, isContainedAtOnce } from '../../core/assessment/contained-at-once.ts';
import type { SilenceProof } from '../../core/assessment/silence-seal.ts';
import type { QuestionState } from '../../core/incident/incident-state.ts';
import type { PodContainment } from '../../core/playbook/playbook.ts';
import type { Caller } from '../steps/caller.ts';
import type { StepOrder } from '../steps/step-calls.ts';
import type { BodyWork } from './body-work.ts';
import type { Body, IncidentModel } from './model.ts';

interface AtOnceParts {
  readonly model: IncidentModel;
  readonly body: Body;
  readonly work: BodyWork;
  readonly caller: Caller;
  readonly run: (order: StepOrder) => Promise<unknown>;
}

/**
 * Prepares a body whose pod may be contained at once, and contains it if its alert is reason enough, or if the pod has been contained at once for another body.
 * From then on any alert can contain it, whatever the body does by then: no body can forget it, and no open question can keep it from happening.
 */
export function mayContain(parts: AtOnceParts): void {
  const { model, body } = parts;
  const { alert } = body;
  body.containAtOnce = (because, unanswered) => containAtOnce(parts, because, unanswered);
  // What is only filed has no part in it: nobody would be asked whether its part may end.
  if (!isAskedAbout(body.strongest)) return;
  const before = othersOn(model, body).find(({ contained }) => contained && model.isHolding(contained.done.leaseId));
  if (isContainedAtOnce(alert)) body.containAtOnce(alert);
  else if (before?.contained) body.containAtOnce(before.contained.because, before.contained.unanswered);
}

/** What the cell says about the silence of this body's question, if that contains its pod. */
export function silenceOf({ alert, strongest }: Body): { readonly podUid: string; readonly seal: string } | undefined {
  const { pod, assessment } = strongest;
  if (assessment?.response !== 'ask' || assessment.onSilence !== 'contain' || assessment.seal === undefined) return undefined;
  return pod?.uid === undefined || pod.uid !== alert.pod?.uid ? undefined : { podUid: pod.uid, seal: assessment.seal };
}

/** Contains its pod because nobody has answered a question about it. Resolves when that is done or has failed, which is on record. */
export async function containUnanswered(body: Body, { question, heard }: QuestionState, seal: string): Promise<void> {
  if (heard === undefined) return;
  body.containAtOnce?.(body.strongest, { question, seal, heard });
  await body.containment?.result.catch(() => undefined);
}

/** Once, except that an alert in doubt, about which people are asked first, keeps no other alert from containing the pod. */
function containAtOnce({ model, body, work, caller, run }: AtOnceParts, because: Alert, unanswered?: SilenceProof): void {
  const { pod, workload, doubt } = because;
  const { containment } = body;
  if (pod?.uid === undefined || body.contained || (containment && (!containment.isInDoubt || doubt !== undefined))) return;
  const { namespace, name, uid } = pod;
  body.severity = worse(body.severity, because.severity);
  work.acts(`the containment of pod/${namespace}/${name}`);
  const result = run({
    caller: { ...caller, workload, alert: because, doubt },
    declaration: quarantinePod,
    input: { pod: { namespace, name, uid } },
    lease: {},
    ...(unanswered && { unanswered }),
  }) as Promise<PodContainment>;
  body.containment = { result, isInDoubt: doubt !== undefined };
  result.then(
    (done) => {
      body.contained ??= { done, because, ...(unanswered && { unanswered }) };
      for (const other of othersOn(model, body))
        if (other.state.state === 'running' && isAskedAbout(other.strongest)) other.containAtOnce?.(because, unanswered);
    },
    // It is on record as a failed step, and people are asked what they were asked before.
    () => undefined,
  );
}

function othersOn(model: IncidentModel, body: Body): readonly Body[] {
  return [...model.bodies.values()].filter((other) => other !== body && other.state.subjectKey === body.state.subjectKey);
}

/** Why an open question about containing the pod has become pointless. */
export function whyContained({ contained }: Body): string | undefined {
  if (!contained) return undefined;
  if (contained.unanswered) return 'the pod was contained because nobody answered: what was answered before does not count';
  const { rule, severity } = contained.because;
  return `the pod was contained at once because of “${rule}” (${severity}): what was answered before does not count`;
}
