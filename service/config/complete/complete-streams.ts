import type { BucketObjects, KafkaSaslMechanism, StreamFormat } from '../../../core/streams/stream.ts';
import type { SecretRef } from '../fields.ts';
import type { FileConfig } from '../schema.ts';

type File = FileConfig['streams'][number];

/** References to the credentials of a stream's receiver. */
type AccessRefs = Readonly<Partial<Record<keyof StreamAccess, SecretRef>>>;

/** The same credentials with their values. */
export interface StreamAccess {
  readonly bearer?: string;
  readonly hmac?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  readonly username?: string;
  readonly password?: string;
}

type StreamTarget =
  | { readonly kind: 'http'; readonly url: string; readonly body: 'lines' | 'list'; readonly gzip: boolean }
  | { readonly kind: 'syslog'; readonly host: string; readonly port: number; readonly serverName?: string }
  | {
      readonly kind: 's3';
      readonly endpoint?: string;
      readonly region: string;
      readonly bucket: string;
      readonly prefix: string;
      readonly objects: BucketObjects;
    }
  | {
      readonly kind: 'kafka';
      readonly brokers: readonly { readonly host: string; readonly port: number }[];
      readonly topic: string;
      readonly gzip: boolean;
      readonly isPlaintext: boolean;
      readonly mechanism?: KafkaSaslMechanism;
    };

export interface StreamConfig {
  readonly name: string;
  readonly format: StreamFormat;
  readonly from: 'beginning' | 'now';
  readonly batch: number;
  readonly timeoutMs: number;
  readonly to: StreamTarget;
  readonly access: AccessRefs;
}

export function completeStreams(file: FileConfig['streams'], absolute: (path: string) => string): readonly StreamConfig[] {
  return file.map(({ to, timeoutSeconds, ...stream }) => ({
    ...stream,
    timeoutMs: timeoutSeconds * 1_000,
    ...targetOf(to, absolute),
  }));
}

function targetOf(
  { http, syslog, s3, kafka }: File['to'],
  absolute: (path: string) => string,
): Pick<StreamConfig, 'to' | 'access'> {
  const refs = (all: Readonly<Partial<Record<keyof StreamAccess, SecretRef | undefined>>>): AccessRefs =>
    Object.fromEntries(Object.entries(all).flatMap(([name, ref]) => (ref ? [[name, ref]] : [])));
  const files = ({ caFile, certFile, keyFile }: NonNullable<NonNullable<typeof http>['tls']>) => {
    const at = (path: string | undefined): SecretRef | undefined => (path === undefined ? undefined : { file: absolute(path) });
    return { ca: at(caFile), cert: at(certFile), key: at(keyFile) };
  };
  if (http) {
    const { bearer, hmac, tls = {}, ...rest } = http;
    return { to: { kind: 'http', ...rest }, access: refs({ bearer, hmac, ...files(tls) }) };
  }
  if (syslog) {
    const { host, port, tls } = syslog;
    const { serverName } = tls;
    return {
      to: { kind: 'syslog', host, port, ...(serverName !== undefined && { serverName }) },
      access: refs(files(tls)),
    };
  }
  if (s3) {
    const { accessKeyId, secretAccessKey, ...rest } = s3;
    return { to: { kind: 's3', ...rest }, access: refs({ accessKeyId, secretAccessKey }) };
  }
  if (kafka) {
    const { brokers, topic, gzip, plaintext, sasl, tls = {} } = kafka;
    return {
      to: { kind: 'kafka', brokers, topic, gzip, isPlaintext: plaintext, ...(sasl && { mechanism: sasl.mechanism }) },
      access: refs({ username: sasl?.username, password: sasl?.password, ...files(tls) }),
    };
  }
  throw new TypeError('a stream without a receiver passed the check of the file');
}

/** @param current reads a secret now, and returns a function that reads it again */
export function readStreamAccess(
  streams: readonly StreamConfig[],
  current: (path: string, ref: SecretRef) => () => string,
): ReadonlyMap<string, () => StreamAccess> {
  return new Map(
    streams.map(({ name, access, to }) => {
      const readers = Object.entries(access).map(
        ([part, ref]) => [part, current(`streams.${name}.to.${to.kind}.${part}`, ref)] as const,
      );
      return [name, (): StreamAccess => Object.fromEntries(readers.map(([part, read]) => [part, read()]))];
    }),
  );
}
