import type { Environment, SecretRef } from './fields.ts';
import type { ConfigProblem } from './problems.ts';
import type { FileConfig } from './schema.ts';

/** References to the parts of TLS; an empty object means TLS with the system's authorities. */
export interface TemporalTls {
  readonly ca?: SecretRef;
  readonly cert?: SecretRef;
  readonly key?: SecretRef;
  readonly serverName?: string;
}

/** The credentials for Temporal, as PEM and text. */
export interface TemporalAccess {
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string; readonly serverName?: string };
  readonly apiKey?: string;
}

type Problem = Omit<ConfigProblem, 'line' | 'path'> & { readonly at: readonly PropertyKey[] };

/**
 * Access as the file says, otherwise as Temporal's own environment variables say. Its configuration files (`TEMPORAL_CONFIG_FILE`) are not read.
 * https://docs.temporal.io/references/client-environment-configuration
 */
export function completeTemporalAccess(options: {
  readonly file: FileConfig['temporal'];
  readonly env: Environment;
  readonly absolute: (path: string) => string;
  readonly problems: Problem[];
}): { readonly tls?: TemporalTls; readonly apiKey?: SecretRef } {
  const { file, env, absolute, problems } = options;
  const apiKey = file.apiKey ?? (env.TEMPORAL_API_KEY ? { env: 'TEMPORAL_API_KEY' } : undefined);
  const tls = file.tls === undefined ? tlsOfEnvironment(env, problems) : tlsOfFile(file.tls, absolute);
  const encrypts = tls ?? (apiKey ? {} : undefined);
  if (apiKey && encrypts === false)
    problems.push({
      at: ['temporal', 'tls'],
      problem: 'an API key without TLS could be read on the way',
      remedy: 'Turn TLS on, or leave the API key out.',
    });
  return { ...(encrypts && { tls: encrypts }), ...(apiKey && { apiKey }) };
}

function tlsOfFile(tls: NonNullable<FileConfig['temporal']['tls']>, absolute: (path: string) => string): TemporalTls | false {
  if (typeof tls === 'boolean') return tls && {};
  const { caFile, certFile, keyFile, serverName } = tls;
  return {
    ...(caFile !== undefined && { ca: { file: absolute(caFile) } }),
    ...(certFile !== undefined && { cert: { file: absolute(certFile) } }),
    ...(keyFile !== undefined && { key: { file: absolute(keyFile) } }),
    ...(serverName !== undefined && { serverName }),
  };
}

/** Undefined if the environment says nothing about TLS. */
function tlsOfEnvironment(env: Environment, problems: Problem[]): TemporalTls | false | undefined {
  if (env.TEMPORAL_TLS === 'false') return false;
  if (env.TEMPORAL_TLS_DISABLE_HOST_VERIFICATION === 'true')
    problems.push({
      at: ['temporal', 'tls'],
      problem: 'TEMPORAL_TLS_DISABLE_HOST_VERIFICATION asks to trust any server',
      remedy: 'Set the server’s authority (TEMPORAL_TLS_SERVER_CA_CERT_PATH) and name (TEMPORAL_TLS_SERVER_NAME).',
    });
  const ca = given(env, 'TEMPORAL_TLS_SERVER_CA_CERT');
  const cert = given(env, 'TEMPORAL_TLS_CLIENT_CERT');
  const key = given(env, 'TEMPORAL_TLS_CLIENT_KEY');
  const serverName = env.TEMPORAL_TLS_SERVER_NAME;
  if ((cert === undefined) !== (key === undefined))
    problems.push({
      at: ['temporal', 'tls'],
      problem: 'the environment sets only one of the client certificate and its key',
      remedy: 'Set both TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH, or neither.',
    });
  const tls = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }), ...(serverName && { serverName }) };
  return env.TEMPORAL_TLS === 'true' || Object.keys(tls).length > 0 ? tls : undefined;
}

function given(env: Environment, name: string): SecretRef | undefined {
  const file = env[`${name}_PATH`];
  if (file) return { file };
  return env[`${name}_DATA`] ? { env: `${name}_DATA` } : undefined;
}

/** @param current reads a secret now, and returns a function that reads it again */
export function readTemporalAccess(
  { tls, apiKey }: { readonly tls?: TemporalTls; readonly apiKey?: SecretRef },
  current: (path: string, ref: SecretRef) => () => string,
): () => TemporalAccess {
  const part = (path: string, ref: SecretRef | undefined) => ref && current(path, ref);
  const ca = part('temporal.tls.caFile', tls?.ca);
  const cert = part('temporal.tls.certFile', tls?.cert);
  const key = part('temporal.tls.keyFile', tls?.key);
  const token = part('temporal.apiKey', apiKey);
  return () => ({
    ...(tls && {
      tls: {
        ...(ca && { ca: ca() }),
        ...(cert && { cert: cert() }),
        ...(key && { key: key() }),
        ...(tls.serverName !== undefined && { serverName: tls.serverName }),
      },
    }),
    ...(token && { apiKey: token() }),
  });
}
