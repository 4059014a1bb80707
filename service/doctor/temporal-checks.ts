import { once } from 'node:events';
import { type ClientHttp2Session, connect } from 'node:http2';
import { Client } from '@temporalio/client';
import { optionalTsToMs } from '@temporalio/common/lib/time.js';
import proto from '@temporalio/proto';
import { searchAttributes } from '../../core/incident/search-attributes.ts';
import { systemErrorCode } from '../../core/system-error.ts';
import { type Role, resolveTemporalAccess } from '../config/secrets.ts';
import { isOnThisMachine } from '../setup/new-installation.ts';
import { openConnection } from '../temporal/access.ts';
import { grpc, grpcCode, isLockedOut } from '../temporal/grpc-status.ts';
import { currentBuild, deploymentName, fromIdentity, pinnedTo } from '../temporal/versions.ts';
import { queuesOf } from '../temporal/workers.ts';
import { type DoctorCheck, type Examined, failure, type LookResult, notTried, ok, reasonWhy, warning } from './diagnosis.ts';

type Connection = Awaited<ReturnType<typeof openConnection>>;

/** It soon shows whether anything listens there at all, and whether it speaks HTTP/2: such a server sends first. */
const knockWithinMs = 4_000;
const speakWithinMs = 8_000;
/** A server that does may be too busy to answer at once. */
const connectWithinMs = 15_000;
const answerWithinMs = 10_000;
const calls = 5;
/** Containment does not wait for Temporal, but everything after it does. */
const slowMs = 200;
const testedMinor = 32;
/** Minimum that Temporal itself recommends. */
const leastKeptMs = 86_400_000;
/** The chart's name for the Temporal that it installs for a trial. */
const ownOfChart = /^firebreak-temporal\./;

const accessRemedy = 'Correct temporal.address, temporal.apiKey or temporal.tls, or the rights of that key or certificate.';

export const temporalChecks: readonly DoctorCheck[] = [
  { name: 'temporal', run: withTemporal(reachability) },
  { name: 'temporal search attributes', run: withTemporal(attributes) },
  { name: 'temporal version', run: withTemporal(version) },
  { name: 'roles at work', run: withTemporal(atWork) },
  { name: 'builds', roles: ['cell'], run: withTemporal(builds) },
];

/** Each check has its own connection, so that one that hangs does not block the others. If no connection can be made, only the first check says so. */
function withTemporal(look: (connection: Connection, examined: Examined) => Promise<readonly LookResult[]>): DoctorCheck['run'] {
  return async (examined) => {
    const notReached = [notTried('Temporal cannot be reached')];
    let connection: Connection;
    try {
      const closed = await whyClosed(examined);
      if (closed !== undefined) return look === reachability ? [closed] : notReached;
      connection = await openConnection({ ...examined, withinMs: connectWithinMs });
    } catch (error) {
      return look === reachability ? [failure(reasonWhy(error, 'it does not answer'), accessRemedy)] : notReached;
    }
    try {
      return await connection.withDeadline(Date.now() + answerWithinMs, () => look(connection, examined));
    } catch (error) {
      if (look === reachability || !(isLockedOut(error) || grpcCode(error) === grpc.notFound)) throw error;
      return [notTried(`Temporal does not serve the namespace ${examined.config.temporal.namespace} to us`)];
    } finally {
      await connection.close();
    }
  };
}

/** Why no connection can be made, before anything is sent over one. Not checked behind a proxy from the environment: only the proxy would be reached. */
async function whyClosed({ config, env }: Examined): Promise<LookResult | undefined> {
  const { address } = config.temporal;
  const isHostAndPort = /^\[?([^\]]+?)\]?:(\d+)$/.test(address);
  const isBehindProxy = ['grpc_proxy', 'https_proxy', 'http_proxy'].some((name) => env[name]);
  if (!isHostAndPort || isBehindProxy) return undefined;
  const { tls } = resolveTemporalAccess({ config, env })();
  const { ca, cert, key, serverName } = tls ?? {};
  const session = connect(`${tls ? 'https' : 'http'}://${address}`, {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && key !== undefined && { cert, key }),
    ...(serverName !== undefined && { servername: serverName }),
  });
  const problem = await whyNoSettings(session);
  session.destroy();
  if (problem === undefined) return undefined;
  return failure(
    `no connection to Temporal at ${address}: ${problem.why}`,
    problem.isSomethingThere
      ? 'Name the address of its frontend (7233 unless somebody changed it; 8233 is its web UI), and set temporal.tls if, and only if, it has TLS.'
      : 'Correct temporal.address, start Temporal, or let the connection through (firewall, NetworkPolicy).',
  );
}

