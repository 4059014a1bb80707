import { fetcher } from '../../core/actions/checkpoint-container.ts';
import { tools } from '../../core/actions/in-container-rights.ts';
import { policy } from './admission.ts';

/**
 * `pods/exec` is every container's shell, and `pods/ephemeralcontainers` any program in any pod. With these policies a thief of the forensics
 * pool's account can put only our tools' program beside a container, from an image by digest, and send commands to nothing but that program.
 */
export function inContainerAdmission(options: {
  /** Of the policies. Each manifest that needs them brings the same ones along under its own name. */
  readonly name: string;
  readonly account: { readonly namespace: string; readonly name: string };
}): readonly object[] {
  const { name, account } = options;
  const allowed = [...tools.capabilities, ...tools.moreCapabilities].map((one) => `'${one}'`).join(', ');
  const isOurs = [
    `c.name.startsWith('${tools.namePrefix}')`,
    `c.?image.orValue('').matches('^[^@]+@sha256:[0-9a-f]{64}$')`,
    `c.?command.orValue([]).size() == 4 && c.command[0] == '${tools.program}' && c.command[1] == 'wait'`,
    `c.?args.orValue([]).size() == 0`,
    `c.?env.orValue([]).size() == 0 && c.?envFrom.orValue([]).size() == 0`,
    `c.?volumeMounts.orValue([]).size() == 0`,
    `c.?securityContext.?privileged.orValue(false) == false`,
    `c.?securityContext.?allowPrivilegeEscalation.orValue(true) == false`,
    `c.?securityContext.?readOnlyRootFilesystem.orValue(false) == true`,
    `c.?securityContext.?capabilities.?add.orValue([]).all(one, one in [${allowed}])`,
  ].join(' && ');
  const rule = (operation: string, resource: string): object => ({
    apiGroups: [''],
    apiVersions: ['v1'],
    operations: [operation],
    resources: [resource],
  });
  return [
    ...policy({
      name: `${name}-tools`,
      pool: 'forensics',
      account,
      rule: rule('UPDATE', 'pods/ephemeralcontainers'),
      variables: [{ name: 'had', expression: 'oldObject.spec.?ephemeralContainers.orValue([])' }],
      validations: [
        {
          expression: `object.spec.?ephemeralContainers.orValue([]).all(c, variables.had.exists(before, before.name == c.name) || (${isOurs}))`,
          message: `Firebreak may add only its own tools to a pod: ${tools.program} from an image by digest, without privilege, volumes and environment`,
        },
      ],
    }),
    ...policy({
      name: `${name}-exec`,
      pool: 'forensics',
      account,
      rule: rule('CONNECT', 'pods/exec'),
      variables: [],
      validations: [
        {
          expression: `(object.?container.orValue('').startsWith('${tools.namePrefix}') || (request.namespace == '${account.namespace}' && request.name.startsWith('${fetcher.namePrefix}'))) && object.?command.orValue([]).size() > 1 && object.command[0] == '${tools.program}' && !object.?stdin.orValue(false)`,
          message: `Firebreak may run only ${tools.program}, in a container or a pod of its own`,
        },
      ],
    }),
  ];
}
