import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { portOf } from '../../../integrations/http-door.ts';

/** What it does with one delivery. `lost-answer`: it accepts the delivery, but its answer does not arrive. */
type Behaviour = number | 'hang' | 'cut' | 'lost-answer';

export interface Arrived {
  readonly headers: IncomingMessage['headers'];
  /** The text before compression. */
  readonly text: string;
  readonly events: readonly Readonly<Record<string, unknown>>[];
}

/** An HTTP server that receives events and fails on request: first as the script says, one entry per delivery, then as `decide` says. */
export class ReceivingServer {
  /** What it accepted, in order of arrival; refused deliveries are not included. */
  readonly taken: Arrived[] = [];
  /** Number of deliveries that it leaves unanswered. */
  hanging = 0;
  script: Behaviour[] = [];
  decide: (arrived: Arrived) => Behaviour = () => 200;
  readonly #server: Server;
  readonly #hung: ServerResponse[] = [];

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(): Promise<ReceivingServer> {
    const server = createServer();
    const receiving = new ReceivingServer(server);
    server.on('request', (request, response) => void receiving.#answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return receiving;
  }

  get url(): string {
    return `http://127.0.0.1:${portOf(this.#server)}/events`;
  }

  get events(): Arrived['events'] {
    return this.taken.flatMap(({ events }) => events);
  }

  async close(): Promise<void> {
    for (const response of this.#hung) response.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return;
    }
    const body = Buffer.concat(chunks);
    const text = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString();
    const lines = text.startsWith('[')
      ? JSON.parse(text)
      : text
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line));
    const arrived: Arrived = { headers: request.headers, text, events: lines };
    const behaviour = this.script.shift() ?? this.decide(arrived);
    if (behaviour === 'hang') {
      this.hanging += 1;
      this.#hung.push(response);
    } else if (behaviour === 'cut') request.socket.destroy();
    else if (behaviour === 'lost-answer') {
      this.taken.push(arrived);
      request.socket.destroy();
    } else {
      if (behaviour < 300) this.taken.push(arrived);
      response.writeHead(behaviour, behaviour === 429 ? { 'retry-after': '1' } : {}).end('{"answer":"of the receiver"}');
    }
  }
}
