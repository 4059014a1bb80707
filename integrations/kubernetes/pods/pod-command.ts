import { on } from 'node:events';
import { hasRight } from '../access-review.ts';
import { type KubernetesApi, pathOf } from '../client.ts';
import { errorOfConnection, errorOfStatus, KubernetesError } from '../client-error.ts';

/** How a command ended, as the container runtime reports it. */
interface CommandEnd {
  readonly exitCode: number;
  /** The last part of it. */
  readonly stderr: string;
}

export interface PodCommand {
  /**
   * The command's output as it arrives; iterating over it starts the command. Output that is not consumed is not read, so the command has to wait.
   * @throws KubernetesError: if it cannot be started, the connection ends before the command does, or it is silent or takes too long.
   */
  readonly stdout: AsyncIterable<Uint8Array>;
  /** Known once `stdout` has ended. */
  end(): CommandEnd;
}

/**
 * https://github.com/kubernetes/kubernetes/blob/master/staging/src/k8s.io/apimachinery/pkg/util/remotecommand/constants.go v5 only adds the end of standard
 * input, which we never send. v4 passes through API server and kubelet unchanged; v5 is decoded and re-encoded (as SPDY) in one of them.
 */
const protocols = ['v4.channel.k8s.io'];
const channel = { stdout: 1, stderr: 2, status: 3 } as const;
const longestStderr = 64 * 1024;
/** Messages of up to 32 KiB buffered here before the connection is paused. */
const waiting = { highWaterMark: 32, lowWaterMark: 8 };

/** A command in a container, without standard input. Each iteration over `stdout` runs it again, so iterate once. */
export function podCommand(options: {
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly command: readonly string[];
  /** Limits for the whole command, and between two messages. */
  readonly timeoutMs: number;
  readonly idleMs: number;
  readonly signal: AbortSignal;
}): PodCommand {
  const { api, namespace, pod, container, command, timeoutMs, idleMs } = options;
  const what = `create pods/exec in ${namespace}`;
  const query = new URLSearchParams({ container, stdout: 'true', stderr: 'true' });
  for (const part of command) query.append('command', part);
  let ended: CommandEnd | undefined;

  /** The API server requires two rights here, and refuses both with the same text: which one is missing must be looked up. */
  const refused = async (error: unknown): Promise<never> => {
    if (!(error instanceof KubernetesError) || error.status !== 403) throw error;
    const { signal } = options;
    const right = { resource: 'pods', subresource: 'exec', namespace };
    const verb = (await hasRight({ api, right: { ...right, verb: 'get' }, signal })) ? 'create' : 'get';
    throw errorOfStatus({ status: 403, text: '', what: `${verb} pods/exec in ${namespace}` });
  };

  async function* read(): AsyncGenerator<Uint8Array> {
    const idle = new AbortController();
    const late = (): void => idle.abort(new DOMException('silent', 'TimeoutError'));
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout(timeoutMs), idle.signal]);
    const path = pathOf({ resource: 'pods', namespace, name: pod, subresource: 'exec' });
    const socket = await api.socket({ path, query, protocols, what, timeoutMs: 10_000, signal }).catch(refused);
    let stderr = Buffer.alloc(0);
    let timer = setTimeout(late, idleMs);
    try {
      const messages = on(socket, 'message', { close: ['close'], ...waiting, signal });
      socket.resume();
      for await (const event of messages) {
        // Time that a slow consumer takes does not count as silence.
        clearTimeout(timer);
        const message: Buffer = event[0];
        const [kind] = message;
        const content = message.subarray(1);
        if (kind === channel.status) {
          ended = { exitCode: exitCodeOf(content, what), stderr: stderr.toString('utf8') };
          return;
        }
        if (kind === channel.stderr) stderr = Buffer.concat([stderr, content]).subarray(-longestStderr);
        if (kind === channel.stdout && content.length > 0) yield content;
        timer = setTimeout(late, idleMs);
      }
    } catch (error) {
      if (error instanceof KubernetesError) throw error;
      throw errorOfConnection({ error: signal.aborted ? signal.reason : error, what });
    } finally {
      clearTimeout(timer);
      socket.terminate();
    }
    throw unavailable(`${what}: the connection ended before the command did`);
  }

  return {
    stdout: { [Symbol.asyncIterator]: read },
    end() {
      if (ended === undefined) throw new TypeError('the command has not ended');
      return ended;
    },
  };
}

/** The last message: a `Status`, with the exit code among its causes if it is not 0. */
function exitCodeOf(content: Buffer, what: string): number {
  const status: {
    readonly status?: string;
    readonly reason?: string;
    readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] };
  } = JSON.parse(content.toString('utf8'));
  if (status.status === 'Success') return 0;
  const code = Number(status.details?.causes?.find(({ reason }) => reason === 'ExitCode')?.message);
  if (status.reason === 'NonZeroExitCode' && Number.isInteger(code)) return code;
  throw unavailable(`${what}: the node could not run the command`);
}

function unavailable(detail: string): KubernetesError {
  return new KubernetesError('FB_ERR_UNAVAILABLE', detail, { status: 0, reason: '' });
}
