import type { Alert } from '../core/alert/alert.ts';
import type { ListedPlaybook } from '../core/playbook/pack.ts';
import { findingsIn } from './findings.ts';
import { lineOf } from './path-line.ts';
import { type Path, type WalkOptions, walk } from './walk.ts';

/** What to know about a playbook before it goes live. */
export interface EveryAnswer {
  /** What must be fixed before people rely on the playbook; empty if it is well made. One sentence each, including after which answers. */
  readonly problems: readonly string[];
  /** What is usually intended but worth knowing. */
  readonly notices: readonly string[];
  /** Every path that depends on answers alone, one line each with its outcome. For use in snapshot tests. */
  readonly answers: readonly string[];
  /** All paths that were walked, including those on which something fails. */
  readonly paths: readonly Path[];
  /** True if there are more paths than were walked. */
  readonly isCut: boolean;
  /** Whether every pair of failures was tried together. */
  readonly allPairs: boolean;
}

/**
 * Walks all choices of a playbook, silence, and each step failing, and reports what a person should know: a pod that stays quarantined with nobody asked, a
 * choice whose plan is not carried out, a body that throws. Uses the real engine; takes milliseconds.
 *
 * @throws TypeError if the playbook does not answer the alert
 */
export async function everyAnswer(
  playbook: ListedPlaybook,
  alert: Alert,
  options: Omit<WalkOptions, 'alert'> = {},
): Promise<EveryAnswer> {
  const { paths, isCut, allPairs } = await walk(playbook, { ...options, alert });
  if (paths[0]?.story.end === 'unmatched')
    throw new TypeError(`${playbook.id} does not answer “${alert.rule}” (${alert.severity}): see its \`on\``);
  const findings = findingsIn(paths);
  const texts = (level: 'problem' | 'notice'): readonly string[] =>
    findings.filter((finding) => finding.level === level).map(({ text }) => text);
  return {
    problems: texts('problem'),
    notices: texts('notice'),
    answers: [...new Set(paths.filter(isByAnswers).map(lineOf))],
    paths,
    isCut,
    allPairs,
  };
}

/** Under the circumstances of the test, with nothing going wrong. */
function isByAnswers({ circumstance, turns }: Path): boolean {
  return (
    circumstance === 'as given' && turns.every((turn) => turn.kind === 'answer' || (turn.kind === 'failure' ? !turn.fails : true))
  );
}
