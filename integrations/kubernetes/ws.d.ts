/** What is used of `ws`, which comes without types of its own. https://github.com/websockets/ws/blob/master/doc/ws.md */
declare module 'ws' {
  import type { EventEmitter } from 'node:events';
  import type { ClientRequest, IncomingMessage } from 'node:http';
  import type { SecureContextOptions } from 'node:tls';

  interface ClientOptions extends SecureContextOptions {
    readonly headers?: Readonly<Record<string, string>>;
    readonly handshakeTimeout?: number;
    readonly maxPayload?: number;
    readonly perMessageDeflate?: boolean;
    readonly servername?: string;
    readonly rejectUnauthorized?: boolean;
  }

  export class WebSocket extends EventEmitter<{
    open: [];
    message: [data: Buffer, isBinary: boolean];
    close: [code: number, reason: Buffer];
    error: [error: Error];
    'unexpected-response': [request: ClientRequest, response: IncomingMessage];
  }> {
    constructor(url: string, protocols: readonly string[], options: ClientOptions);
    /** Stops reading from the connection: who sends has to wait. */
    pause(): void;
    resume(): void;
    terminate(): void;
  }
}
