import { type Severity, severities } from '../alert/severity.ts';
import { visibleLine } from '../text/visible-text.ts';
import { durationMs, isDuration } from './duration.ts';

const longestTitle = 200;

/** The parts of an envelope that are checked. */
interface EnvelopeParts {
  readonly title: string;
  readonly on: { readonly minSeverity: Severity };
  readonly levels?: readonly { readonly group: string; readonly within: string }[];
  readonly priority?: number;
}

/** Problems that would keep the envelope from answering any alert, in words that say what to write. A pack may be JavaScript, which no compiler has checked. */
export function problemsOfEnvelope({ title, on, levels = [], priority = 0 }: EnvelopeParts): readonly string[] {
  return [
    ...problemsOfTitle(title),
    ...(severities.includes(on.minSeverity)
      ? []
      : [`minSeverity is “${on.minSeverity}”: write ${severities.slice(0, -1).join(', ')} or ${severities.at(-1)}`]),
    ...levels.flatMap(({ group, within }, at) => [
      ...(group.trim() === '' ? [`levels.${at}.group is empty: write a group of the roster`] : []),
      ...problemsOfWithin(within).map((problem) => `levels.${at}.within is “${within}”: ${problem}`),
    ]),
    ...(Number.isFinite(priority) ? [] : ['its priority has to be a number']),
  ];
}

/** It stands alone on cards and in one-line lists. */
function problemsOfTitle(title: string): readonly string[] {
  const seen = visibleLine(title);
  if (title.trim() === '') return ['its title is empty: write what it does, such as Cut off a pod that mines'];
  if (title.length > longestTitle) return [`its title has ${title.length} characters: use at most ${longestTitle}`];
  return seen === title ? [] : [`its title contains invisible characters: “${seen}”`];
}

function problemsOfWithin(within: string): readonly string[] {
  if (!isDuration(within)) return ['write a time such as 15m'];
  return durationMs(within) > 0 ? [] : ['it has to be longer than zero'];
}
