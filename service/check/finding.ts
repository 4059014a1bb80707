/** The check that made the finding. */
type CheckName =
  | 'code'
  | 'types'
  | 'envelope'
  | 'answers'
  | 'replay'
  | 'histories'
  | 'guardrails'
  | 'configuration'
  | 'groups'
  | 'rights'
  | 'rules'
  | 'coverage';

/** One thing to know about a pack before it is live. */
export interface CheckFinding {
  /** `error`: it will not work. `warning`: it is probably a mistake. `notice`: for information. */
  readonly severity: 'error' | 'warning' | 'notice';
  readonly check: CheckName;
  readonly playbook?: string;
  /** A file in the pack or, for a rule, in the rules' folder. */
  readonly file?: string;
  readonly line?: number;
  readonly problem: string;
  /** What to do. */
  readonly remedy: string;
}