/** Waits for the settings frame with which every HTTP/2 server begins. https://www.rfc-editor.org/rfc/rfc9113#section-3.4 */
async function whyNoSettings(
  session: ClientHttp2Session,
): Promise<{ readonly why: string; readonly isSomethingThere: boolean } | undefined> {
  // The awaited event below reports errors; once nobody waits any more, they must not end the process.
  session.on('error', () => {});
  let isSomethingThere = false;
  const limit = AbortSignal.timeout(speakWithinMs);
  const nobody = setTimeout(() => {
    if (!isSomethingThere) session.destroy();
  }, knockWithinMs);
  session.socket?.once('connect', () => {
    isSomethingThere = true;
  });
  const settings = once(session, 'remoteSettings', { signal: limit });
  const closed = once(session, 'close', { signal: limit }).then(() => Promise.reject(new Error('closed')));
  closed.catch(() => {});
  try {
    await Promise.race([settings, closed]);
    return undefined;
  } catch (error) {
    const code = systemErrorCode(error);
    if (!isSomethingThere) {
      const why = code !== undefined && /^E[A-Z_]+$/.test(code) ? code : `no answer within ${knockWithinMs / 1_000} s`;
      return { why, isSomethingThere };
    }
    if (limit.aborted)
      return { why: `something listens there, but says nothing within ${speakWithinMs / 1_000} s`, isSomethingThere };
    const certificate =
      code !== undefined && /CERT|SIGNED|ALTNAME/.test(code) ? `its certificate is refused (${code})` : undefined;
    return { why: certificate ?? 'what listens there does not speak gRPC (HTTP/2)', isSomethingThere };
  } finally {
    clearTimeout(nobody);
    settings.catch(() => {});
  }
}

async function reachability(connection: Connection, { config }: Examined): Promise<readonly LookResult[]> {
  const { address, namespace, tls } = config.temporal;
  const took: number[] = [];
  let described: proto.temporal.api.workflowservice.v1.IDescribeNamespaceResponse = {};
  for (let call = 0; call < calls; call += 1) {
    const began = performance.now();
    try {
      described = await connection.workflowService.describeNamespace({ namespace });
    } catch (error) {
      if (isLockedOut(error))
        return [failure(`Temporal at ${address} does not let us in to the namespace ${namespace}`, accessRemedy)];
      if (grpcCode(error) !== grpc.notFound) throw error;
      const text = `Temporal at ${address} does not serve the namespace ${namespace}`;
      return [failure(text, 'Create the namespace, or correct temporal.namespace.')];
    }
    took.push(performance.now() - began);
  }
  const median = Math.round(took.sort((a, b) => a - b)[Math.floor(calls / 2)] ?? 0);
  const text = `${address} serves the namespace ${namespace}; a call takes ${median} ms`;
  const speed = median > slowMs ? warning(text, 'Run Firebreak nearer to Temporal, or check what slows its database.') : ok(text);
  const found = [speed, ...namespaceAsIs(namespace, described)];
  if (tls || isOnThisMachine(address)) return found;
  if (ownOfChart.test(address))
    return [
      ...found,
      warning(
        'this is the chart’s own Temporal, for a trial: one server, no TLS, and nothing copies its data elsewhere',
        'For production set config.temporal.address to a Temporal of yours, and temporal.install to false.',
      ),
    ];
  return [
    ...found,
    warning(
      'the connection has no TLS: anyone on the network can read names, and delay a response',
      'Set temporal.tls, or make sure that a mesh encrypts it.',
    ),
  ];
}

/** Namespace settings that anyone who can reach Temporal can change. */
function namespaceAsIs(
  namespace: string,
  { namespaceInfo, config }: proto.temporal.api.workflowservice.v1.IDescribeNamespaceResponse,
): readonly LookResult[] {
  const { NamespaceState } = proto.temporal.api.enums.v1;
  const { state } = namespaceInfo ?? {};
  if (state !== undefined && state !== null && state !== NamespaceState.NAMESPACE_STATE_REGISTERED) {
    const how = state === NamespaceState.NAMESPACE_STATE_DEPRECATED ? 'deprecated' : 'deleted';
    return [
      failure(
        `somebody has marked the namespace ${namespace} as ${how}: no incident starts in it any more, and alerts wait on the cell’s disk`,
        'Temporal cannot undo that. Create another namespace, set temporal.namespace to it, and restart Firebreak: what is open starts again there.',
      ),
    ];
  }
  const keptMs = optionalTsToMs(config?.workflowExecutionRetentionTtl) ?? leastKeptMs;
  if (keptMs >= leastKeptMs) return [];
  return [
    warning(
      `the namespace ${namespace} keeps a workflow for ${Math.round(keptMs / 60_000)} minutes after its end: an incident whose end a cell has not seen by then begins again`,
      `temporal operator namespace update --namespace ${namespace} --retention 3d`,
    ),
  ];
}

