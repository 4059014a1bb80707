import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Rule {
  readonly id: string;
  readonly port: number;
  readonly from: string;
  readonly note: string;
}

/** What the next change meets. */
export type Trouble = 'limit' | 'somebody-was-first' | 'do-it-then-say-nothing' | 'hang';

/**
 * A small cloud with security groups, as strict as a real one: who has no token sees nothing, a change takes the version that it is made for and an
 * idempotency key, and the same key again gets the first answer.
 */
export class Cloud {
  readonly token = 'cloud-token-5f1c';
  /** How often the rules of a group were really changed. */
  changes = 0;
  readonly requests: string[] = [];
  readonly #groups = new Map<string, { version: number; rules: readonly Rule[] }>();
  readonly #answers = new Map<string, { readonly status: number; readonly body: object; readonly asked: string }>();
  readonly #troubles: Trouble[] = [];
  readonly #hanging = new Set<() => void>();
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  static async start(groups: Readonly<Record<string, readonly Rule[]>>): Promise<Cloud> {
    const cloud = new Cloud();
    for (const [id, rules] of Object.entries(groups)) cloud.#groups.set(id, { version: 1, rules });
    await new Promise<void>((resolve) => cloud.#server.listen(0, '127.0.0.1', resolve));
    return cloud;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  rules(id: string): readonly Rule[] {
    return this.#groups.get(id)?.rules ?? [];
  }

  /** Somebody else changes it. */
  change(id: string, rules: readonly Rule[]): void {
    this.#groups.set(id, { version: (this.#groups.get(id)?.version ?? 0) + 1, rules });
  }

  next(...troubles: readonly Trouble[]): void {
    this.#troubles.push(...troubles);
  }

  /** How many changes hang, done and not answered. */
  get hanging(): number {
    return this.#hanging.size;
  }

  async stop(): Promise<void> {
    for (const end of this.#hanging) end();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const say = (status: number, body: object, headers: Readonly<Record<string, string>> = {}): void => {
      response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(body));
    };
    this.requests.push(`${request.method} ${request.url}`);
    if (request.headers.authorization !== `Bearer ${this.token}`) return say(401, {});
    const id = decodeURIComponent(request.url?.match(/^\/groups\/([^/]+)$/)?.[1] ?? '');
    const group = this.#groups.get(id);
    if (!group) return say(404, {});
    if (request.method === 'GET') return say(200, group);
    if (request.method !== 'PUT') return say(405, {});
    const asked = await textOf(request);
    const key = request.headers['idempotency-key'];
    if (typeof key !== 'string') return say(400, { problem: 'no idempotency key' });
    const trouble = this.#troubles.shift();
    if (trouble === 'limit') return say(429, {}, { 'Retry-After': '1' });
    const known = this.#answers.get(key);
    if (known)
      return known.asked === asked ? say(known.status, known.body) : say(422, { problem: 'another change had this key' });
    const { rules, version }: { readonly rules: readonly Rule[]; readonly version: number } = JSON.parse(asked);
    if (trouble === 'somebody-was-first') this.change(id, group.rules);
    if (version !== this.#groups.get(id)?.version) return say(409, {});
    const changed = { version: version + 1, rules };
    this.#groups.set(id, changed);
    this.changes += 1;
    this.#answers.set(key, { status: 200, body: changed, asked });
    if (trouble === 'do-it-then-say-nothing') return void request.socket.destroy();
    if (trouble === 'hang') return void this.#hanging.add(() => request.socket.destroy());
    say(200, changed);
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

export const openRule: Rule = { id: 'r-1', port: 8080, from: '0.0.0.0/0', note: 'shop' };
export const officeRule: Rule = { id: 'r-2', port: 8080, from: '192.0.2.0/24', note: 'office' };
