import { counter } from '../../core/actions/containment/count-connections.ts';
import { cutter } from '../../core/actions/containment/cut-connections.ts';
import { probe } from '../../core/actions/containment/probe-quarantine.ts';
import { fetcher } from '../../core/actions/evidence/checkpoint-container.ts';
import { checkpointsFolder } from '../../integrations/kubernetes/pods/kubelet.ts';
import { imageIs, type Pinned } from './pinned.ts';
import { type Account, policy } from './policy.ts';

/**
 * Anyone who can create arbitrary pods in a node's network controls the node. With this policy, someone who steals the forensics pool's account can start only
 * our own pods, from the configured image, for a bounded time, without a token, and only in Firebreak's own namespace: those that cut or count connections, in
 * a node's network with CAP_NET_ADMIN; those that try connections, in a pod's network without capabilities; and those that fetch a checkpoint, with a node's
 * folder of checkpoints. The account can delete only such pods.
 */
export function ownPodAdmission(options: {
  /** Name of the policy. Each action that creates such pods includes the same one under its own name. */
  readonly name: string;
  readonly account: Account;
  readonly pinned: Pinned;
}): readonly object[] {
  const { name, account, pinned } = options;
  const named = (prefix: string): string => `object.metadata.name.startsWith('${prefix}')`;
  const fields = [
    `object.metadata.namespace == '${account.namespace}'`,
    `object.spec.?automountServiceAccountToken.orValue(true) == false`,
    `object.spec.?initContainers.orValue([]).size() == 0`,
    `object.spec.?hostPID.orValue(false) == false && object.spec.?hostIPC.orValue(false) == false`,
    `object.spec.containers.size() == 1`,
  ];
  const container = [
    imageIs('c.image', pinned),
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
  const command = 'c.?command.orValue([])';
  const volumes = 'object.spec.?volumes.orValue([])';
  const lives = (seconds: number): string => `object.spec.?activeDeadlineSeconds.orValue(0) == ${seconds}`;
  const onNode = (prefix: string, livesSeconds: number, runs: string): string =>
    [
      named(prefix),
      `${volumes}.size() == 0`,
      lives(livesSeconds),
      `object.spec.containers.all(c, ${runs} && ${capabilities} == ['NET_ADMIN'])`,
    ].join(' && ');
  const cuts = onNode(cutter.namePrefix, cutter.livesSeconds, `${command}.size() == 5 && c.command[0] == '${cutter.program}'`);
  const counts = onNode(
    counter.namePrefix,
    counter.livesSeconds,
    `${command}.size() == 4 && c.command[0] == '${counter.program}' && c.command[1] == '${counter.option}'`,
  );
  const probes = [
    named(probe.namePrefix),
    `${volumes}.size() == 0`,
    lives(probe.livesSeconds),
    `object.spec.?hostNetwork.orValue(false) == false`,
    `object.spec.containers.all(c, c.?command.orValue([]).size() > 1 && c.command[0] == '${probe.program}' && c.command[1] in ['listen', 'dial'] && ${capabilities}.size() == 0)`,
  ].join(' && ');
  const fetches = [
    named(fetcher.namePrefix),
    `object.spec.?hostNetwork.orValue(false) == false`,
    `${volumes}.size() == 1 && ${volumes}.all(v, v.?hostPath.?path.orValue('') == '${checkpointsFolder}')`,
    lives(fetcher.livesSeconds),
    `object.spec.containers.all(c, ${command}.size() == 4 && c.command[0] == '${fetcher.program}' && c.command[1] == 'wait' && ${capabilities}.size() == 0)`,
  ].join(' && ');
  const prefixes = [cutter.namePrefix, counter.namePrefix, probe.namePrefix, fetcher.namePrefix];
  return policy({
    name,
    pool: 'forensics',
    account,
    rule: { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'DELETE'], resources: ['pods'] },
    variables: [],
    validations: [
      {
        expression: `request.operation == 'DELETE' || (${fields.join(' && ')} && object.spec.containers.all(c, ${container.join(' && ')}))`,
        message: `Firebreak may make only pods in ${account.namespace} with one container of ${pinned.toolsImage ?? 'an image by digest'}, without privilege and token`,
      },
      {
        expression: `request.operation == 'DELETE' || (${cuts}) || (${counts}) || (${probes}) || (${fetches})`,
        message: `Firebreak may run only ${cutter.program} on a node, to cut or to count, with CAP_NET_ADMIN, and ${probe.program} listen or dial in a pod's network, or wait with the folder of checkpoints, in pods of its names`,
      },
      {
        expression: `request.operation == 'CREATE' || [${prefixes.map((one) => `'${one}'`).join(', ')}].exists(prefix, oldObject.metadata.name.startsWith(prefix))`,
        message: `Firebreak may delete only its own pods, named ${prefixes.map((one) => `${one}…`).join(', ')}`,
      },
    ],
  });
}
