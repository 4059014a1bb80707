import { parseAllDocuments } from 'yaml';

/** What someone with a token of an account could do with one right. */
interface Risk {
  readonly account: string;
  /** `patch pods` */
  readonly right: string;
  /** What the right alone would allow. */
  readonly alone: string;
  /** How admission restricts the right. Empty: nothing narrows it. */
  readonly heldTo: readonly string[];
}

const program = 'run any program as any workload: images, commands, accounts, host paths';
const ends = 'end every pod of a workload, and take away how to start it again';

/** What each right alone allows. No action is given a right that is not listed here: a test ensures that. */
const alone: Readonly<Record<string, string>> = {
  'patch pods': 'change labels, annotations and images of every pod',
  'create pods': 'run any program on any node, with everything that the node has',
  'delete pods': 'end every pod',
  'create pods/eviction': 'end every pod, within its disruption budget',
  'get pods/log': 'read what every container writes to its log',
  'patch pods/ephemeralcontainers': 'run any program next to any container',
  'get pods/exec': 'run any command in any container',
  'create pods/exec': 'run any command in any container',
  'create nodes/checkpoint': 'have the memory of any container written onto its node',
  'patch nodes': 'keep pods from nodes, or draw them there',
  'get secrets': 'read every Secret whose name they know, or find in a pod',
  'list secrets': 'read every Secret',
  'create secrets': 'create Secrets, including one that the control plane fills with the token of any account',
  'delete secrets': 'delete every Secret',
  'create serviceaccounts': 'create accounts, which get the rights that bindings give to their names',
  'delete serviceaccounts': 'end every token of an account, and keep its pods from starting',
  'patch deployments.apps': program,
  'patch statefulsets.apps': program,
  'patch daemonsets.apps': program,
  'patch cronjobs.batch': program,
  'delete deployments.apps': ends,
  'delete statefulsets.apps': ends,
  'delete daemonsets.apps': ends,
  'delete jobs.batch': ends,
  'delete cronjobs.batch': ends,
  'create networkpolicies.networking.k8s.io': 'open and close the network of every pod',
  'patch networkpolicies.networking.k8s.io': 'open and close the network of every pod',
  'delete networkpolicies.networking.k8s.io': 'open the network of every pod that only a policy closes',
  'create validatingadmissionpolicies.admissionregistration.k8s.io': 'stop everybody’s requests to the API server',
  'delete validatingadmissionpolicies.admissionregistration.k8s.io':
    'remove every admission policy, including those that narrow this account: admission does not look at requests for its own policies',
  'create validatingadmissionpolicybindings.admissionregistration.k8s.io': 'put such a policy in force',
  'delete validatingadmissionpolicybindings.admissionregistration.k8s.io': 'put every admission policy out of force, as above',
  'patch rolebindings.rbac.authorization.k8s.io':
    'take the rights in a namespace from everybody, and with `bind` give them to anybody',
  'patch clusterrolebindings.rbac.authorization.k8s.io':
    'take the rights in the cluster from everybody, and with `bind` give them to anybody',
  'bind roles.rbac.authorization.k8s.io': 'give any role to anybody, through a binding that it may write',
  'bind clusterroles.rbac.authorization.k8s.io': 'give any role to anybody, through a binding that it may write',
  'patch externalsecrets.external-secrets.io': 'have External Secrets write anything that its stores hold into a Secret',
  'patch certificates.cert-manager.io': 'have certificates issued for other names, as far as the issuer allows',
  'patch certificates/status.cert-manager.io': 'have certificates issued again',
  'patch applications.argoproj.io': 'have Argo CD deploy anything wherever it may, and delete what it has deployed',
  'patch helmreleases.helm.toolkit.fluxcd.io': 'have Flux install any chart with any values wherever it may',
  'create leases.coordination.k8s.io':
    'claim that a cell has the run of a scheduled playbook, or has done a step, so that it is not started',
  'patch leases.coordination.k8s.io':
    'claim that a cell has the run of a scheduled playbook, or has done a step, and delay what elects its leader by a Lease there',
  'create incidents.firebreak.dev': 'tell owners of applications things that are not true',
  'patch incidents.firebreak.dev': 'tell owners of applications things that are not true',
  'delete incidents.firebreak.dev': 'hide what Firebreak reports',
  'patch incidents/status.firebreak.dev': 'tell owners of applications things that are not true',
  'create containments.firebreak.dev': 'tell owners of applications things that are not true',
  'patch containments.firebreak.dev': 'tell owners of applications things that are not true',
  'create reports.openreports.io': 'report things about workloads that are not true, in any tool’s name',
  'patch reports.openreports.io': 'report things about workloads that are not true, in any tool’s name',
  'delete reports.openreports.io': 'hide what other tools have found',
  'delete containments.firebreak.dev': 'hide what Firebreak reports',
  'patch containments/status.firebreak.dev': 'tell owners of applications things that are not true',
  'create events.events.k8s.io': 'tell owners of applications things that are not true, in anybody’s name',
  'create subjectaccessreviews.authorization.k8s.io': 'ask what anybody may do',
  'create volumesnapshots.snapshot.storage.k8s.io': 'keep a copy of any volume; reading it needs other rights',
};

