import { Client, Connection, isGrpcServiceError, QueryNotRegisteredError, WorkflowNotFoundError } from '@temporalio/client';
import { type ControlState, controlNames } from '../../core/control.ts';
import { FirebreakError } from '../../core/errors.ts';
import { incidentNames } from '../../core/incident.ts';
import type { IncidentState } from '../../core/incident-state.ts';
import { controlIdOf } from '../../core/suppression.ts';
import { type Config, loadConfig } from '../config/load.ts';
import { resolveSecrets } from '../config/secrets.ts';
import { dataConverter } from '../temporal/codec.ts';

const callMs = 10_000;

/** A connection to Temporal as the configuration file says. Close it: it keeps the process alive. */
export interface Session {
  readonly config: Config;
  readonly client: Client;
  close(): Promise<void>;
}

/** Over a connection that somebody else closes. */
export function sessionOver(config: Config, client: Client): Session {
  return { config, client, close: async () => undefined };
}

/**
 * @throws FB_ERR_CONFIG_INVALID, or FB_ERR_UNAVAILABLE when Temporal does not answer within 5 s.
 */
export async function connect({ config: path }: { readonly config: string }): Promise<Session> {
  const config = loadConfig({ path, env: process.env });
  const { codecKeys } = resolveSecrets({ config, env: process.env, roles: [] });
  const { address, namespace } = config.temporal;
  const connection = await Connection.connect({ address, connectTimeout: 5_000 }).catch(() => {
    throw new FirebreakError('FB_ERR_UNAVAILABLE', `Temporal does not answer at ${address}`);
  });
  const client = new Client({ connection, namespace, dataConverter: dataConverter({ keys: codecKeys, namespace }) });
  return { config, client, close: () => connection.close() };
}

/** Runs one command with a session, and closes it whatever happens. */
export async function withSession<T>(options: { readonly config: string }, work: (session: Session) => Promise<T>): Promise<T> {
  const session = await connect(options);
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}

/** `shop/Deployment/cart` is short for `incident/CLUSTER/shop/Deployment/cart`. */
export function incidentId(config: Config, written: string): string {
  return written.startsWith('incident/') ? written : `incident/${config.cluster}/${written}`;
}

export interface IncidentName {
  readonly id: string;
  readonly run?: string;
}

function faultOfCall(error: unknown, { id, run }: IncidentName): FirebreakError {
  if (error instanceof FirebreakError) return error;
  if (error instanceof WorkflowNotFoundError)
    return new FirebreakError('FB_ERR_NOT_FOUND', `there is no incident ${id}${run === undefined ? '' : ` with run ${run}`}`);
  if (error instanceof QueryNotRegisteredError || isGrpcServiceError(error))
    return new FirebreakError('FB_ERR_UNAVAILABLE', `no answer about ${id}: is a Firebreak with the role cell running?`);
  return new FirebreakError('FB_ERR_INTERNAL', `the state of ${id} cannot be read`, { cause: error });
}

/**
 * The state of an incident: asked of the running workflow, or its result once it has ended.
 * @throws FB_ERR_NOT_FOUND, FB_ERR_UNAVAILABLE.
 */
export async function incidentState({ client }: Session, name: IncidentName): Promise<IncidentState> {
  const handle = client.workflow.getHandle(name.id, name.run);
  try {
    return await client.withDeadline(Date.now() + callMs, async () => {
      const { status } = await handle.describe();
      if (status.name !== 'COMPLETED') return handle.query<IncidentState>(incidentNames.stateQuery);
      const ended: IncidentState = await handle.result();
      return ended;
    });
  } catch (error) {
    throw faultOfCall(error, name);
  }
}

/**
 * What is decided above all incidents of the cluster.
 * @throws FB_ERR_UNAVAILABLE while no cell has started it.
 */
export async function controlState({ client, config }: Session): Promise<ControlState> {
  const handle = client.workflow.getHandle(controlIdOf(config.cluster));
  try {
    return await client.withDeadline(Date.now() + callMs, () => handle.query<ControlState>(controlNames.stateQuery));
  } catch {
    throw new FirebreakError(
      'FB_ERR_UNAVAILABLE',
      `no answer about the decisions of ${config.cluster}: is a Firebreak with the role cell running?`,
    );
  }
}

/** @throws FB_ERR_NOT_FOUND, FB_ERR_UNAVAILABLE (the signal may have arrived: send it again with the same ids). */
export async function signalIncident({ client }: Session, name: IncidentName, signal: string, payload: unknown): Promise<void> {
  const handle = client.workflow.getHandle(name.id, name.run);
  try {
    await client.withDeadline(Date.now() + callMs, () => handle.signal(signal, payload));
  } catch (error) {
    throw faultOfCall(error, name);
  }
}
