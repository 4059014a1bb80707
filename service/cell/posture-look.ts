import type { Chokepoint } from '../../activities/chokepoint/chokepoint.ts';
import type { StepRegister } from '../../activities/chokepoint/step-register.ts';
import { ConcurrencyLimiter } from '../../activities/concurrency-limiter.ts';
import { asFailure } from '../../activities/failures.ts';
import { type HardenedSpec, harden } from '../../core/action/hardening.ts';
import type { LookActivities, StepCall } from '../../core/action/step.ts';
import { hardenWorkload } from '../../core/actions/index.ts';
import { reportedKinds, reportedSubject } from '../../core/cluster/hardening-report.ts';
import type { PodRecord } from '../../core/cluster/pod-record.ts';
import {
  type AskedPosture,
  type HardeningProposal,
  hardeningCommand,
  type LookedAtSpec,
  type Posture,
  postureFindings,
  postureLevel,
} from '../../core/cluster/posture.ts';
import { templateDifference } from '../../core/cluster/template-difference.ts';
import { FirebreakError } from '../../core/errors.ts';
import { type Subject, subjectOfIncident } from '../../core/incident/incident.ts';
import { isObject } from '../../core/text/plain-json.ts';
import { type AskedRight, mayAccount } from '../../integrations/kubernetes/access-review.ts';
import type { KubernetesApi } from '../../integrations/kubernetes/client.ts';
import { readKnownObject } from '../../integrations/kubernetes/objects.ts';
import { readPod } from '../../integrations/kubernetes/pods/pods.ts';
import type { ClusterView } from '../../integrations/kubernetes/watch/cluster-view.ts';
import type { PodJson } from '../../integrations/kubernetes/watch/projection.ts';
import { isOfWorkload, topOwnerOf } from '../../integrations/kubernetes/workloads/owners.ts';
import type { RollingObject } from '../../integrations/kubernetes/workloads/rollout.ts';
import { workloadRef } from '../../integrations/kubernetes/workloads/workloads.ts';
import { reasonOf } from '../process/log.ts';

type Workload = Extract<Subject, { readonly kind: 'workload' }>;

const mostChanges = 20;
const withinMs = 10_000;

/** Maximum concurrent looks. Each makes a dozen API calls: containments in a storm come first. */
const mostAtOnce = 4;

/** Rights of an account that help an attacker get further. */
const reaches: readonly (readonly [text: string, right: AskedRight, everywhere?: true])[] = [
  ['do everything', { verb: '*', group: '*', resource: '*' }, true],
  ['read all Secrets of the cluster', { verb: 'list', resource: 'secrets' }, true],
  ['read the Secrets of its namespace', { verb: 'list', resource: 'secrets' }],
  ['start pods in its namespace', { verb: 'create', resource: 'pods' }],
  ['run commands in pods of its namespace', { verb: 'create', resource: 'pods', subresource: 'exec' }],
  ['create tokens for other accounts', { verb: 'create', resource: 'serviceaccounts', subresource: 'token' }],
  ['act as other users', { verb: 'impersonate', resource: 'users' }, true],
  ['grant rights in the cluster', { verb: 'create', group: 'rbac.authorization.k8s.io', resource: 'clusterrolebindings' }, true],
  ['reach the kubelets', { verb: 'get', resource: 'nodes', subresource: 'proxy' }, true],
];

interface PostureParts {
  readonly api: KubernetesApi;
  readonly view: Pick<ClusterView, 'podByUid' | 'pods' | 'ownersOf'>;
  /** Plans the hardening: a dry run. */
  readonly chokepoint: Pick<Chokepoint, 'plan'>;
}

/** A cell's posture looks: a few at a time, as its own steps. Callers beyond that retry later, and take no place from a containment meanwhile. */
export class PostureLooks {
  readonly #parts: PostureParts & { readonly steps: StepRegister };
  readonly #limiter = new ConcurrencyLimiter(mostAtOnce);

  constructor(parts: PostureParts & { readonly steps: StepRegister }) {
    this.#parts = parts;
  }

  get activities(): Pick<LookActivities, 'lookAtPosture'> {
    return { lookAtPosture: (asked) => this.look(asked).catch((error: unknown) => Promise.reject(asFailure(error))) };
  }

