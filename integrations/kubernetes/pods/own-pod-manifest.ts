import { names } from '../../../core/cluster/labels.ts';

/** A short-lived pod of our own on a certain node. */
export interface OwnPod {
  readonly namespace: string;
  readonly name: string;
  readonly node: string;
  /** In the node's network it has CAP_NET_ADMIN, and nothing else of the node. */
  readonly network: 'node' | 'pod';
  /** One folder of the node, mounted for root without any capability. */
  readonly folder?: { readonly path: string; readonly at: string };
  readonly image: string;
  readonly command: readonly string[];
  /** The key of the step that it is for. */
  readonly step: string;
  /** Ended by its kubelet after this time, whatever becomes of us. */
  readonly livesSeconds: number;
  /** Its name is of what it works on: whoever comes while it works for another step waits. Else a pod of another step is in the way for good. */
  readonly takesTurns?: true;
  /** Beside those that all of ours have. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** What admission holds the account to: see `service/rbac/own-pod-admission.ts`. */
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
      // A node that is cordoned or tainted, perhaps by us, is where it is needed.
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
