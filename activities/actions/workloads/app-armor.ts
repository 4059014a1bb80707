import type { ClusterView } from '../../../integrations/kubernetes/watch/cluster-view.ts';

/** The annotations used before 1.30: if they contradict the field, no pod can be created from the template. */
const oldAnnotation = 'container.apparmor.security.beta.kubernetes.io/';

/**
 * Why a workload cannot be given an AppArmor profile; undefined if it can. A kubelet refuses the pod on a node without AppArmor, and the node's status does not
 * show which nodes have it: a pod that runs there under a profile does. Where the next pod goes is not known, so each node counts.
 * https://kubernetes.io/docs/tutorials/security/apparmor/
 */
export function whyNoAppArmor(options: {
  readonly view: Pick<ClusterView, 'ready' | 'pods'>;
  /** The configuration says that every node has it. */
  readonly everywhere: boolean;
  readonly template: unknown;
}): string | undefined {
  const { view, everywhere, template } = options;
  if (annotationsOf(template).some((name) => name.startsWith(oldAnnotation)))
    return 'the pod template has its profile in outdated annotations, which are left alone';
  if (everywhere) return undefined;
  if (!view.ready()) return 'the cluster is not known yet';
  const [nodes, shown] = [new Set<string>(), new Set<string>()];
  for (const { node, phase, appArmor } of view.pods()) {
    if (node === undefined || phase !== 'Running') continue;
    nodes.add(node);
    if (appArmor) shown.add(node);
  }
  if (nodes.size > 0 && nodes.size === shown.size) return undefined;
  // No count here: plans are compared, and pods come and go.
  return 'not every node has a pod that shows that the node has AppArmor, and a kubelet without AppArmor refuses the pod (actions.appArmorOnEveryNode)';
}

function annotationsOf(template: unknown): readonly string[] {
  const metadata = memberOf(template, 'metadata');
  return Object.keys(memberOf(metadata, 'annotations') ?? {});
}

function memberOf(value: unknown, key: string): object | undefined {
  const found: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
  return typeof found === 'object' && found !== null ? found : undefined;
}
