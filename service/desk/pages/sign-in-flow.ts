import { createHash, randomBytes } from 'node:crypto';
import { answersText, type FormAnswers } from '../../../core/decide/form.ts';
import type { PendingSignIn, SignInStore } from '../../../core/decide/sign-in.ts';
import { stepUpNonce } from '../../../core/decide/step-up.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { type Person, personById, type Roster } from '../../../core/people/roster.ts';
import type { SignInClient } from '../../../integrations/oidc/sign-in-client.ts';
import { type ClickVotes, type TrustedClick, whoClicked } from '../click-votes.ts';

/** Long enough for a second factor, short enough that nobody decides on an old page. */
const openForMs = 10 * 60_000;

export interface SignInFlowOptions {
  readonly roster: Roster;
  readonly store: SignInStore;
  readonly client: SignInClient;
  readonly votes: ClickVotes;
  /** Gives the order, if it is not a vote. `taken`: it does not have to be given again. */
  readonly ends: (asked: {
    readonly restraint: string;
    readonly person: Person;
    readonly reason: string;
    readonly idToken: string;
  }) => Promise<{ readonly text: string; readonly taken?: true }>;
  /** The address at which browsers reach the desk. */
  readonly publicUrl: string;
  readonly refused: (refusal: { readonly reason: string; readonly pending: PendingSignIn; readonly subject?: string }) => void;
  readonly now?: () => number;
}

export interface SignInFlow {
  /** Returns a link for the person who clicked; nothing is decided until they have signed in. */
  open(click: TrustedClick, shown: PendingSignIn['shown']): Promise<{ readonly text: string; readonly link?: string }>;
  /** Returns what the page shows. @throws FB_ERR_NOT_FOUND if the link is unknown, too old, or used. */
  look(id: string): Promise<PendingSignIn>;
  /** Returns where the browser goes, and the cookie that identifies it later. @throws FB_ERR_NOT_FOUND, FB_ERR_UNAVAILABLE */
  begin(id: string): Promise<{ readonly url: string; readonly cookie: string }>;
  /** Casts the vote when the browser returns. @throws FB_ERR_NOT_FOUND, FB_ERR_REFUSED, FB_ERR_UNAVAILABLE */
  finish(back: { readonly search: string; readonly cookie: string | undefined }): Promise<{
    readonly text: string /** The path that the browser came from. Absent where there is more to say than that page shows. */;
    readonly to?: string;
  }>;
}

/**
 * From a click to the vote via the identity provider. The desk checks who signed in so that people learn of a mistake at once; what counts is the token itself,
 * which is sent with the vote and which the cell checks again.
 */
export function createSignInFlow(options: SignInFlowOptions): SignInFlow {
  const { roster, store, client, votes, ends, publicUrl, refused, now = Date.now } = options;

  const live = (pending: PendingSignIn | undefined): PendingSignIn => {
    if (!pending) throw new FirebreakError('FB_ERR_NOT_FOUND', 'This link is unknown. Click on the card again.');
    if (pending.spentAt !== undefined)
      throw new FirebreakError('FB_ERR_NOT_FOUND', 'This link was already used for your answer.');
    if (now() - pending.openedAt > openForMs)
      throw new FirebreakError('FB_ERR_NOT_FOUND', 'This link is older than ten minutes. Click on the card again.');
    return pending;
  };

  return {
    open: async (click, shown) => {
      // Anybody on the roster may end something, on call or not.
      const { refusal } = click.ends === undefined ? await votes.mayAnswer(click) : {};
      if (refusal !== undefined) return { text: refusal };
      const person = whoClicked(roster, click);
      if (person?.subject === undefined)
        return {
          text: 'This answer needs a sign-in, but the roster does not link you to an account at the identity provider. Nothing was decided.',
        };
      const id = randomBytes(18).toString('base64url');
      const { clickId, slackUser, onPage, back, channel, button, reason, answers, ends: restraint } = click;
      const said = {
        ...(onPage !== undefined && { onPage }),
        ...(back !== undefined && { back }),
        ...(reason !== undefined && { reason }),
        ...(answers && { answers }),
        ...(restraint !== undefined && { ends: restraint }),
      };
      const kept = { clickId, slackUser, channel, button, ...said };
      await store.save({ id, openedAt: now(), person: person.id, click: kept, shown: withAnswers(shown, answers) });
      return {
        text: `“${shown.choice.label}” needs your sign-in. Nothing is decided until then. The link is for you alone and valid for ten minutes.`,
        link: `${publicUrl}/sign-in/${id}`,
      };
    },

    look: async (id) => live(await store.find(id)),

    begin: async (id) => {
      const pending = live(await store.find(id));
      const cookie = randomBytes(24).toString('base64url');
      const { url, secrets } = await client.begin(nonceOf(pending));
      await store.save({ ...pending, begun: { ...secrets, browser: hashOf(cookie) } });
      return { url, cookie };
    },

    finish: async ({ search, cookie }) => {
      const state = new URLSearchParams(search).get('state') ?? '';
      const pending = live(await store.findByState(state));
      const { begun } = pending;
      if (!begun || cookie === undefined || hashOf(cookie) !== begun.browser)
        throw new FirebreakError('FB_ERR_REFUSED', 'This sign-in was started in another browser. Open the link again.');
      const { idToken, subject } = await client.finish({
        url: new URL(`${publicUrl}/sign-in/callback${search}`),
        secrets: begun,
        nonce: nonceOf(pending),
      });
      const person = personById(roster, pending.person);
      if (person?.subject !== subject) {
        refused({ reason: 'signed in as somebody else', pending, subject });
        throw new FirebreakError(
          'FB_ERR_REFUSED',
          'You signed in as somebody other than the person who clicked. It is on the record.',
        );
      }
      const { ends: restraint, reason = '' } = pending.click;
      const { text, taken } =
        restraint === undefined
          ? await votes.vote({ ...pending.click, idToken })
          : await ends({ restraint, person, reason, idToken });
      // A vote that was not delivered can be sent again with the same link, and has the same id.
      if (taken) await store.save({ ...pending, spentAt: now() });
      const { onPage, back } = pending.click;
      return {
        ...(taken && back !== undefined && { to: back }),
        text: onPage === undefined ? text : `${text} The result is on the page that you came from.`,
      };
    },
  };
}

/** Shows people what they filled in before they sign in. */
function withAnswers(shown: PendingSignIn['shown'], answers: FormAnswers | undefined): PendingSignIn['shown'] {
  if (!answers) return shown;
  const { choice } = shown;
  return { ...shown, choice: { ...choice, notes: [...choice.notes, `Filled in: ${answersText(answers)}`] } };
}

function nonceOf({ click: { button, answers }, person }: PendingSignIn): string {
  return stepUpNonce({ questionDigest: button.questionDigest, choice: button.choice, person, ...(answers && { answers }) });
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
