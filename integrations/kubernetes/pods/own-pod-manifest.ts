import { names } from '../../../core/cluster/labels.ts';

/** A short-lived pod of ours on a specific node. */
export interface OwnPod {
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
  /** In the node's network it has CAP_NET_ADMIN, and no other access to the node. */
  readonly network: 'node' | 'pod';
  /** One folder of the node, mounted for root without capabilities. */
  readonly folder?: { readonly path: string; readonly at: string };
  readonly image: string;
  readonly command: readonly string[];
  /** The key of the step that it serves. */
  readonly step: string;
  /** Its kubelet ends it after this time, even if we are gone. */
  readonly livesSeconds: number;
  /** Its name derives from what it works on, and callers wait while it works for another step. Not set: a pod of another step blocks this one for good. */
  readonly takesTurns?: true;
  /** In addition to the labels that all our pods have. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** The shape that admission enforces for the account: see `service/rbac/own-pod-admission.ts`. */
export function manifestOf(pod: OwnPod, since: number | undefined): object {
  const { namespace, name, node, network, image, command, step, livesSeconds, folder, labels } = pod;
  const onNode = network === 'node';
  const asRoot = onNode || folder !== undefined;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      labels: { ...labels, 'app.kubernetes.io/name': 'firebreak', 'app.kubernetes.io/component': 'forensics' },
      annotations: { [names.stepAnnotation]: step, ...(since !== undefined && { [names.sinceAnnotation]: String(since) }) },
    },
    spec: {
      nodeName: node,
      hostNetwork: onNode,
      ...(folder && { volumes: [{ name: 'folder', hostPath: { path: folder.path, type: 'DirectoryOrCreate' } }] }),
      restartPolicy: 'Never',
      activeDeadlineSeconds: livesSeconds,
      terminationGracePeriodSeconds: 1,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      // The pod may be needed on a node that is cordoned or tainted, perhaps by us.
      tolerations: [{ operator: 'Exists' }],
      containers: [
        {
          name: 'main',
          image,
          imagePullPolicy: 'IfNotPresent',
          command,
          ...(folder && { volumeMounts: [{ name: 'folder', mountPath: folder.at }] }),
          resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { memory: '64Mi' } },
          securityContext: {
            runAsUser: asRoot ? 0 : 65_534,
            runAsNonRoot: !asRoot,
            privileged: false,
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'], ...(onNode && { add: ['NET_ADMIN'] }) },
            seccompProfile: { type: 'RuntimeDefault' },
          },
        },
      ],
    },
  };
}
