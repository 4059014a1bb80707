import { Connection, type ConnectionOptions, defaultGrpcRetryOptions, makeGrpcRetryInterceptor } from '@temporalio/client';
import { FirebreakError } from '../../core/errors.ts';
import type { Config, Environment } from '../config/load.ts';
import { resolveTemporalAccess } from '../config/secrets.ts';
import type { TemporalAccess } from '../config/temporal-access.ts';
import { grpc, isLockedOut } from './grpc-status.ts';

/** Options in the form that both kinds of SDK connections accept. */
export function connectionOptions(address: string, { tls, apiKey }: TemporalAccess) {
  const { ca, cert, key, serverName } = tls ?? {};
  return {
    address,
    ...(tls && {
      tls: {
        ...(serverName !== undefined && { serverNameOverride: serverName }),
        ...(ca !== undefined && { serverRootCACertificate: Buffer.from(ca) }),
        ...(cert !== undefined && key !== undefined && { clientCertPair: { crt: Buffer.from(cert), key: Buffer.from(key) } }),
      },
    }),
    ...(apiKey !== undefined && { apiKey }),
  };
}

/** Opens a connection for a command, to be closed after it. @throws FB_ERR_UNAVAILABLE if Temporal does not answer in time (default 5 s). */
export async function openConnection({
  config,
  env,
  withinMs = 5_000,
}: {
  readonly withinMs?: number;
  readonly config: Pick<Config, 'temporal'>;
  readonly env: Environment;
}): Promise<Connection> {
  const { address } = config.temporal;
  const access = resolveTemporalAccess({ config, env });
  try {
    return await Connection.connect({
      ...connectionOptions(address, access()),
      interceptors: [unlessClosed],
      connectTimeout: withinMs,
    });
  } catch (error) {
    const why = isLockedOut(error) ? 'does not let us in with this API key or certificate' : 'does not answer';
    throw new FirebreakError('FB_ERR_UNAVAILABLE', `Temporal ${why} at ${address}`);
  }
}

/**
 * The client retries a failed call from a timer. If the connection was closed in the meantime, that throws where nobody can catch it: a call that was in flight
 * at the close, and failed because its server ended, would crash the process. Here it fails as a cancelled call instead.
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

const tryAgain = makeGrpcRetryInterceptor(defaultGrpcRetryOptions());

type Interceptor = NonNullable<ConnectionOptions['interceptors']>[number];

type Call = ReturnType<Parameters<Interceptor>[1]>;
