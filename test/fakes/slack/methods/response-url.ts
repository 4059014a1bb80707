import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { readBody, sendJson } from '../http.ts';
import type { SlackWorld } from '../world.ts';
import { content } from './chat-methods.ts';
import { SlackRefusal } from './method.ts';

const usesMax = 5;

const answer = z.object({
  text: z.string().optional(),
  blocks: z.array(z.unknown()).optional(),
  response_type: z.enum(['ephemeral', 'in_channel']).default('ephemeral'),
  replace_original: z.union([z.boolean(), z.literal('true'), z.literal('false')]).optional(),
  delete_original: z.union([z.boolean(), z.literal('true'), z.literal('false')]).optional(),
  thread_ts: z.string().optional(),
});

/** Five uses within 30 minutes. https://docs.slack.dev/interactivity/handling-user-interaction#message_responses */
export async function handleResponseUrl({
  world,
  id,
  request,
  response,
}: {
  readonly world: SlackWorld;
  readonly id: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}): Promise<void> {
  const body = await readBody(request);
  const url = world.responseUrls.get(id);
  if (url === undefined || url.expires < Date.now()) return sendJson(response, 404, { ok: false, error: 'expired_url' });
  if (url.uses >= usesMax) return sendJson(response, 404, { ok: false, error: 'used_url' });
  url.uses += 1;
  try {
    const given = answer.parse(JSON.parse(body));
    const original = world.message(url.channel, url.messageTs);
    if (isTrue(given.delete_original)) {
      if (original !== undefined) world.remove(original);
    } else {
      const { metadata: _none, ...shown } = content(given);
      if (isTrue(given.replace_original) && original !== undefined) {
        const { blocks: _old, ...rest } = original;
        world.replace(original, { ...rest, ...shown, editedTs: world.nextTs() });
      } else {
        world.add({
          channel: url.channel,
          ts: world.nextTs(),
          user: world.botUserId,
          botId: world.botId,
          appId: world.appId,
          ...shown,
          ...(given.response_type === 'ephemeral' ? { ephemeralFor: url.user } : {}),
          ...(given.thread_ts === undefined ? {} : { threadTs: given.thread_ts }),
        });
      }
    }
    response.writeHead(200, { 'content-type': 'text/plain' }).end('ok');
  } catch (error) {
    const name = error instanceof SlackRefusal ? error.error : 'invalid_payload';
    sendJson(response, 400, { ok: false, error: name });
  }
}

function isTrue(value: boolean | string | undefined): boolean {
  return value === true || value === 'true';
}
