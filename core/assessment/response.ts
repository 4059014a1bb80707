/** What is done about an alert: cut the pod off, ask people, file it for later, or only record it. Worst first. */
export const responses = ['contain', 'ask', 'file', 'watch'] as const;
export type Response = (typeof responses)[number];

/** How readily a pod is cut off. */
export const profiles = ['cautious', 'balanced', 'strict'] as const;
export type Profile = (typeof profiles)[number];

/** What the configuration lets the cell do by itself. */
export const modes = ['observe', 'ask', 'contain'] as const;
export type Mode = (typeof modes)[number];

/** What is done about a pod, and why. */
export interface Assessment {
  readonly response: Response;
  /** A question that wakes somebody. */
  readonly pages: boolean;
  /** What mode `contain` would do. */
  readonly would: Response;
  /** Whether that would wake somebody. */
  readonly wouldPage: boolean;
  readonly mode: Mode;
  readonly profile: Profile;
  readonly scope: string;
  /** What happens to the pod if people are asked and do not answer. */
  readonly onSilence: 'contain' | 'nothing';
  /** For people, worst first. */
  readonly reasons: readonly string[];
  /** Why the pod is not cut off in mode `contain` either, although `would` is `contain`: no playbook that answers may contain it, or a guardrail refuses. */
  readonly heldBack?: string;
  /** The cell's confirmation that the pod is to be cut off, at once (`sealContainment`) or if nobody answers (`sealSilence`). Without it nothing is done to a pod without people. */
  readonly seal?: string;
}

const modeDoes: Readonly<Record<Mode, string>> = {
  observe: 'mode observe only records it',
  ask: 'mode ask asks people first',
  contain: 'mode contain',
};

/** What mode `contain` would have done, for people; and in mode `contain`, why less is done than the assessment says. Undefined: the same. */
export function wouldHaveText({
  response,
  would,
  wouldPage,
  mode,
  scope,
  heldBack,
}: Pick<Assessment, 'response' | 'would' | 'wouldPage' | 'mode' | 'scope' | 'heldBack'>): string | undefined {
  if (would === 'contain' && heldBack !== undefined)
    return `${mode === 'contain' ? 'Not contained at once' : 'Mode contain would not contain the pod either'}: ${heldBack}`;
  if (mode === 'contain' || response === would) return undefined;
  const done = would === 'contain' ? 'contained the pod' : `asked people${wouldPage ? ' and paged' : ''}`;
  return `Would have ${done}: ${modeDoes[mode]} (${scope})`;
}