async function attributes(connection: Connection, { config }: Examined): Promise<readonly LookResult[]> {
  const { namespace } = config.temporal;
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  const types = proto.temporal.api.enums.v1.IndexedValueType;
  const typeOf = (name: string): string | undefined => {
    const found = customAttributes?.[name];
    return found === undefined || found === null ? undefined : nameOfType(types[found]);
  };
  const wrong = searchAttributes.flatMap(({ name, type }) => {
    const there = typeOf(name);
    if (there === type) return [];
    const remedy =
      there === undefined
        ? `temporal operator search-attribute create --namespace ${namespace} --name ${name} --type ${type}`
        : `Remove it, and create it with the type ${type}.`;
    return [failure(there === undefined ? `${name} is not registered` : `${name} is ${there} and not ${type}`, remedy)];
  });
  return wrong.length > 0 ? wrong : [ok(`all ${searchAttributes.length} are registered`)];
}

/** `INDEXED_VALUE_TYPE_KEYWORD_LIST` in the form for the `temporal` command: `KeywordList`. */
function nameOfType(written: string | undefined): string {
  return (written ?? 'unknown')
    .replace(/^INDEXED_VALUE_TYPE_/, '')
    .toLowerCase()
    .replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

async function version(connection: Connection): Promise<readonly LookResult[]> {
  const { serverVersion } = await connection.workflowService.getSystemInfo({});
  const minor = Number(/^v?1\.(\d+)/.exec(serverVersion ?? '')?.[1] ?? Number.NaN);
  if (Number.isNaN(minor)) return [notTried(`the server reports the version ${serverVersion || 'nothing'}, which is not known`)];
  if (minor >= testedMinor) return [ok(`server ${serverVersion}`)];
  return [warning(`server ${serverVersion}; tested with 1.${testedMinor}`, 'Upgrade Temporal, and test the upgrade first.')];
}

/** Checks whether any worker polls for each role; a process that does not run cannot report that itself. */
async function atWork(connection: Connection, { config, roles }: Examined): Promise<readonly LookResult[]> {
  const { namespace } = config.temporal;
  const queues = queuesOf(config.cluster);
  const hasOwnActions = config.packs.some(({ actions }) => actions.length > 0);
  const wanted = roles.filter((role) => role !== 'packs' || hasOwnActions);
  const found = await Promise.all(
    wanted.map(async (role: Role) => {
      const taskQueue = queues[role];
      const { pollers, config: limits } = await connection.workflowService.describeTaskQueue({
        namespace,
        taskQueue: { name: taskQueue },
        taskQueueType: proto.temporal.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        reportConfig: true,
      });
      // A cell that finishes older builds has a worker for each.
      const processes = new Set(pollers?.map(({ identity }) => fromIdentity(identity ?? '').process));
      const limited = limitOn(limits);
      return [
        processes.size > 0
          ? ok(`${role}: ${processes.size === 1 ? 'one process' : `${processes.size} processes`}`)
          : failure(`${role}: no process takes its work`, `Start it: firebreak run --role ${role}, or look at its log.`),
        ...(limited === undefined
          ? []
          : [
              failure(
                `${role}: Temporal hands out at most ${limited} of its tasks a second, since somebody has limited its queue`,
                `temporal task-queue config set --namespace ${namespace} --task-queue ${taskQueue} --task-queue-type activity --queue-rps-limit default --fairness-key-rps-limit default`,
              ),
            ]),
      ];
    }),
  );
  return found.flat();
}

/** Tasks per second; undefined if nobody has set a limit. Temporal's own default carries no information about who set it. */
function limitOn(config: proto.temporal.api.taskqueue.v1.ITaskQueueConfig | null | undefined): number | undefined {
  const { queueRateLimit, fairnessKeysRateLimitDefault } = config ?? {};
  const set = [queueRateLimit, fairnessKeysRateLimitDefault].flatMap((limit) =>
    limit?.metadata && limit.rateLimit ? [limit.rateLimit.requestsPerSecond ?? 0] : [],
  );
  return set.length === 0 ? undefined : Math.min(...set);
}

async function builds(connection: Connection, { config }: Examined): Promise<readonly LookResult[]> {
  const client = new Client({ connection, namespace: config.temporal.namespace });
  const deployment = deploymentName(config.cluster);
  const current = await currentBuild({ client, deployment }).catch(() => undefined);
  if (current === undefined) return [notTried('no cell has run here yet: there is no build')];
  const pinned = await pinnedTo({ client, deployment });
  const older = [...pinned].filter(([id]) => id !== current);
  const open = older.reduce((sum, [, count]) => sum + count, 0);
  const drains = older.length === 0 ? '' : `; ${open} open on ${older.length} older, which the cell finishes`;
  const { pollers } = await connection.workflowService.describeTaskQueue({
    namespace: config.temporal.namespace,
    taskQueue: { name: queuesOf(config.cluster).cell },
    taskQueueType: proto.temporal.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
  });
  const running = pollers?.flatMap(({ deploymentOptions }) => deploymentOptions?.buildId ?? []) ?? [];
  if (running.length > 0 && !running.includes(current))
    return [
      warning(
        `Temporal calls ${current} the current build, but no running cell has it`,
        'Restart a cell, which makes its own build the current one. If nobody changed it, find out who else reaches Temporal.',
      ),
    ];
  return [ok(`new incidents begin with ${current}${drains}`)];
}
