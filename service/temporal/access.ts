import { Connection, type ConnectionOptions, defaultGrpcRetryOptions, makeGrpcRetryInterceptor } from '@temporalio/client';
import { FirebreakError } from '../../core/errors.ts';
import type { Config, Environment } from '../config/load.ts';
import { resolveTemporalAccess } from '../config/secrets.ts';
import type { TemporalAccess } from '../config/temporal-access.ts';
import { grpc, isLockedOut } from './grpc-status.ts';

/** As the SDK's connections take it, both kinds. */
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

/** A connection for a command, that is closed again. @throws FB_ERR_UNAVAILABLE when Temporal does not answer within so long, 5 s where not given. */
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

const tryAgain = makeGrpcRetryInterceptor(defaultGrpcRetryOptions());

type Interceptor = NonNullable<ConnectionOptions['interceptors']>[number];

type Call = ReturnType<Parameters<Interceptor>[1]>;
