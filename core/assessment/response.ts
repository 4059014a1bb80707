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
  readonly onSilence: 'contain' | 'nothing';
  /** For people, worst first. */
  readonly reasons: readonly string[];
  /** The cell's confirmation that it has assessed the pod as to be cut off: see `sealContainment`. Without it nothing is done to a pod without people. */
  readonly seal?: string;
}

const modeDoes: Readonly<Record<Mode, string>> = {
  observe: 'mode observe only records it',
  ask: 'mode ask asks people first',
  contain: 'mode contain',
};

/** What mode `contain` would have done, for people. Undefined: the same. */
export function wouldHaveText({
  response,
  would,
  wouldPage,
  mode,
  scope,
}: Pick<Assessment, 'response' | 'would' | 'wouldPage' | 'mode' | 'scope'>): string | undefined {
  if (mode === 'contain' || response === would) return undefined;
  const done = would === 'contain' ? 'contained the pod' : `asked people${wouldPage ? ' and paged' : ''}`;
  return `Would have ${done}: ${modeDoes[mode]} (${scope})`;
}
