import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { ClickRefusal } from '../refusal.ts';
import type { SenderChecks } from './sender.ts';

/** https://docs.slack.dev/interactivity/implementing-slash-commands */
const slashCommand = z.object({
  command: z.string().regex(/^\/[a-z-]{1,32}$/),
  text: z.string().default(''),
  api_app_id: z.string(),
  team_id: z.string(),
  channel_id: z.string(),
  user_id: z.string().min(1),
  trigger_id: z.string(),
});

/** One slash command from a member of the workspace; whether they are on the roster is for the service to check. */
export interface SlashCommand {
  /** Stays the same if the same command is delivered again. */
  readonly commandId: string;
  readonly slackUser: string;
  readonly channel: string;
  readonly text: string;
  /** Opens one dialog, within 3 s. */
  readonly trigger: string;
}

type CheckedCommand =
  | { readonly ok: true; readonly command: SlashCommand }
  | { readonly ok: false; readonly refusal: ClickRefusal; readonly isCommand: boolean };

export function isCommand(body: unknown): boolean {
  return typeof body === 'object' && body !== null && 'command' in body;
}

const longestText = 1_000;

/** The same checks as for clicks. A slash command's payload does not name its user's team, so the account itself is looked up. */
export async function checkCommand(body: unknown, sender: SenderChecks): Promise<CheckedCommand> {
  const parsed = slashCommand.safeParse(body);
  if (!parsed.success) {
    return {
      ok: false,
      isCommand: false,
      refusal: { reason: 'malformed', detail: 'the command lacks fields that Slack always sends' },
    };
  }
  const { api_app_id, team_id: team, user_id: slackUser, channel_id: channel, text, trigger_id: trigger } = parsed.data;
  const sent = { api_app_id, team: { id: team }, user: { id: slackUser, team_id: team } };
  const refusal = sender.address(sent) ?? (await sender.person(slackUser));
  if (refusal) return { ok: false, isCommand: true, refusal: { ...refusal, slackUser } };
  const commandId = `slash-${createHash('sha256')
    .update(JSON.stringify([team, slackUser, trigger]))
    .digest('hex')
    .slice(0, 32)}`;
  return { ok: true, command: { commandId, slackUser, channel, text: text.slice(0, longestText).trim(), trigger } };
}
