import { hostname } from 'node:os';
import type { Receiver } from '../../core/streams/stream.ts';
import { createBucketReceiver } from '../../integrations/streams/bucket-receiver.ts';
import { createHttpReceiver } from '../../integrations/streams/http-receiver.ts';
import { createSyslogReceiver } from '../../integrations/streams/syslog-receiver.ts';
import type { StreamAccess, StreamConfig } from '../config/complete/complete-streams.ts';

/** Opens the receiver of a stream. Credentials are read again for each delivery, except for the keys of a bucket. */
export async function openReceiver(
  { to, format, timeoutMs }: Pick<StreamConfig, 'to' | 'format' | 'timeoutMs'>,
  access: () => StreamAccess,
): Promise<Receiver> {
  if (to.kind === 'http') {
    return createHttpReceiver({
      ...to,
      format,
      timeoutMs,
      access: () => {
        const { bearer, hmac, ...tls } = access();
        return { ...(bearer !== undefined && { bearer }), ...(hmac !== undefined && { hmac }), tls };
      },
    });
  }
  if (to.kind === 'syslog') return createSyslogReceiver({ ...to, hostname: hostname(), timeoutMs, access });
  if (to.kind === 'kafka') {
    // So is this one: it is loaded only if such a stream is configured.
    const { createKafkaReceiver } = await import('../../integrations/streams/kafka-receiver.ts');
    return createKafkaReceiver({
      ...to,
      format,
      timeoutMs,
      access: () => {
        const { username, password, ca, cert, key } = access();
        const tls = { ...(ca !== undefined && { ca }), ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) };
        return { ...(username !== undefined && { username }), ...(password !== undefined && { password }), tls };
      },
    });
  }
  // The S3 client is large: it is loaded only if such a stream is configured.
  const { openBucket } = await import('../../integrations/evidence/bucket.ts');
  const { accessKeyId = '', secretAccessKey = '' } = access();
  return createBucketReceiver({
    bucket: openBucket({ ...to, accessKeyId, secretAccessKey, silentMs: timeoutMs }),
    objects: to.objects,
    timeoutMs,
  });
}

/** Describes the target in a few words, without anything that may be a secret. */
export function targetText({ to }: Pick<StreamConfig, 'to'>): string {
  if (to.kind === 'http') return new URL(to.url).origin;
  if (to.kind === 'kafka')
    return `the topic ${to.topic} at ${to.brokers.map(({ host, port }) => `${host}:${port}`).join(', ')} (Kafka)`;
  if (to.kind === 'syslog') return `${to.host}:${to.port} (syslog)`;
  return `the bucket ${to.bucket}${to.endpoint === undefined ? '' : ` at ${new URL(to.endpoint).origin}`}`;
}
