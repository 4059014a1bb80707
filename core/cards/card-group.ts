import { subjectOfIncident } from '../incident/incident.ts';
import { digestOf } from '../text/digest.ts';
import type { QuestionCard, ShownCard } from './card.ts';

/** Maximum number of targets on a card: a dialog that lists them all, each with a checkbox, has room for this many. Further ones begin another card. */
export const mostTargets = 100;
/** An edit does not ring anybody's telephone: a question that comes later than this begins its own card. */
export const joinableForMs = 30 * 60_000;

/** Questions that people see as one: the same question for the same playbook, rule and image, each with its own digest, votes and deadline. */
export interface CardGroup {
  readonly groupId: string;
  /** See `likenessOf`. */
  readonly likeness: string;
  /** The question whose message it is. */
  readonly head: string;
  /** In the order of arrival; the head is the first. */
  readonly questions: readonly string[];
  /** Milliseconds since 1970. */
  readonly begunAt: number;
  /** At least one of its questions waits for an answer. */
  readonly open: boolean;
}

/** One question as somebody saw it: a vote for it is cast only while it is unchanged. */
export interface SeenTarget {
  readonly question: string;
  /** See `seenOf`. */
  readonly seen: string;
}

/** A button of a group's card. Each edit that changes what is decided creates new ones, so a click shows what was on the card. */
export interface GroupButton {
  readonly buttonId: string;
  readonly groupId: string;
  /** A choice of the questions. Absent: it opens the list to choose from. */
  readonly choice?: string;
  readonly targets: readonly SeenTarget[];
  /** Milliseconds since 1970. */
  readonly shownAt: number;
}

/** What a dialog was opened about. */
export type GroupAsk = Pick<GroupButton, 'groupId' | 'choice' | 'targets'>;

/** The desk's storage of groups: see `CardStore`. */
export interface GroupStore {
  saveGroup(group: CardGroup): Promise<void>;
  group(groupId: string): Promise<CardGroup | undefined>;
  /** The newest open one. */
  openGroup(likeness: string): Promise<CardGroup | undefined>;
  /** Buttons of the same group that are an hour older are deleted. */
  saveGroupButtons(buttons: readonly GroupButton[]): Promise<void>;
  /** Returns the buttons that were shown last. */
  groupButtons(groupId: string): Promise<readonly GroupButton[]>;
  groupButton(buttonId: string): Promise<GroupButton | undefined>;
}

/** Returns what people decide on. Counts, votes, evidence and times can change without changing it. */
export function substanceOf({ text, incident, choices }: QuestionCard): string {
  return digestOf({ text, severity: incident.severity, choices });
}

export function seenOf(card: QuestionCard): string {
  return digestOf({ question: card.questionDigest, substance: substanceOf(card) });
}

/** Returns one question of each card. */
export function oneOfEach(shown: readonly ShownCard[]): readonly ShownCard[] {
  return [...new Map(shown.map((one) => [one.group ?? one.card.questionId, one])).values()];
}

/** Returns what the question is about, in a few words. */
export function targetNameOf({ happened, incident }: QuestionCard): string {
  return happened.pod ?? incident.title;
}

/**
 * Returns what two questions share if people see them as one; undefined for a question that stays alone. The names of their subjects are ignored, everything
 * else counts: who asks, who may answer, the severity, the choices and what each would run.
 */
export function likenessOf({
  card,
  groups,
  requester,
}: {
  readonly card: QuestionCard;
  readonly groups: readonly string[];
  readonly requester: string;
}): string | undefined {
  const { incident, happened, choices, onSilence } = card;
  const { rule, image } = happened;
  if (image === undefined || subjectOfIncident(incident.id) === undefined) return undefined;
  // Each such answer needs its own sign-in.
  if (choices.some(({ stepUp }) => stepUp === true)) return undefined;
  // Each form is filled in separately.
  if (choices.some(({ form }) => form !== undefined)) return undefined;
  const asked = choices.map(({ id, label, actions = [], destructive, weakens }) => ({
    id,
    label,
    actions,
    destructive,
    weakens,
  }));
  const text = withoutNames(card.text, card);
  const { cluster, severity } = incident;
  return digestOf({ cluster, severity, requester, groups, rule, image, text, choices: asked, onSilence });
}

/** Returns the card's question if it asks something else than `other`, apart from names: further findings may have joined it. */
export function ownQuestionOf(card: QuestionCard, other: QuestionCard): string | undefined {
  return withoutNames(card.text, card) === withoutNames(other.text, other) ? undefined : card.text;
}

function withoutNames(text: string, { happened, incident }: QuestionCard): string {
  const subject = subjectOfIncident(incident.id);
  const [namespace, pod] = happened.pod?.split('/') ?? [];
  const workload = subject?.kind === 'workload' ? subject.name : undefined;
  return [pod, workload, namespace].reduce<string>((left, name) => (name === undefined ? left : withoutName(left, name)), text);
}

/** Only as a whole word: a workload may be called `a`. */
function withoutName(text: string, name: string): string {
  if (name === '') return text;
  const exactly = name.replaceAll(/[^A-Za-z0-9-]/g, '\\$&');
  return text.replaceAll(new RegExp(`(?<![A-Za-z0-9-])${exactly}(?![A-Za-z0-9-])`, 'g'), '{}');
}
