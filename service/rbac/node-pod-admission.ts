import { cutter } from '../../core/actions/cut-connections.ts';
import { policy } from './admission.ts';

/**
 * Whoever makes pods of any kind in a node's network has the node. With this policy a thief of the forensics pool's account can start
 * only the program that cuts connections, from an image by digest, for less than a minute, with CAP_NET_ADMIN, without a volume or a token, and only in
 * Firebreak's own namespace; and can delete there only what has that name.
 */
export function nodePodAdmission(account: { readonly namespace: string; readonly name: string }): readonly object[] {
  const fields = [
    `object.metadata.namespace == '${account.namespace}'`,
    `object.metadata.name.startsWith('${cutter.namePrefix}')`,
    `object.spec.?automountServiceAccountToken.orValue(true) == false`,
    `object.spec.?volumes.orValue([]).size() == 0`,
    `object.spec.?initContainers.orValue([]).size() == 0`,
    `object.spec.?hostPID.orValue(false) == false && object.spec.?hostIPC.orValue(false) == false`,
    `object.spec.?activeDeadlineSeconds.orValue(0) == ${cutter.livesSeconds}`,
    `object.spec.containers.size() == 1`,
  ];
  const container = [
    `c.image.matches('^[^@]+@sha256:[0-9a-f]{64}$')`,
    `c.?command.orValue([]).size() == 5 && c.command[0] == '${cutter.program}' && c.?args.orValue([]).size() == 0`,
    `c.?ports.orValue([]).size() == 0`,
    `c.?env.orValue([]).size() == 0 && c.?envFrom.orValue([]).size() == 0`,
    `!has(c.lifecycle) && !has(c.livenessProbe) && !has(c.readinessProbe) && !has(c.startupProbe)`,
    `c.?securityContext.?privileged.orValue(false) == false`,
    `c.?securityContext.?allowPrivilegeEscalation.orValue(true) == false`,
    `c.?securityContext.?readOnlyRootFilesystem.orValue(false) == true`,
    `c.?securityContext.?capabilities.?drop.orValue([]) == ['ALL']`,
    `c.?securityContext.?capabilities.?add.orValue([]) == ['NET_ADMIN']`,
  ];
  return policy({
    name: `${account.name}-node-pods`,
    pool: 'forensics',
    account,
    rule: { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'DELETE'], resources: ['pods'] },
    variables: [],
    validations: [
      {
        expression: `request.operation == 'DELETE' || (${fields.join(' && ')})`,
        message: `Firebreak may make only pods named ${cutter.namePrefix}… in ${account.namespace}, with one container, for ${cutter.livesSeconds} s, without token and volumes`,
      },
      {
        expression: `request.operation == 'DELETE' || object.spec.containers.all(c, ${container.join(' && ')})`,
        message: `Firebreak may run only ${cutter.program} on a node, from an image by digest, with CAP_NET_ADMIN and nothing else`,
      },
      {
        expression: `request.operation == 'CREATE' || oldObject.metadata.name.startsWith('${cutter.namePrefix}')`,
        message: `Firebreak may delete only its own pods on nodes, named ${cutter.namePrefix}…`,
      },
    ],
  });
}
