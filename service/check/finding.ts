/** What looked. */
type CheckName =
  | 'code'
  | 'types'
  | 'envelope'
  | 'answers'
  | 'replay'
  | 'guardrails'
  | 'configuration'
  | 'groups'
  | 'rights'
  | 'rules'
  | 'coverage';

/** One thing that somebody should know of a pack before it is live. */
export interface CheckFinding {
  /** `error`: it will not work. `warning`: it is hardly meant so. `notice`: to be known. */
  readonly severity: 'error' | 'warning' | 'notice';
  readonly check: CheckName;
  readonly playbook?: string;
  /** In the pack, or of a rule in its folder. */
  readonly file?: string;
  readonly line?: number;
  readonly problem: string;
  /** What to do. */
  readonly remedy: string;
}
