import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { problemsOf } from '../dialogs.ts';
import { readBody, sendJson } from '../http.ts';
import type { Interactions } from '../interactions.ts';
import type { SlackWorld } from '../world.ts';
import { fragments, pageHtml, type Viewer } from './page-view.ts';

const assets: Readonly<Record<string, string>> = {
  'page.css': 'text/css; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
};

const clickBody = z.object({
  user: z.string(),
  channel: z.string(),
  ts: z.string(),
  actionId: z.string(),
  value: z.string().optional(),
  option: z.string().optional(),
});

const submitBody = z.object({ user: z.string(), viewId: z.string(), typed: z.record(z.string(), z.string()) });

/** The channel in a browser. Rendered here, refreshed when the world changes; its clicks take the same path as all clicks. */
export class Page {
  readonly #world: SlackWorld;
  readonly #interactions: Interactions;
  readonly #watchers = new Set<ServerResponse>();
  #pending: NodeJS.Timeout | undefined;

  constructor({ world, interactions }: { readonly world: SlackWorld; readonly interactions: Interactions }) {
    this.#world = world;
    this.#interactions = interactions;
    world.on('change', () => this.#announce());
  }

  /** Returns whether the request was for the page. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const route = `${request.method} ${url.pathname}`;
    const asset = url.pathname.replace('/page/', '');
    if (route === 'GET /') send(response, 'text/html; charset=utf-8', pageHtml(this.#world, this.#viewer(url)));
    else if (route === 'GET /page/fragments') sendJson(response, 200, fragments(this.#world, this.#viewer(url)));
    else if (route === 'GET /page/events') this.#watch(response);
    else if (route === 'POST /page/click') await this.#click(request, response);
    else if (route === 'POST /page/submit') await this.#submit(request, response);
    else if (route === 'POST /page/close') await this.#close(request, response);
    else if (route === 'POST /page/say') await this.#say(request, response);
    else if (route === 'POST /page/dismiss') await this.#dismiss(request, response);
    else if (request.method === 'GET' && asset in assets) {
      send(response, assets[asset] ?? 'text/plain', await readFile(new URL(`./page-assets/${asset}`, import.meta.url), 'utf8'));
    } else return false;
    return true;
  }

  stop(): void {
    clearTimeout(this.#pending);
    for (const watcher of this.#watchers) watcher.end();
  }

  #viewer({ searchParams }: URL): Viewer {
    const people = [...this.#world.users.values()].filter((user) => user.isBot !== true);
    const user = this.#world.users.get(searchParams.get('user') ?? '') ?? people[0];
    const channel = this.#world.channels.get(searchParams.get('channel') ?? '') ?? [...this.#world.channels.values()][0];
    if (user === undefined || channel === undefined) throw new Error('the emulated workspace needs a person and a channel');
    const thread = searchParams.get('thread');
    return { user, channel, ...(thread === null || thread === '' ? {} : { thread }) };
  }

  #watch(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' }).write('retry: 500\n\n');
    this.#watchers.add(response);
    response.once('close', () => this.#watchers.delete(response));
  }

  /** Many simultaneous changes cause one refresh. */
  #announce(): void {
    if (this.#pending !== undefined || this.#watchers.size === 0) return;
    this.#pending = setTimeout(() => {
      this.#pending = undefined;
      for (const watcher of this.#watchers) watcher.write('data: changed\n\n');
    }, 30);
  }

  async #click(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { user, channel, ts, actionId, value, option } = clickBody.parse(JSON.parse(await readBody(request)));
    try {
      const delivery = await this.#interactions.click({
        user,
        channel,
        ts,
        actionId,
        dialog: 'leave',
        ...(value === undefined ? {} : { value }),
        ...(option === undefined ? {} : { option }),
      });
      sendJson(response, 200, { status: delivery.status });
    } catch {
      sendJson(response, 200, { status: 410 });
    }
  }

  /** Errors that the client itself finds are reported without asking the app. */
  async #submit(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { user, viewId, typed } = submitBody.parse(JSON.parse(await readBody(request)));
    const open = this.#world.views.get(viewId);
    if (open === undefined) return sendJson(response, 200, { outcome: 'closed' });
    const errors = problemsOf(open.view, typed);
    if (Object.keys(errors).length > 0) return sendJson(response, 200, { outcome: 'errors', errors });
    sendJson(response, 200, (await this.#interactions.submitView({ viewId, user, typed })).result);
  }

  /** A slash command, or just a message. */
  async #say(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { user, channel, text } = z
      .object({ user: z.string(), channel: z.string(), text: z.string().min(1) })
      .parse(JSON.parse(await readBody(request)));
    const command = /^(\/[a-z-]+)\s*(.*)$/s.exec(text);
    if (command) await this.#interactions.command({ user, channel, command: command[1] ?? '', text: command[2] ?? '' });
    else this.#world.add({ channel, ts: this.#world.nextTs(), user, text });
    sendJson(response, 200, { ok: true });
  }

  async #close(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { user, viewId } = z.object({ user: z.string(), viewId: z.string() }).parse(JSON.parse(await readBody(request)));
    await this.#interactions.closeView({ viewId, user });
    sendJson(response, 200, { ok: true });
  }

  async #dismiss(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { user, ts } = z.object({ user: z.string(), ts: z.string() }).parse(JSON.parse(await readBody(request)));
    const message = this.#world.ephemerals(user).find((one) => one.ts === ts);
    if (message !== undefined) this.#world.remove(message);
    sendJson(response, 200, { ok: true });
  }
}

function send(response: ServerResponse, type: string, body: string): void {
  response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
}
