/** Why a click, or something that looked like one, was refused. */
type ClickRefusalReason =
  | 'unsigned'
  | 'bad_signature'
  | 'too_old'
  | 'future_dated'
  | 'replayed'
  | 'malformed'
  | 'unsupported'
  | 'wrong_app'
  | 'wrong_team'
  | 'stranger'
  | 'not_one_action'
  | 'unknown_button'
  | 'wrong_message'
  | 'not_confirmed'
  | 'not_looked_up'
  | 'stale_card'
  | 'just_changed'
  | 'unknown_dialog'
  | 'not_opener'
  | 'old_dialog'
  | 'spent_dialog'
  | 'unknown_user'
  | 'bot'
  | 'deleted'
  | 'guest'
  | 'not_checked';

/** For the record. `detail` is safe to keep: our own words, no payload. */
export interface ClickRefusal {
  readonly reason: ClickRefusalReason;
  readonly detail: string;
  readonly slackUser?: string;
  readonly buttonId?: string;
}

/** The text shown to the person who clicked. */
export const refusalAnswers: Readonly<Record<ClickRefusalReason, string>> = {
  unsigned: 'This click was not signed by Slack.',
  bad_signature: 'This click was not signed by Slack.',
  too_old: 'This click is too old. Click again.',
  future_dated: 'This click has a time in the future.',
  replayed: 'This click was already received.',
  malformed: 'This click could not be read.',
  unsupported: 'Firebreak does not know this kind of request.',
  wrong_app: 'This click belongs to another app.',
  wrong_team: 'This click comes from another workspace.',
  stranger: 'You are not a member of this workspace, so you may not decide here.',
  not_one_action: 'Firebreak takes one answer at a time. Click one button.',
  unknown_button: 'The card has changed since, or Firebreak does not know this button. Read the card again. Nothing was decided.',
  wrong_message: 'This button is not on a card that Firebreak posted. Nothing was decided.',
  not_confirmed:
    'Slack shows this card, but has not confirmed it to Firebreak yet. Nothing was decided. Click again in a moment.',
  not_looked_up: 'Firebreak could not look up what this stands for. Nothing was decided. Click again in a moment.',
  stale_card: 'This card is out of date. Use the newest card of this question. Nothing was decided.',
  just_changed: 'The card changed just as you clicked. Read it again, and click again. Nothing was decided.',
  unknown_dialog: 'Firebreak did not open this dialog. Nothing was decided. Click the button on the card.',
  not_opener: 'Somebody else opened this dialog, so you may not answer in it. Nothing was decided; it is on the record.',
  old_dialog: 'This dialog was open for too long. Nothing was decided. Click the button on the card again.',
  spent_dialog: 'This dialog was already submitted. Nothing was proposed a second time; it is on the record.',
  unknown_user: 'Firebreak could not find out who you are. Nothing was decided.',
  bot: 'Bots may not decide.',
  deleted: 'This account is deactivated and may not decide.',
  guest: 'Guests of this workspace may not decide.',
  not_checked: 'Firebreak could not ask Slack who you are. Nothing was decided. Try again in a minute.',
};
