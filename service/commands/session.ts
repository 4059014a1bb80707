import {
  Client,
  Connection,
  type ConnectionOptions,
  defaultGrpcRetryOptions,
  makeGrpcRetryInterceptor,
} from '@temporalio/client';
import { FirebreakError } from '../../core/errors.ts';
import { type Config, loadConfig } from '../config/load.ts';
import { resolveSecrets, resolveTemporalAccess } from '../config/secrets.ts';
import type { Session } from '../incidents/session.ts';
import { openTrust } from '../process/trust.ts';
import { connectionOptions } from '../temporal/access.ts';
import { grpc } from '../temporal/grpc-status.ts';
import { createSpeaker } from '../temporal/speaker.ts';
import { printable } from './output.ts';

/**
 * @throws FB_ERR_CONFIG_INVALID, or FB_ERR_UNAVAILABLE when Temporal does not answer within 5 s.
 */
export async function connect({ config: path }: { readonly config: string }): Promise<Session> {
  const config = loadConfig({ path, env: process.env });
  const { codecKeys } = resolveSecrets({ config, env: process.env, roles: [] });
  const { namespace } = config.temporal;
  const connection = await openConnection(config);
  // Nobody's key: what people say at the command line they sign with their own.
  const { dataConverter, client: interceptor } = createSpeaker({ keys: codecKeys, namespace, trust: openTrust(config, 'cli') });
  const client = new Client({ connection, namespace, dataConverter, interceptors: { workflow: [interceptor] } });
  return { config, client, onCatchingUp: sayCatchingUp, close: () => connection.close() };
}

/** @throws FB_ERR_UNAVAILABLE when Temporal does not answer within 5 s. */
export async function openConnection(config: Pick<Config, 'temporal'>): Promise<Connection> {
  const { address } = config.temporal;
  const access = resolveTemporalAccess({ config, env: process.env });
  try {
    return await Connection.connect({
      ...connectionOptions(address, access()),
      interceptors: [unlessClosed],
      connectTimeout: 5_000,
    });
  } catch {
    throw new FirebreakError('FB_ERR_UNAVAILABLE', `Temporal does not answer at ${address}`);
  }
}

type Interceptor = NonNullable<ConnectionOptions['interceptors']>[number];
type Call = ReturnType<Parameters<Interceptor>[1]>;

const tryAgain = makeGrpcRetryInterceptor(defaultGrpcRetryOptions());

/**
 * The client tries a failed call again out of a timer. On a connection that was closed meanwhile that throws, where nobody can catch it: what was
 * under way at the close, and failed as its server ended, would end the process. Here it fails as a call that was called off.
 */
const unlessClosed: Interceptor = (options, nextCall) =>
  tryAgain(options, (again) => {
    try {
      return nextCall(again);
    } catch {
      return calledOff;
    }
  });

const calledOff: Call = {
  start: (metadata, listener) => {
    listener?.onReceiveMessage?.(null);
    listener?.onReceiveStatus?.({ code: grpc.cancelled, details: 'the connection is closed', metadata });
  },
  sendMessage: () => {},
  sendMessageWithContext: () => {},
  startRead: () => {},
  halfClose: () => {},
  cancelWithStatus: () => {},
  getPeer: () => '',
  getAuthContext: () => null,
};

export function sayCatchingUp(about: string): void {
  process.stderr.write(
    `${printable(about)} is catching up: Temporal was away, and has its last task done again. That takes up to a minute, and nothing is lost. Waiting …\n`,
  );
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