/** Reading things that contain no secret. */
const harmless = new Set(['get', 'list', 'watch']);

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly rules?: readonly {
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
    readonly verbs: readonly string[];
  }[];
  readonly spec?: {
    readonly matchConstraints?: {
      readonly resourceRules: readonly { readonly operations: readonly string[]; readonly resources: readonly string[] }[];
    };
    readonly matchConditions?: readonly { readonly name: string }[];
    readonly validations?: readonly { readonly message: string }[];
  };
}

const operations: Readonly<Record<string, string>> = { create: 'CREATE', patch: 'UPDATE', update: 'UPDATE', delete: 'DELETE' };

/** Reads the manifests themselves, so that it reports what is applied, not what is intended. */
export function risksOf(manifests: ReadonlyMap<string, string>): readonly Risk[] {
  const documents = [...manifests.values()].flatMap((text): Manifest[] => parseAllDocuments(text).map((one) => one.toJS()));
  const poolOf = ({ metadata }: Manifest): string => metadata.labels?.['app.kubernetes.io/component'] ?? '';
  const risks = new Map<string, Risk>();
  for (const role of documents.filter(({ kind }) => kind === 'ClusterRole' || kind === 'Role'))
    for (const { apiGroups, resources, verbs } of role.rules ?? [])
      for (const verb of verbs) {
        const [resource = ''] = resources;
        const right = `${verb} ${resource}${apiGroups[0] ? `.${apiGroups[0]}` : ''}`;
        const text = alone[right];
        if (text === undefined && harmless.has(verb)) continue;
        const where = role.kind === 'Role' ? ' in its own namespace' : '';
        const policies = documents.filter((one) => poolOf(one) === poolOf(role) && narrows(one, verb, resource));
        const heldTo = [...new Set(policies.flatMap(({ spec }) => spec?.validations?.map(({ message }) => message) ?? []))];
        const account = `firebreak-${poolOf(role)}`;
        risks.set(`${account} ${right}${where}`, { account, right: `${right}${where}`, alone: text ?? 'unknown', heldTo });
      }
  return [...risks.values()];
}

/** Returns whether a policy of the account checks what this right allows. */
function narrows({ kind, spec }: Manifest, verb: string, resource: string): boolean {
  if (kind !== 'ValidatingAdmissionPolicy' || !spec?.matchConditions?.some(({ name }) => name.startsWith('is-the-')))
    return false;
  const operation = resource === 'pods/exec' ? 'CONNECT' : operations[verb];
  return (spec.matchConstraints?.resourceRules ?? []).some(
    (rule) => operation !== undefined && rule.operations.includes(operation) && rule.resources.includes(resource),
  );
}
