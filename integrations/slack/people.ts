import type { WebClient } from '@slack/web-api';
import { LRUCache } from 'lru-cache';
import { FirebreakError, hasCode } from '../../core/errors.ts';
import { callSlack } from './client.ts';
import type { ClickRefusal } from './refusal.ts';

const retentionMs = 3 * 60_000;
const mostPeople = 5_000;

type Standing = Pick<ClickRefusal, 'reason' | 'detail'> | 'member';

/** Checks whether a Slack account is a full member of our workspace. Asks Slack and caches the answer for three minutes; if in doubt, the answer is no. */
export class SlackPeople {
  readonly #client: WebClient;
  readonly #teamId: string;
  readonly #known: LRUCache<string, Standing>;

  constructor({ client, teamId, now }: { readonly client: WebClient; readonly teamId: string; readonly now: () => number }) {
    this.#client = client;
    this.#teamId = teamId;
    this.#known = new LRUCache({ max: mostPeople, ttl: retentionMs, ttlResolution: 0, perf: { now } });
  }

  async standing(user: string): Promise<Standing> {
    const known = this.#known.get(user);
    if (known !== undefined) return known;
    try {
      const { user: found } = await callSlack('users.info', () => this.#client.users.info({ user }));
      const standing: Standing = found?.id === user ? judged(found, this.#teamId) : unknownUser;
      this.#known.set(user, standing);
      return standing;
    } catch (error) {
      if (hasCode(error, 'FB_ERR_NOT_FOUND')) return unknownUser;
      return { reason: 'not_checked', detail: error instanceof FirebreakError ? error.detail : 'users.info failed' };
    }
  }
}

const unknownUser: Standing = { reason: 'unknown_user', detail: 'Slack does not know this user' };

interface Account {
  readonly id?: string;
  readonly team_id?: string;
  readonly deleted?: boolean;
  readonly is_bot?: boolean;
  readonly is_workflow_bot?: boolean;
  readonly is_restricted?: boolean;
  readonly is_ultra_restricted?: boolean;
  readonly is_stranger?: boolean;
}

/** https://docs.slack.dev/reference/objects/user-object. Slackbot is a bot, although Slack does not mark it as one. */
function judged(account: Account, teamId: string): Standing {
  if (account.is_bot === true || account.is_workflow_bot === true || account.id === 'USLACKBOT') {
    return { reason: 'bot', detail: 'the account is a bot' };
  }
  if (account.deleted === true) return { reason: 'deleted', detail: 'the account is deactivated' };
  if (account.is_stranger === true || account.team_id !== teamId) {
    return { reason: 'stranger', detail: 'the account belongs to another workspace' };
  }
  if (account.is_restricted === true || account.is_ultra_restricted === true) {
    return { reason: 'guest', detail: 'the account is a guest' };
  }
  return 'member';
}
