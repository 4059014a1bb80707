import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { readBody, sendJson } from './http.ts';
import type { SlackEmulator } from './index.ts';

const text = z.string().min(1);
const click = z
  .object({
    user: text,
    channel: text.optional(),
    ts: text.optional(),
    buttonText: text.optional(),
    actionId: text.optional(),
    value: text.optional(),
    optionText: text.optional(),
    dialog: z.union([z.literal('leave'), z.record(z.string(), z.string())]).optional(),
  })
  .transform((given) => given as Parameters<SlackEmulator['click']>[0]);
const times = z.number().int().min(1).default(1);
const fail = z.object({
  method: text,
  status: z.number().int().default(200),
  error: text.default('internal_error'),
  times,
});
const hang = z.object({ method: text, ms: z.number().int().min(0), times });
const lost = z.object({ method: text, times });

/** The emulator's functions for use from another process: `POST /control/NAME` with JSON. */
export async function handleControl({
  emulator,
  name,
  request,
  response,
}: {
  readonly emulator: Omit<SlackEmulator, 'apiUrl' | 'pageUrl' | 'stop'>;
  readonly name: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}): Promise<void> {
  const body = await readBody(request);
  try {
    sendJson(response, 200, { ok: true, result: (await run(emulator, name, body === '' ? {} : JSON.parse(body))) ?? null });
  } catch (error) {
    sendJson(response, 400, { ok: false, error: error instanceof Error ? error.message : String(error) });
  }
}

async function run(emulator: Parameters<typeof handleControl>[0]['emulator'], name: string, body: unknown): Promise<unknown> {
  switch (name) {
    case 'click':
      return emulator.click(click.parse(body));
    case 'clickToDialog':
      return emulator.clickToDialog(click.parse(body));
    case 'fail': {
      const { method, ...fault } = fail.parse(body);
      return emulator.fail(method, fault);
    }
    case 'hang': {
      const given = hang.parse(body);
      return emulator.hang(given.method, given.ms, given.times);
    }
    case 'doThenTimeout':
    case 'doThenReset': {
      const given = lost.parse(body);
      return emulator[name](given.method, given.times);
    }
    case 'calm':
      return emulator.calm();
    case 'messages':
      return emulator.world.messages;
    case 'calls':
      return emulator.calls;
    case 'interactionsUrl':
      return emulator.setInteractionsUrl(z.object({ url: text }).parse(body).url);
    default:
      throw new Error(`no such control: ${name}`);
  }
}
