import { subjectOfIncident } from '../incident/incident.ts';
import { digestOf } from '../text/digest.ts';
import type { QuestionCard, ShownCard } from './card.ts';

/** One card holds that many: a dialog that lists them all, each to be ticked, has room for them. Further ones begin another card. */
export const mostTargets = 100;
/** An edit rings nobody's telephone: a question that comes later than this begins a card of its own. */
export const joinableForMs = 30 * 60_000;

/** Questions that people see as one: the same of the same playbook, rule and image, each with its own digest, votes and deadline. */
export interface CardGroup {
  readonly groupId: string;
  /** See `likenessOf`. */
  readonly likeness: string;
  /** The question whose message it is. */
  readonly head: string;
  /** In the order in which they came; the head is the first. */
  readonly questions: readonly string[];
  /** Milliseconds since 1970. */
  readonly begunAt: number;
  /** One of its questions waits for an answer. */
  readonly open: boolean;
}

/** One question as somebody saw it: a vote for it is cast only while it stands so. */
export interface SeenTarget {
  readonly question: string;
  /** See `seenOf`. */
  readonly seen: string;
}

/** A button of a group's card. Each edit that changes what is decided has new ones, so a click tells what was on the card. */
export interface GroupButton {
  readonly buttonId: string;
  readonly groupId: string;
  /** Of the questions. Absent: it opens the list to choose from. */
  readonly choice?: string;
  readonly targets: readonly SeenTarget[];
  /** Milliseconds since 1970. */
  readonly shownAt: number;
}

/** What a dialog was opened about. */
export type GroupAsk = Pick<GroupButton, 'groupId' | 'choice' | 'targets'>;

/** The desk's memory of groups: see `CardStore`. */
export interface GroupStore {
  saveGroup(group: CardGroup): Promise<void>;
  group(groupId: string): Promise<CardGroup | undefined>;
  /** The newest open one. */
  openGroup(likeness: string): Promise<CardGroup | undefined>;
  /** Those of the same group that are an hour older are forgotten. */
  saveGroupButtons(buttons: readonly GroupButton[]): Promise<void>;
  /** Those that were shown last. */
  groupButtons(groupId: string): Promise<readonly GroupButton[]>;
  groupButton(buttonId: string): Promise<GroupButton | undefined>;
}

/** What people decide on. Counts, votes, evidence and times come and go without changing it. */
export function substanceOf({ text, incident, choices }: QuestionCard): string {
  return digestOf({ text, severity: incident.severity, choices });
}

export function seenOf(card: QuestionCard): string {
  return digestOf({ question: card.questionDigest, substance: substanceOf(card) });
}

/** One question of each card. */
export function oneOfEach(shown: readonly ShownCard[]): readonly ShownCard[] {
  return [...new Map(shown.map((one) => [one.group ?? one.card.questionId, one])).values()];
}

/** What the question is about, in a few words. */
export function targetNameOf({ happened, incident }: QuestionCard): string {
  return happened.pod ?? incident.title;
}

/**
 * What two questions have in common that are one question to people; undefined for one that stays alone. The names of what each is about do not
 * count, everything else does: who asks, who may answer, how bad it is, the choices and what each would run.
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
  // Each such answer needs a sign-in of its own.
  if (choices.some(({ stepUp }) => stepUp === true)) return undefined;
  // Each is filled in by itself.
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

function withoutNames(text: string, { happened, incident }: QuestionCard): string {
  const subject = subjectOfIncident(incident.id);
  const [namespace, pod] = happened.pod?.split('/') ?? [];
  const workload = subject?.kind === 'workload' ? subject.name : undefined;
  return [pod, workload, namespace].reduce<string>((left, name) => (name === undefined ? left : withoutName(left, name)), text);
}

/** As a whole word only: a workload may be called `a`. */
function withoutName(text: string, name: string): string {
  if (name === '') return text;
  const exactly = name.replaceAll(/[^A-Za-z0-9-]/g, '\\$&');
  return text.replaceAll(new RegExp(`(?<![A-Za-z0-9-])${exactly}(?![A-Za-z0-9-])`, 'g'), '{}');
}
