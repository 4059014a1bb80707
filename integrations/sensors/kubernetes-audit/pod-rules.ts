import { addsOpenContainer, isOfTheNode, opensTheNode, volumePaths } from './dangerous.ts';
import { type AuditRule, isMade, isOneOf, of, runners, writes } from './rule.ts';

const credentialFiles =
  /serviceaccount\/|\.kube\/config|\/etc\/kubernetes\/|\.aws\/credentials|\/etc\/shadow|\.ssh\/id_|gcloud\/(?:credentials|access_tokens)|\.docker\/config\.json/;

/** Rules about activity in pods, and about access of pods to their node. */
export const podRules: readonly AuditRule[] = [
  {
    name: 'Credentials read by exec',
    severity: 'high',
    tags: ['credential_access'],
    mitre: ['T1609', 'T1528', 'TA0006'],
    about: '`pods/exec` of a command that names the files of a token, key or password, by anyone',
    applies: (request) => of('pods', 'exec')(request) && request.command !== undefined && credentialFiles.test(request.command),
  },
  {
    name: 'Exec into pod',
    severity: 'medium',
    tags: ['execution'],
    mitre: ['T1609', 'TA0002'],
    about: '`pods/exec`, by anyone',
    applies: of('pods', 'exec'),
  },
  {
    name: 'Attach to pod',
    severity: 'medium',
    tags: ['execution'],
    mitre: ['T1609', 'TA0002'],
    about: '`pods/attach`, by anyone',
    applies: of('pods', 'attach'),
  },
  {
    name: 'Port forward to pod',
    severity: 'low',
    tags: ['lateral_movement'],
    mitre: ['TA0008'],
    about: '`pods/portforward`, by anyone',
    applies: of('pods', 'portforward'),
  },
  {
    name: 'Proxy to pod or Service',
    severity: 'low',
    tags: ['lateral_movement'],
    mitre: ['TA0008'],
    about: '`pods/proxy` or `services/proxy`: the API server calls them, whatever their policies say about the sender',
    applies: (request) => of('pods', 'proxy')(request) || of('services', 'proxy')(request),
  },
  {
    name: 'Static pod outside of kube-system',
    severity: 'high',
    tags: ['persistence', 'defense_evasion'],
    mitre: ['T1610', 'TA0003'],
    about: 'a pod that a node creates, outside `kube-system`: it runs from a file on that node and bypasses RBAC and admission',
    applies: (request) => of('pods')(request) && request.verb === 'create' && request.user?.startsWith('system:node:') === true,
  },
  {
    name: 'Pod that opens the node',
    severity: 'high',
    tags: ['privilege_escalation'],
    mitre: ['T1611', 'TA0004'],
    about:
      'a pod or pod template that is privileged, shares a namespace of the node, mounts its paths, or has `SYS_ADMIN`; also an ephemeral container that is privileged or has `SYS_ADMIN` (level Request)',
    applies: (request) =>
      isMade(request) &&
      (isOneOf(runners, request)
        ? opensTheNode(request)
        : of('pods', 'ephemeralcontainers')(request) && addsOpenContainer(request)),
  },
  {
    name: 'Volume that opens the node',
    severity: 'high',
    tags: ['privilege_escalation'],
    mitre: ['T1611', 'TA0004'],
    about:
      'a PersistentVolume of `/`, or of what the node itself, its kubelet or its containers keep in `/etc`, `/proc`, `/run`, `/var/lib/kubelet` and similar paths (level Request): whoever claims it gets that path',
    applies: (request) => isOneOf(['persistentvolumes'], request) && isMade(request) && volumePaths(request).some(isOfTheNode),
  },
  {
    name: 'Volume of a path of a node',
    severity: 'low',
    tags: ['privilege_escalation'],
    mitre: ['T1611', 'TA0004'],
    about: 'a PersistentVolume of any other path of a node (level Request), as provisioners of local storage create',
    applies: (request) => isOneOf(['persistentvolumes'], request) && isMade(request) && volumePaths(request).length > 0,
  },
  {
    name: 'Ephemeral container added',
    severity: 'medium',
    tags: ['execution'],
    mitre: ['T1610', 'TA0002'],
    about: '`pods/ephemeralcontainers`, by anyone',
    applies: (request) => of('pods', 'ephemeralcontainers')(request) && writes.includes(request.verb),
  },
  {
    name: 'Proxy to node',
    severity: 'high',
    tags: ['execution'],
    mitre: ['T1609', 'TA0002'],
    about: '`nodes/proxy`, which is exec into every pod of the node',
    applies: (request) => of('nodes', 'proxy')(request),
  },
];
