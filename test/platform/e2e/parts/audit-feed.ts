import { setTimeout as sleep } from 'node:timers/promises';
import { GrowingFile } from '../../../../tools/demo/audit-log.ts';

interface AuditLine {
  readonly auditID: string;
  readonly verb: string;
  readonly requestURI: string;
  readonly user: { readonly username: string };
  readonly objectRef?: {
    readonly resource?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number };
  readonly requestReceivedTimestamp: string;
}

export interface Fed {
  readonly event: AuditLine;
  readonly answer: { readonly status: string; readonly incident?: string };
}

interface FeedOptions {
  readonly file: string;
  readonly namespaces: readonly string[];
  readonly url: string;
  readonly token: string;
}

/** Sends the API server's own audit log to an intake, as a forwarder would: the events of some namespaces, from now on, in order. */
export class AuditFeed {
  readonly fed: Fed[] = [];
  readonly #options: FeedOptions;
  readonly #file: GrowingFile;
  readonly #running: Promise<void>;
  #stopped = false;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#file = new GrowingFile(options.file);
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      await this.#send(this.#next());
      await sleep(200);
    }
  }

  #next(): readonly string[] {
    const mine = this.#options.namespaces.map((namespace) => `"namespace":"${namespace}"`);
    return this.#file
      .newLines()
      .filter((line) => mine.some((one) => line.includes(one)) && line.includes('"stage":"ResponseComplete"'));
  }

  async #send(lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    const { url, token } = this.#options;
    const response = await fetch(`${url}/v1/alerts/kubernetes-audit`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: lines.join('\n'),
    });
    const { items } = (await response.json()) as { readonly items: readonly Fed['answer'][] };
    if (items.length !== lines.length) throw new Error(`${lines.length} events, ${items.length} answers`);
    lines.forEach((line, place) => {
      const answer = items[place];
      if (answer) this.fed.push({ event: JSON.parse(line), answer });
    });
  }
}
