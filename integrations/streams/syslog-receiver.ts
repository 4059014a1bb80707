import { isIP } from 'node:net';
import { connect } from 'node:tls';
import type { Receiver, StreamEvent, StreamOutcome } from '../../core/streams/stream.ts';
import type { PostTls } from '../http-post.ts';

interface SyslogReceiverOptions {
  readonly host: string;
  readonly port: number;
  /** Name that the server's certificate must contain. Absent: the host. */
  readonly serverName?: string;
  /** Sender's name in the header. */
  readonly hostname: string;
  readonly timeoutMs: number;
  /** Called before each delivery. */
  readonly access: () => PostTls;
}

/** Log audit (13), Informational (6). https://www.rfc-editor.org/rfc/rfc5424#section-6.2.1 */
const priority = 13 * 8 + 6;
const nothing = '-';

/**
 * Sends syslog over TLS. The protocol has no acknowledgement: each delivery is a separate connection, and counts once the receiver has read it to its end and
 * closed its side too. https://www.rfc-editor.org/rfc/rfc5425
 */
export function createSyslogReceiver(options: SyslogReceiverOptions): Receiver {
  return { deliver: (events, signal) => deliver(events, options, signal), close: async () => undefined };
}

function deliver(events: readonly StreamEvent[], options: SyslogReceiverOptions, signal: AbortSignal): Promise<StreamOutcome> {
  const { host, port, serverName = isIP(host) ? '' : host, timeoutMs, access } = options;
  return new Promise((resolve) => {
    const over = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const failed = (reason: string): void => resolve({ state: 'later', reason });
    let socket: ReturnType<typeof connect>;
    try {
      socket = connect({ host, port, servername: serverName, minVersion: 'TLSv1.2', ...access() });
    } catch {
      return failed('its certificates cannot be used');
    }
    let isWritten = false;
    over.addEventListener('abort', () => {
      failed('no answer in time');
      socket.destroy();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => failed(error.code ?? 'no connection'));
    socket.on('secureConnect', () => {
      // A server that rejects a client's certificate reports it after the handshake: an end before that is no acknowledgement.
      socket.end(Buffer.concat(events.map((event) => frame(event, options.hostname))), () => {
        isWritten = true;
      });
    });
    socket.on('end', () => {
      if (isWritten) resolve({ state: 'delivered', answer: 'read to the end' });
      else failed('the connection was closed before everything was sent');
    });
    socket.on('close', () => failed('the connection was cut off'));
    socket.resume();
  });
}

/** Prefixed with its length, so that a line break inside ends nothing (RFC 5425, 4.3). */
function frame({ json, at, kind }: StreamEvent, hostname: string): Buffer {
  const header = `<${priority}>1 ${at} ${printable(hostname, 255)} firebreak ${nothing} ${printable(kind, 32)} ${nothing}`;
  const message = Buffer.from(`${header} ${ascii(json)}`);
  return Buffer.concat([Buffer.from(`${message.length} `), message]);
}

/**
 * The same JSON in ASCII. UTF-8 text has to begin with a byte order mark (RFC 5424, 6.4): rsyslog leaves it in place, and then the next reader cannot parse the
 * message as JSON.
 */
function ascii(json: string): string {
  return json.replaceAll(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Printable ASCII without a space; `-` for nothing. */
function printable(text: string, most: number): string {
  return text.replaceAll(/[^\x21-\x7e]/g, '_').slice(0, most) || nothing;
}
