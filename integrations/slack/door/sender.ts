import type { SlackPeople } from '../people.ts';
import type { ClickRefusal } from '../refusal.ts';

/** What every request from a person says about its origin. */
export interface Sent {
  readonly api_app_id: string;
  readonly team: { readonly id: string };
  readonly user: { readonly id: string; readonly team_id?: string | undefined };
}

/** Accepts requests only from the desk's own app, in its own workspace, by full members of it. */
export class SenderChecks {
  readonly #appId: string;
  readonly #teamId: string;
  readonly #people: SlackPeople;

  constructor(options: { readonly appId: string; readonly teamId: string; readonly people: SlackPeople }) {
    this.#appId = options.appId;
    this.#teamId = options.teamId;
    this.#people = options.people;
  }

  get appId(): string {
    return this.#appId;
  }

  /** Checks what the request itself says; costs nothing. */
  address({ api_app_id, team, user }: Sent): ClickRefusal | undefined {
    if (api_app_id !== this.#appId) return { reason: 'wrong_app', detail: 'the request is for another app' };
    if (team.id !== this.#teamId) return { reason: 'wrong_team', detail: 'the request is from another workspace' };
    if (user.team_id !== this.#teamId) return { reason: 'stranger', detail: 'the user belongs to another workspace' };
    return undefined;
  }

  /** Checks what Slack says about the account. */
  async person(user: string): Promise<ClickRefusal | undefined> {
    const standing = await this.#people.standing(user);
    return standing === 'member' ? undefined : standing;
  }
}
