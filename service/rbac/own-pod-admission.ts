import { cutter } from '../../core/actions/cut-connections.ts';
import { probe } from '../../core/actions/probe-quarantine.ts';
import { policy } from './admission.ts';

/**
 * Whoever makes pods of any kind in a node's network has the node. With this policy a thief of the forensics pool's account can start
 * only the programs that cut connections and that try them, from an image by digest, for at most a minute, without a volume or a token, and only
 * in Firebreak's own namespace; the first in a node's network with CAP_NET_ADMIN, the second in a pod's with nothing. Only such pods can it delete.
 */
export function ownPodAdmission(options: {
  /** Of the policy. Each action that makes such pods brings the same one along under its own name. */
  readonly name: string;
  readonly account: { readonly namespace: string; readonly name: string };
}): readonly object[] {
  const { name, account } = options;
  const named = (prefix: string): string => `object.metadata.name.startsWith('${prefix}')`;
  const fields = [
    `object.metadata.namespace == '${account.namespace}'`,
    `object.spec.?automountServiceAccountToken.orValue(true) == false`,
    `object.spec.?volumes.orValue([]).size() == 0`,
    `object.spec.?initContainers.orValue([]).size() == 0`,
    `object.spec.?hostPID.orValue(false) == false && object.spec.?hostIPC.orValue(false) == false`,
    `object.spec.?activeDeadlineSeconds.orValue(0) in [${cutter.livesSeconds}, ${probe.livesSeconds}]`,
    `object.spec.containers.size() == 1`,
  ];
  const container = [
    `c.image.matches('^[^@]+@sha256:[0-9a-f]{64}$')`,
    `c.?args.orValue([]).size() == 0`,
    `c.?ports.orValue([]).size() == 0`,
    `c.?env.orValue([]).size() == 0 && c.?envFrom.orValue([]).size() == 0`,
    `!has(c.lifecycle) && !has(c.livenessProbe) && !has(c.readinessProbe) && !has(c.startupProbe)`,
    `c.?securityContext.?privileged.orValue(false) == false`,
    `c.?securityContext.?allowPrivilegeEscalation.orValue(true) == false`,
    `c.?securityContext.?readOnlyRootFilesystem.orValue(false) == true`,
    `c.?securityContext.?capabilities.?drop.orValue([]) == ['ALL']`,
  ];
  const capabilities = `c.?securityContext.?capabilities.?add.orValue([])`;
  const cuts = [
    named(cutter.namePrefix),
    `object.spec.containers.all(c, c.?command.orValue([]).size() == 5 && c.command[0] == '${cutter.program}' && ${capabilities} == ['NET_ADMIN'])`,
  ].join(' && ');
  const probes = [
    named(probe.namePrefix),
    `object.spec.?hostNetwork.orValue(false) == false`,
    `object.spec.containers.all(c, c.?command.orValue([]).size() > 1 && c.command[0] == '${probe.program}' && c.command[1] in ['listen', 'dial'] && ${capabilities}.size() == 0)`,
  ].join(' && ');
  return policy({
    name,
    pool: 'forensics',
    account,
    rule: { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'DELETE'], resources: ['pods'] },
    variables: [],
    validations: [
      {
        expression: `request.operation == 'DELETE' || (${fields.join(' && ')} && object.spec.containers.all(c, ${container.join(' && ')}))`,
        message: `Firebreak may make only pods in ${account.namespace} with one container of an image by digest, for at most a minute, without privilege, token and volumes`,
      },
      {
        expression: `request.operation == 'DELETE' || (${cuts}) || (${probes})`,
        message: `Firebreak may run only ${cutter.program} on a node, with CAP_NET_ADMIN, and ${probe.program} listen or dial in a pod's network, in pods of its names`,
      },
      {
        expression: `request.operation == 'CREATE' || ['${cutter.namePrefix}', '${probe.namePrefix}'].exists(prefix, oldObject.metadata.name.startsWith(prefix))`,
        message: `Firebreak may delete only its own pods, named ${cutter.namePrefix}… and ${probe.namePrefix}…`,
      },
    ],
  });
}
