import type { Alert } from '../core/alert/alert.ts';
import type { ListedPlaybook } from '../core/playbook/pack.ts';
import { findingsIn } from './findings.ts';
import { lineOf } from './path-line.ts';
import { type Path, type WalkOptions, walk } from './walk.ts';

/** What there is to know of a playbook before it is live. */
export interface EveryAnswer {
  /** What has to be mended before people rely on it: nothing, where it is well made. One sentence each, and after which answers. */
  readonly problems: readonly string[];
  /** What is so on purpose mostly, and is to be known. */
  readonly notices: readonly string[];
  /** Every way by answers alone, one line each: what it comes to. For a test to hold fast. */
  readonly answers: readonly string[];
  /** All ways that were gone, also those on which something fails. */
  readonly paths: readonly Path[];
  /** True where there are more ways than were gone. */
  readonly isCut: boolean;
  /** Whether each two failures were tried together. */
  readonly allPairs: boolean;
}

/**
 * Walks all choices of a playbook, silence, and each step failing, and says what a person should know: a pod that is left quarantined with nobody
 * asked, a choice whose plan is not carried out, a body that throws. With the real engine, in milliseconds.
 *
 * @throws TypeError where the playbook does not answer the alert
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
