import { type Severity, severities } from '../alert/severity.ts';
import { type Confidence, confidences } from '../assessment/rules/rule-judgement.ts';
import { visibleLine } from '../text/visible-text.ts';
import { durationMs, isDuration } from './duration.ts';

const longestTitle = 200;
const longestWhy = 200;

/** The parts of an envelope that are checked. */
interface EnvelopeParts {
  readonly title: string;
  readonly on: { readonly minSeverity: Severity };
  readonly levels?: readonly { readonly group: string; readonly within: string }[];
  readonly priority?: number;
  readonly rules?: Readonly<Record<string, { readonly confidence: Confidence; readonly why: string }>>;
}

/** Problems that would keep the envelope from answering any alert, in words that say what to write. A pack may be JavaScript, which no compiler has checked. */
export function problemsOfEnvelope({ title, on, levels = [], priority = 0, rules = {} }: EnvelopeParts): readonly string[] {
  return [
    ...problemsOfTitle(title),
    ...(severities.includes(on.minSeverity)
      ? []
      : [`minSeverity is “${on.minSeverity}”: write ${severities.slice(0, -1).join(', ')} or ${severities.at(-1)}`]),
    ...levels.flatMap(({ group, within }, at) => [
      ...(group.trim() === '' ? [`levels.${at}.group is empty: write a group of the roster`] : []),
      ...problemsOfWithin(within).map((problem) => `levels.${at}.within is “${within}”: ${problem}`),
    ]),
    ...Object.entries(rules).flatMap(([rule, told]) => problemsOfRule(told).map((problem) => `rules “${rule}”: ${problem}`)),
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

function problemsOfRule({ confidence, why }: { readonly confidence: Confidence; readonly why: string }): readonly string[] {
  return [
    ...(confidences.includes(confidence) ? [] : [`confidence is “${confidence}”: write ${confidences.join(', ')}`]),
    ...(typeof why === 'string' && why.trim() !== '' && why.length <= longestWhy && visibleLine(why) === why
      ? []
      : [`why: give the reason that people will read, in one line of at most ${longestWhy} characters`]),
  ];
}

function problemsOfWithin(within: string): readonly string[] {
  if (!isDuration(within)) return ['write a time such as 15m'];
  return durationMs(within) > 0 ? [] : ['it has to be longer than zero'];
}
