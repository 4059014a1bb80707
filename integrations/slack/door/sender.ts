import type { SlackPeople } from '../people.ts';
import type { ClickRefusal } from '../refusal.ts';

/** What every request of a person says of where it comes from. */
export interface Sent {
  readonly api_app_id: string;
  readonly team: { readonly id: string };
  readonly user: { readonly id: string; readonly team_id?: string | undefined };
}

/** Whom this desk listens to: its own app, in its own workspace, and full members of it. */
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

  /** By what the request says; costs nothing. */
  address({ api_app_id, team, user }: Sent): ClickRefusal | undefined {
    if (api_app_id !== this.#appId) return { reason: 'wrong_app', detail: 'the request is for another app' };
    if (team.id !== this.#teamId) return { reason: 'wrong_team', detail: 'the request is from another workspace' };
    if (user.team_id !== this.#teamId) return { reason: 'stranger', detail: 'the user belongs to another workspace' };
    return undefined;
  }

  /** By what Slack says of the account. */
  async person(user: string): Promise<ClickRefusal | undefined> {
    const standing = await this.#people.standing(user);
    return standing === 'member' ? undefined : standing;
  }
}