  /** @throws FB_ERR_UNAVAILABLE while the maximum is in progress; otherwise as `lookAtPosture` */
  async look(asked: AskedPosture): Promise<Posture> {
    if (!this.#limiter.isFree) throw new FirebreakError('FB_ERR_UNAVAILABLE', 'other workloads are being checked');
    const { id, run } = asked.incident;
    const step = { key: `${id}/${run}/posture`, action: 'lookAtPosture', incident: id, targets: [] };
    return this.#limiter.run(() => this.#parts.steps.during(step, () => lookAtPosture(this.#parts, asked)));
  }
}

/**
 * Reads what a workload was allowed to do when its incident opened, from the pod that the alert names or another one of the workload.
 * @throws FB_ERR_NOT_FOUND if there is none, FB_ERR_REFUSED for an incident without a workload
 */
export async function lookAtPosture({ api, view, chokepoint }: PostureParts, { incident, pod }: AskedPosture): Promise<Posture> {
  const subject = subjectOfIncident(incident.id);
  if (subject?.kind !== 'workload') throw new FirebreakError('FB_ERR_REFUSED', 'the incident is not about a workload');
  const signal = AbortSignal.timeout(withinMs);
  const record = recordOf(view, subject, pod);
  const read = record && (await readPod({ api, namespace: record.namespace, name: record.name, signal }));
  if (!record || read?.metadata?.uid !== record.uid)
    throw new FirebreakError(
      'FB_ERR_NOT_FOUND',
      `no pod of ${subject.ownerKind.toLowerCase()}/${subject.namespace}/${subject.name} was found`,
    );
  const spec: LookedAtSpec = read.spec === undefined ? {} : { ...read.spec };
  const findings = postureFindings(spec);
  const unknown: string[] = [];
  const orSay = async <T>(what: string, work: Promise<T>): Promise<T | undefined> => {
    try {
      return await work;
    } catch (error) {
      unknown.push(`${what}: ${reasonOf(error)}`);
      return undefined;
    }
  };
  const [may, proposal] = await Promise.all([
    orSay('what its service account may do', reachOf(api, read, signal)),
    orSay('what would harden it', proposalOf({ api, chokepoint, pod: record, incident, unknown, signal })),
  ]);
  return {
    at: new Date().toISOString(),
    of: `pod/${record.namespace}/${record.name}`,
    level: postureLevel(findings),
    findings,
    ...(may && { account: { name: `${record.namespace}/${accountOf(read)}`, hasToken: hasToken(read), may } }),
    ...(proposal && { proposal }),
    unknown,
  };
}

/** A quarantined pod has lost its owner, so for the pod that the alert names it is enough to be in the namespace. */
function recordOf(view: PostureParts['view'], subject: Workload, named: AskedPosture['pod']): PodRecord | undefined {
  const { namespace, ownerKind: kind, name } = subject;
  const found = named && view.podByUid(named.uid);
  if (found?.namespace === namespace) return found;
  return [...view.pods(namespace)].find(
    (pod) => !pod.deleting && isOfWorkload(pod, topOwnerOf({ pod, view }).workload, { kind, name }),
  );
}

function accountOf({ spec }: PodJson): string {
  return spec?.serviceAccountName ?? 'default';
}

/** Since Kubernetes 1.22 the automatically mounted token is a projected volume. */
function hasToken({ spec }: PodJson): boolean {
  return (spec?.volumes ?? []).some(({ projected }) =>
    projected?.sources?.some(({ serviceAccountToken }) => serviceAccountToken !== undefined),
  );
}

async function reachOf(api: KubernetesApi, pod: PodJson, signal: AbortSignal): Promise<readonly string[]> {
  const namespace = pod.metadata?.namespace ?? '';
  const account = { namespace, name: accountOf(pod) };
  const answers = await Promise.all(
    reaches.map(([, right, everywhere]) =>
      mayAccount({ api, account, right: everywhere ? right : { ...right, namespace }, signal }),
    ),
  );
  const may = reaches.filter((_, at) => answers[at]).map(([text]) => text);
  // An account that may do everything includes the rest.
  return may.includes('do everything') ? ['do everything'] : may;
}

/** Uses the action's own plan, which tries it at the API server and changes nothing. Undefined for what it does not harden. */
async function proposalOf(of: {
  readonly api: KubernetesApi;
  readonly chokepoint: Pick<Chokepoint, 'plan'>;
  readonly pod: Pick<PodRecord, 'namespace' | 'name' | 'uid'>;
  readonly incident: AskedPosture['incident'];
  readonly unknown: string[];
  readonly signal: AbortSignal;
}): Promise<HardeningProposal | undefined> {
  const { api, chokepoint, pod, incident, unknown, signal } = of;
  const workload = reportedSubject(incident.id);
  if (!workload) return undefined;
  const key = `${incident.id}/${incident.run}/posture/${hardenWorkload.name}`;
  const call: StepCall = {
    key,
    action: hardenWorkload.name,
    input: { workload, suspect: { namespace: pod.namespace, name: pod.name, uid: pod.uid } },
    incident,
    incidentTitle: incident.id,
    playbook: 'engine',
    severity: 'unknown',
    ownerContained: 0,
    evidence: [],
    evidenceDeadline: new Date(0).toISOString(),
  };
  const object: RollingObject = await readKnownObject({ api, ref: workloadRef(workload, reportedKinds), signal });
  const { spec } = object.spec?.template ?? {};
  const template: HardenedSpec = isObject(spec) ? spec : {};
  const command = hardeningCommand(workload, template);
  if (command === undefined) return undefined;
  let changes: readonly string[];
  try {
    const plan = await chokepoint.plan(call, { key, incident: incident.id, run: incident.run, fast: false, signal });
    changes = plan.notes.flatMap((note) => /^Difference: (.*)\.$/s.exec(note)?.[1] ?? []);
  } catch (error) {
    unknown.push(`whether the API server would take a hardened ${workload.kind}: ${reasonOf(error)}`);
    changes = templateDifference(template, harden(template));
  }
  return {
    workload: `${workload.kind.toLowerCase()}/${workload.namespace}/${workload.name}`,
    changes: changes.slice(0, mostChanges),
    command,
  };
}
