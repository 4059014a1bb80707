import { z } from 'zod';
import type { ClickRefusal } from '../refusal.ts';
import type { SenderChecks } from './sender.ts';

/**
 * https://docs.slack.dev/reference/interaction-payloads/shortcuts-interaction-payload. It does not name the app: the signature, or the connection, belongs to
 * the app.
 */
const messageAction = z.object({
  type: z.literal('message_action'),
  callback_id: z.literal('fb_start_incident'),
  trigger_id: z.string(),
  api_app_id: z.string().optional(),
  team: z.object({ id: z.string() }),
  user: z.object({ id: z.string().min(1), team_id: z.string().optional() }),
  channel: z.object({ id: z.string() }),
  message: z.object({ ts: z.string(), text: z.string().default('') }),
});

/** “Start an incident from this message”, by a member of the workspace. */
export interface Shortcut {
  readonly slackUser: string;
  readonly channel: string;
  readonly trigger: string;
  readonly message: { readonly channel: string; readonly ts: string; readonly text: string };
}

type CheckedShortcut =
  | { readonly ok: true; readonly shortcut: Shortcut }
  | { readonly ok: false; readonly refusal: ClickRefusal };

const longestText = 1_000;

export function isShortcut(body: unknown): boolean {
  return typeof body === 'object' && body !== null && 'type' in body && body.type === 'message_action';
}

/** The same checks as for commands. */
export async function checkShortcut(body: unknown, sender: SenderChecks): Promise<CheckedShortcut> {
  const parsed = messageAction.safeParse(body);
  if (!parsed.success)
    return {
      ok: false,
      refusal: { reason: 'malformed', detail: 'the shortcut is not ours, or lacks fields that Slack always sends' },
    };
  const { api_app_id = sender.appId, team, user, trigger_id: trigger, channel, message } = parsed.data;
  const sent = { api_app_id, team, user: { id: user.id, team_id: user.team_id ?? team.id } };
  const refusal = sender.address(sent) ?? (await sender.person(user.id));
  if (refusal) return { ok: false, refusal: { ...refusal, slackUser: user.id } };
  const text = message.text.slice(0, longestText);
  return {
    ok: true,
    shortcut: { slackUser: user.id, channel: channel.id, trigger, message: { channel: channel.id, ts: message.ts, text } },
  };
}
