import { fetcher } from '../../core/actions/evidence/checkpoint-container.ts';
import { tools } from '../../core/actions/in-container-rights.ts';
import { anyNameInCel } from '../../core/text/name-pattern.ts';
import { imageIs, type Pinned, sendsOnlyTo } from './pinned.ts';
import { type Account, policy } from './policy.ts';

/**
 * `pods/exec` gives a shell in every container, and `pods/ephemeralcontainers` any program in any pod. With these policies, someone who steals the forensics
 * pool's account can only add our tools' program next to a container, from the configured image, and send commands only to that program; neither is possible in
 * protected namespaces.
 */
export function inContainerAdmission(options: {
  /** Name of the policies. Each manifest that needs them includes the same ones under its own name. */
  readonly name: string;
  readonly account: Account;
  readonly pinned: Pinned;
}): readonly object[] {
  const { name, account, pinned } = options;
  const allowed = [...tools.capabilities, ...tools.moreCapabilities].map((one) => `'${one}'`).join(', ');
  const isOurs = [
    `c.name.startsWith('${tools.namePrefix}')`,
    imageIs(`c.?image.orValue('')`, pinned),
    `c.?command.orValue([]).size() == 4 && c.command[0] == '${tools.program}' && c.command[1] == 'wait'`,
    `c.?args.orValue([]).size() == 0`,
    `c.?env.orValue([]).size() == 0 && c.?envFrom.orValue([]).size() == 0`,
    `c.?volumeMounts.orValue([]).size() == 0`,
    `c.?securityContext.?privileged.orValue(false) == false`,
    `c.?securityContext.?allowPrivilegeEscalation.orValue(true) == false`,
    `c.?securityContext.?readOnlyRootFilesystem.orValue(false) == true`,
    `c.?securityContext.?capabilities.?add.orValue([]).all(one, one in [${allowed}])`,
  ].join(' && ');
  const rule = (operation: string, ...resources: readonly string[]): object => ({
    apiGroups: [''],
    apiVersions: ['v1'],
    operations: [operation],
    resources,
  });
  const closed = [...new Set([account.namespace, ...(pinned.closedNamespaces ?? [])])];
  const isClosed = anyNameInCel('request.namespace', closed);
  const staysOut = `Firebreak looks into no container in ${closed.join(', ')}: these are its own namespace and the protected ones`;
  return [
    ...policy({
      name: `${name}-tools`,
      pool: 'forensics',
      account,
      rule: rule('UPDATE', 'pods/ephemeralcontainers'),
      variables: [{ name: 'had', expression: 'oldObject.spec.?ephemeralContainers.orValue([])' }],
      validations: [
        { expression: `!(${isClosed})`, message: staysOut },
        {
          expression: `object.spec.?ephemeralContainers.orValue([]).all(c, variables.had.exists(before, before.name == c.name) || (${isOurs}))`,
          message: `Firebreak may add only its own tools to a pod: ${tools.program} from ${pinned.toolsImage ?? 'an image by digest'}, without privilege, volumes and environment`,
        },
      ],
    }),
    ...policy({
      name: `${name}-exec`,
      pool: 'forensics',
      account,
      rule: rule('CONNECT', 'pods/exec', 'pods/attach', 'pods/portforward'),
      variables: [
        {
          name: 'isOurPod',
          expression: `request.namespace == '${account.namespace}' && request.name.startsWith('${fetcher.namePrefix}')`,
        },
      ],
      validations: [
        { expression: `variables.isOurPod || !(${isClosed})`, message: staysOut },
        {
          expression: `request.subResource == 'exec' && (variables.isOurPod || object.?container.orValue('').startsWith('${tools.namePrefix}')) && object.?command.orValue([]).size() > 1 && object.command[0] == '${tools.program}' && !object.?stdin.orValue(false)`,
          message: `Firebreak may run only ${tools.program}, in a container or a pod of its own`,
        },
        {
          expression: sendsOnlyTo('object.?command.orValue([])', pinned),
          message: `Its tools may send only to ${pinned.uploads ?? 'Firebreak, by the API server'}`,
        },
      ],
    }),
  ];
}
