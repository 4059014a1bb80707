import { type KubernetesApi, pathOf } from '../client.ts';
import { KubernetesError } from '../client-error.ts';

export interface ContainerLog {
  readonly bytes: Uint8Array;
  /** What is missing, in words; absent if it is everything that the node still has. */
  readonly partial?: string;
}

/**
 * The last lines of one container's log, with the kubelet's timestamps. A log that cannot be read is empty and says why: the rest of the evidence is worth
 * keeping.
 * @throws FB_ERR_UNAVAILABLE if the call is cancelled; FB_ERR_REFUSED if we may not read logs.
 */
export async function readContainerLog(options: {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly previous: boolean;
  readonly maxLines: number;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}): Promise<ContainerLog> {
  const { api, namespace, pod, container, previous, maxLines, maxBytes, signal } = options;
  const parts: Buffer[] = [];
  let size = 0;
  const partial: string[] = [];
  try {
    const stream = await api.stream({
      path: pathOf({ resource: 'pods', namespace, name: pod, subresource: 'log' }),
      query: {
        container,
        timestamps: 'true',
        tailLines: String(maxLines),
        limitBytes: String(maxBytes),
        ...(previous && { previous: 'true' }),
      },
      accept: '*/*',
      what: `get pods/log in ${namespace}`,
      timeoutMs: 10_000,
      signal: AbortSignal.any([signal, AbortSignal.timeout(30_000)]),
    });
    for await (const part of stream) {
      parts.push(part);
      size += part.length;
    }
  } catch (error) {
    if (signal.aborted || (error instanceof KubernetesError && error.status === 403)) throw error;
    partial.push(
      error instanceof KubernetesError ? `not available (${error.status || 'no answer'})` : 'the node stopped sending',
    );
  }
  const bytes = Buffer.concat(parts);
  if (size >= maxBytes) partial.push(`cut after ${maxBytes} bytes`);
  let lines = 0;
  for (const byte of bytes) if (byte === 10) lines += 1;
  if (lines >= maxLines) partial.push(`only the last ${maxLines} lines`);
  return { bytes, ...(partial.length > 0 && { partial: partial.join('; ') }) };
}
