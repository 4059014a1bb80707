import type { TargetName } from '../action/plan.ts';
import type { ApiRequest, RolloutRef } from '../alert/alert.ts';
import type { Severity } from '../alert/severity.ts';
import type { ActKind } from '../assessment/rules/act-kinds.ts';
import type { FormAnswers, ShownField } from '../decide/form.ts';
import type { Answerers } from '../decide/standing.ts';
import { afterText, effectText, unknownText } from '../incident/effect.ts';
import type { IncidentRef } from '../incident/incident.ts';
import type { StepState } from '../incident/incident-state.ts';
import { isOver, type Lease, type LeaseEnd } from '../incident/lease.ts';
import type { Similar } from '../incident/similar.ts';
import type { WorkloadLeft } from '../incident/workload-left.ts';

/** One reversible step that is in force, as shown on a card: see `heldText` for the words. */
export interface HeldEffect {
  /** Name of the action. */
  readonly action: string;
  /** As `kind/namespace/name`. */
  readonly target: TargetName;
  readonly state: StepState['state'];
  /** What was read back or probed, and what was not. */
  readonly detail?: string;
  /** Whether it has helped, according to the cell's last check. */
  readonly effect?: string;
  readonly since: string;
  /** Absent: until somebody ends it. */
  readonly until?: string;
  /** Its release was due but was refused: `detail` gives the cause. */
  readonly isReleaseRefused?: true;
}

/** Returns what a lease holds, if it is in force; `step` is the step that created it. */
export function heldEffects(
  lease: Lease,
  step: Pick<StepState, 'state' | 'detail' | 'effect'> | undefined,
): readonly HeldEffect[] {
  const { state, action, target, startedAt, until, refused } = lease;
  const detail = refused ? `its release is refused and will be retried: ${refused.why}` : step?.detail;
  if (state !== 'active' && state !== 'permanent') return [];
  return [
    {
      action,
      target: target.name,
      state: step?.state ?? 'running',
      ...(detail ? { detail } : {}),
      ...(refused ? { isReleaseRefused: true as const } : {}),
      ...(step?.effect ? { effect: foundText(step.effect) } : {}),
      since: new Date(startedAt).toISOString(),
      ...(state === 'active' ? { until: new Date(until).toISOString() } : {}),
    },
  ];
}

function foundText({ afterMs, look }: NonNullable<StepState['effect']>): string {
  return `${afterText(afterMs)} later: ${[effectText(look), unknownText(look)].filter((text) => text !== '').join(' ')}`;
}

/** One reversible step that is no longer in force: see `endedText` for the words. */
export interface EndedEffect extends Pick<HeldEffect, 'action' | 'target'> {
  readonly how: LeaseEnd;
  readonly at: string;
}

/** Returns what a lease held, if that is over. */
export function endedEffects({ action, target, state, endedAt = 0 }: Lease): readonly EndedEffect[] {
  if (!isOver(state)) return [];
  return [{ action, target: target.name, how: state, at: new Date(endedAt).toISOString() }];
}

/** What the on-call sees of a question: plain data, with all texts unescaped (the renderer escapes). Times are ISO 8601, UTC. */
export interface QuestionCard {
  readonly incident: IncidentRef & { readonly title: string; readonly severity: Severity; readonly cluster: string };
  readonly questionId: string;
  readonly questionDigest: string;
  readonly text: string;
  readonly happened: {
    readonly rule: string;
    readonly sensor: string;
    /** What kind of act it is, if more than its sensor and rule tell that. */
    readonly act?: ActKind;
    readonly at: string;
    readonly count: number;
    /** Why the alert's claims about its subject are not taken as certain. */
    readonly doubt?: string;
    readonly pod?: string;
    readonly image?: string;
    /** `signed by …`, `unsigned: …`, `unknown: …`; absent if nobody has checked. */
    readonly signature?: string;
    /** What mode `contain` would have done, in words. Absent: the same. */
    readonly wouldHave?: string;
    /** Why it is handled as it is: the reasons of the assessment, worst first. They may contain the attacker's words. */
    readonly reasons?: readonly string[];
    /** What was not seen before for its workload, in one sentence. */
    readonly novelty?: string;
    /** Ids of the ATT&CK tactics that the rule names: why it matters is said in our own words. */
    readonly tactics?: readonly string[];
    /** When the code running there was last rolled out. */
    readonly rollout?: RolloutRef;
    readonly process?: string;
    readonly commandLine?: string;
    /** The user of the process, according to the sensor. */
    readonly user?: string;
    /** For an alert from the API server's audit: who requested what. */
    readonly request?: Pick<ApiRequest, 'account' | 'verb' | 'resource' | 'subresource' | 'namespace' | 'name'>;
  };
  /** What is left of the workload; absent if the cell did not say. */
  readonly left?: WorkloadLeft;
  /** Added by the desk, which remembers incidents; absent if it could not say in time, or knows none. */
  readonly similar?: Similar;
  /** What was already done, and until when it lasts. */
  readonly contained: readonly HeldEffect[];
  /** What was in force and has ended. Absent: nothing. */
  readonly ended?: readonly EndedEffect[];
  /** What the workload was allowed to do when the incident opened, a line each; absent if nobody could say. */
  readonly posture?: readonly string[];
  /** The last thing somebody did to the ticket or the page in its own system. */
  readonly ticketNews?: string;
  readonly evidence: readonly { readonly name: string; readonly sha256: string; readonly bytes: number }[];
  readonly choices: readonly {
    readonly id: string;
    readonly label: string;
    /** Names of the actions that would run. */
    readonly actions?: readonly string[];
    readonly quorum: number;
    readonly destructive: boolean;
    readonly weakens: boolean;
    /** Each answer needs a sign-in at the identity provider. */
    readonly stepUp?: true;
    /** The form that is filled in with it; for people, those who may be named. */
    readonly form?: Readonly<Record<string, ShownField>>;
    /** What a destructive choice ends: the decider types the end of its name. */
    readonly target?: string;
    readonly changes: readonly string[];
    readonly blastRadius: readonly string[];
    readonly notes: readonly string[];
  }[];
  readonly votes: readonly {
    readonly person: string;
    readonly choice: string;
    readonly at: string;
    readonly reason?: string;
    readonly answers?: FormAnswers;
  }[];
  /** What happens if nobody answers, as covered by the signature of each answer. */
  readonly onSilence: string;
  /** ISO 8601: after it, silence counts. */
  readonly deadline?: string;
  /** Who is asked now, and until when; who is next. */
  readonly level: {
    readonly group: string;
    readonly until: string;
    readonly next?: string;
    readonly number: number;
    /** These people are also paged. */
    readonly pages?: true;
    /** Names of the people who may answer now; absent if nobody has said so. */
    readonly people?: readonly string[];
    /** Slack accounts of the people asked now who have not answered: added by the desk, by its own roster. */
    readonly accounts?: readonly string[];
    /** Who ordered what it is about, and whether they may answer nevertheless. Absent: nobody. */
    readonly requesters?: Answerers['requesters'];
  };
  /** People whom the alerts name as the actor: their ids, and on the desk their Slack accounts. They may not answer, and are asked what they are doing. */
  readonly actors?: readonly string[];
  readonly status:
    | { readonly state: 'open' }
    | { readonly state: 'decided'; readonly choice: string; readonly by: readonly string[]; readonly at: string }
    | { readonly state: 'expired'; readonly at: string }
    | { readonly state: 'void'; readonly why: string; readonly at: string };
}

/** Location of a message: Slack's channel and ts. */
export interface MessageRef {
  readonly channel: string;
  readonly ts: string;
}

/** One line in an incident's thread. */
export interface ThreadPost {
  readonly key: string;
  readonly incident: IncidentRef & { readonly title: string; readonly severity: Severity; readonly cluster: string };
  readonly text: string;
}

/** A message that belongs to no incident and is edited in place; all texts are unescaped. Times are ISO 8601, UTC. */
export interface Notice {
  /** One message per key. */
  readonly key: string;
  readonly title: string;
  /** As of when. */
  readonly time: string;
  readonly lines: readonly string[];
  /** Below the rest, in a monospaced font; as many lines as there is room for. */
  readonly table: readonly string[];
  readonly tableTitle?: string;
}

/** The meaning of a button. The button itself carries only `buttonId`, which is random; everything else is looked up. */
export interface StoredButton {
  readonly buttonId: string;
  readonly incident: IncidentRef;
  readonly question: string;
  readonly questionDigest: string;
  readonly choice: string;
  readonly label: string;
  /** Which groups of the roster may answer now. */
  readonly groups: readonly string[];
  /** Who asked: this person may not answer. */
  readonly requester: string;
}

/** The card as it was last shown: what a click on it is about, and what the dialogs opened from it show. */
export interface ShownCard {
  readonly card: QuestionCard;
  /** Milliseconds since 1970 of the last edit that changed what is decided. 0: unchanged since it was posted. */
  readonly changedAt: number;
  /** The summary whose thread it is in. Absent: it is in the channel. */
  readonly overflow?: MessageRef;
  /** The group whose card it is on. Absent: none. */
  readonly group?: string;
  /** Runs that have asked the same question before. Absent: none. */
  readonly askedBefore?: readonly string[];
}

/** What a card offers besides its choices. Stored like buttons, under ids that no choice of a playbook has. */
export const cardMenu = [':details', ':extend', ':snooze', ':next', ':comment', ':suppress'] as const;
export type MenuEntry = (typeof cardMenu)[number];

export function isMenuEntry(choice: string): choice is MenuEntry {
  return cardMenu.some((entry) => entry === choice);
}
