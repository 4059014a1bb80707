import { isOpen } from '../action/change-window.ts';
import type { Alert } from '../alert/alert.ts';
import { tacticId } from '../alert/mitre.ts';
import { actKindOf } from '../assessment/act-kind.ts';
import type { ActKind } from '../assessment/rules/act-kinds.ts';
import { parseReference, placeOf } from '../cluster/image-reference.ts';
import { digestOf } from '../text/digest.ts';
import { globPattern, linearPattern } from '../text/linear-pattern.ts';
import type { AlertPlace, Match, MatchFields, OneOrMore, TextPattern } from './match.ts';

/** Whether something is true; undefined if it is not known. */
export type Known = boolean | undefined;

/** What a match is tested against: an alert, or the known part of it (the name of a rule). */
export interface MatchedAlert extends Partial<Alert> {
  /** What was done, where only a part of the alert is given; `none`: nothing tells. */
  readonly act?: ActKind | 'none';
}

type Test = (alert: MatchedAlert) => Known;
type TextTest = (text: string) => boolean;

/** Compiled once per match, on first use: patterns and lists are the same for every alert. */
const compiled = new WeakMap<Match, Test>();

/**
 * Whether a match applies to an alert; undefined if something that it depends on is not known. Unknown values match nothing, and neither does `not` of them:
 * test for `=== true`.
 *
 * @throws RangeError for a match for which `problemsOfMatch` reports a problem
 */
export function matchAlert(match: Match, alert: MatchedAlert): Known {
  return compiledMatch(match)(alert);
}

/** The same for one match that is tested against many alerts: saves the lookup each time. */
export function compiledMatch(match: Match): Test {
  const known = compiled.get(match);
  if (known) return known;
  const test = testOf(match);
  compiled.set(match, test);
  return test;
}

/** The rules that a match is bound to by exact name; undefined if other rules may match too. */
export function exactRules(match: Match): ReadonlySet<string> | undefined {
  const { rule, all = [], any } = match;
  const named = listOf(rule);
  const own =
    rule !== undefined && named.every((one) => typeof one === 'string') ? new Set(named.map((one) => String(one))) : undefined;
  const others = any?.map(exactRules);
  const ofAny = others?.every((one) => one !== undefined) ? new Set(others.flatMap((one) => [...(one ?? [])])) : undefined;
  return [own, ofAny, ...all.map(exactRules)].reduce(inBoth);
}

function inBoth(left: ReadonlySet<string> | undefined, right: ReadonlySet<string> | undefined): ReadonlySet<string> | undefined {
  return left && right ? new Set([...left].filter((one) => right.has(one))) : (left ?? right);
}

function listOf<T>(value: OneOrMore<T> | undefined): readonly T[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value as T];
}

/** One false test decides, whatever else is unknown. */
function allOf(tests: readonly Test[]): Test {
  return (alert) => {
    let all: Known = true;
    for (const test of tests) {
      const one = test(alert);
      if (one === false) return false;
      if (one === undefined) all = undefined;
    }
    return all;
  };
}

function anyOf(tests: readonly Test[]): Test {
  return (alert) => {
    let any: Known = false;
    for (const test of tests) {
      const one = test(alert);
      if (one === true) return true;
      if (one === undefined) any = undefined;
    }
    return any;
  };
}

function notOf(test: Test): Test {
  return (alert) => {
    const one = test(alert);
    return one === undefined ? undefined : !one;
  };
}

/** Tests whether a text fits any of these patterns. */
function textTest(patterns: OneOrMore<TextPattern>): TextTest {
  const list = listOf(patterns);
  const exact = new Set(list.filter((one) => typeof one === 'string'));
  const others = list.flatMap((one) => {
    if (typeof one === 'string') return [];
    return 'glob' in one ? globPattern(one.glob) : linearPattern(one.regex, { ignoreCase: one.ignoreCase === true });
  });
  const [only] = exact;
  // Most name a single text, and are tested for every alert.
  if (others.length === 0) return exact.size === 1 ? (text) => text === only : (text) => exact.has(text);
  return (text) => exact.has(text) || others.some((pattern) => pattern.matches(text));
}

/** Test for a field of which an alert has at most one value. */
function ofText(
  patterns: OneOrMore<TextPattern> | undefined,
  read: (alert: MatchedAlert) => string | undefined,
): readonly Test[] {
  if (patterns === undefined) return [];
  const test = textTest(patterns);
  return [
    (alert) => {
      const text = read(alert);
      return text === undefined ? undefined : test(text);
    },
  ];
}

/** Test for a field of which an alert may have several values: one match is enough. */
function ofList(read: (alert: MatchedAlert) => readonly string[] | undefined, isOne: TextTest): Test {
  return (alert) => read(alert)?.some(isOne);
}

function testOf(match: Match): Test {
  const { any, all = [], not } = match;
  const tests = [
    ...fieldTests(match),
    ...all.map(testOf),
    ...(any ? [anyOf(any.map(testOf))] : []),
    ...(not ? [notOf(testOf(not))] : []),
    ...countTest(match),
    ...absentTest(match),
  ];
  return allOf(tests);
}

/** A single-valued text field of an alert, and a match's condition on it. */
interface TextField {
  /** The alert's own name for the field: given only that part of an alert, a match may be known not to hold, whatever its parts ask. */
  readonly part?: 'rule' | 'sensor' | 'severity' | 'priority';
  readonly patterns: (fields: MatchFields) => OneOrMore<TextPattern> | undefined;
  readonly read: (alert: MatchedAlert) => string | undefined;
}

/** The fields that are cheapest to read and most selective come first. */
const textFields: readonly TextField[] = [
  { part: 'rule', patterns: ({ rule }) => rule, read: ({ rule }) => rule },
  { part: 'sensor', patterns: ({ sensor }) => sensor, read: ({ sensor }) => sensor },
  { part: 'priority', patterns: ({ priority }) => priority, read: ({ priority }) => priority },
  { patterns: ({ act }) => act, read: (alert) => alert.act ?? actKindOf(alert) },
  { patterns: ({ namespace }) => namespace, read: namespaceOf },
  { patterns: ({ node }) => node, read: ({ node }) => node },
  { patterns: ({ place }) => place, read: placeOfAlert },
  { patterns: ({ workload }) => workload?.kind, read: (alert) => sureWorkload(alert)?.kind },
  { patterns: ({ workload }) => workload?.name, read: (alert) => sureWorkload(alert)?.name },
  { patterns: ({ process }) => process?.name, read: ({ process }) => process?.name },
  { patterns: ({ process }) => process?.parent, read: ({ process }) => process?.parent },
  { patterns: ({ process }) => process?.user, read: ({ process }) => process?.user },
  { patterns: ({ process }) => process?.path, read: ({ process }) => process?.exe },
  { patterns: ({ process }) => process?.arguments, read: ({ process }) => process?.commandLine },
  { patterns: ({ image }) => image?.digest, read: ({ container }) => container?.digest },
  { patterns: ({ image }) => image?.registry, read: (alert) => imagePlace(alert)?.host },
  { patterns: ({ image }) => image?.repository, read: (alert) => imagePlace(alert)?.path },
  { patterns: ({ image }) => image?.tag, read: (alert) => imageReference(alert)?.tag },
];

/** Fields by which an index of matches is built: a severity that is not named cannot make a match hold, whatever `unknown` leaves open. */
export const indexedFields: readonly TextField[] = [
  ...textFields.slice(0, 1),
  { part: 'severity', patterns: ({ severity }) => severity, read: ({ severity }) => severity },
  ...textFields.slice(1),
];

/** The condition on one text of an alert without which the match cannot hold; undefined if there is none. */
export function textNeeded(match: Match, field: TextField): TextTest | undefined {
  const { all = [], any } = match;
  const patterns = field.patterns(match);
  const ways = any?.map((one) => textNeeded(one, field));
  const tests = [
    patterns === undefined ? undefined : textTest(patterns),
    ...all.map((one) => textNeeded(one, field)),
    ways?.every((one) => one !== undefined) ? (text: string) => ways.some((one) => one(text)) : undefined,
  ].filter((one) => one !== undefined);
  const [only] = tests;
  return tests.length > 1 ? (text) => tests.every((one) => one(text)) : only;
}

function fieldTests(fields: MatchFields): readonly Test[] {
  const { labels = {}, window } = fields;
  return [
    ...textFields.flatMap(({ patterns, read }) => ofText(patterns(fields), read)),
    ...severityTest(fields.severity),
    ...(fields.tag === undefined ? [] : [ofList(({ tags }) => tags, textTest(fields.tag))]),
    ...techniqueTest(fields.technique),
    ...tacticTest(fields.tactic),
    ...Object.entries(labels).map(([key, patterns]) => labelTest(key, patterns)),
    ...(window ? [windowTest(window)] : []),
    ...(fields.privileged === undefined ? [] : [privilegedTest(fields.privileged)]),
    ...exposureTest(fields.exposure),
    ...novelTest(fields.novel),
  ];
}

function severityTest(severities: MatchFields['severity']): readonly Test[] {
  if (severities === undefined) return [];
  const wanted = new Set(listOf(severities));
  return [
    ({ severity }) => {
      if (severity === undefined) return undefined;
      // If `unknown` is named, it is matched literally; otherwise an unknown severity is undefined.
      return wanted.has(severity) || (severity === 'unknown' ? undefined : false);
    },
  ];
}

function techniqueTest(techniques: MatchFields['technique']): readonly Test[] {
  if (techniques === undefined) return [];
  const wanted = listOf(techniques).map((id) => id.toUpperCase());
  return [
    ofList(
      ({ mitre }) => mitre,
      (id) => wanted.some((one) => id === one || id.startsWith(`${one}.`)),
    ),
  ];
}

function tacticTest(tactics: MatchFields['tactic']): readonly Test[] {
  if (tactics === undefined) return [];
  const wanted = new Set(listOf(tactics).map((one) => tacticId(one) ?? one));
  return [
    ofList(
      ({ mitre }) => mitre,
      (id) => wanted.has(id),
    ),
  ];
}

/** An event in a container whose pod is unknown did not happen on its node; for a part of an alert, such as its rule, the place is not known. */
function placeOfAlert({ cluster, pod, workload, container, node }: MatchedAlert): AlertPlace | undefined {
  if (pod) return 'pod';
  if (container || cluster === undefined) return undefined;
  if (workload) return 'workload';
  return node === undefined ? 'cluster' : 'node';
}

function namespaceOf({ pod, workload, apiRequest }: MatchedAlert): string | undefined {
  return pod?.namespace ?? workload?.namespace ?? apiRequest?.namespace;
}

/** A guess from a pod's name is not knowledge: anyone who may name a pod could choose its workload. */
function sureWorkload({ workload }: MatchedAlert): MatchedAlert['workload'] {
  return workload?.guessed === true ? undefined : workload;
}

function labelTest(key: string, patterns: OneOrMore<TextPattern>): Test {
  const test = textTest(patterns);
  return ({ facts }) => {
    const { labels = {}, hasAllLabels } = facts ?? {};
    const value = Object.hasOwn(labels, key) ? labels[key] : hasAllLabels ? null : undefined;
    if (value === undefined) return undefined;
    return value !== null && test(value);
  };
}

function imageReference({ container }: MatchedAlert): ReturnType<typeof parseReference> | undefined {
  return container?.image === undefined ? undefined : parseReference(container.image);
}

function imagePlace(alert: MatchedAlert): ReturnType<typeof placeOf> | undefined {
  const named = imageReference(alert);
  return named && placeOf(named.repository);
}

function privilegedTest(wanted: boolean): Test {
  return ({ facts }) => (facts?.privileged === undefined ? undefined : facts.privileged === wanted);
}

function exposureTest(exposure: MatchFields['exposure']): readonly Test[] {
  if (exposure === undefined) return [];
  const wanted = new Set(listOf(exposure));
  return [
    ({ facts }) => {
      const found = facts?.exposure;
      return found && (found.length === 0 ? wanted.has('none') : found.some((one) => wanted.has(one)));
    },
  ];
}

/** While learning, it is not known to be novel; what is nothing new has no novelty at all. */
function novelTest(novel: MatchFields['novel']): readonly Test[] {
  if (novel === undefined) return [];
  return [
    ({ facts }) => {
      const found = facts?.novelty;
      if (found?.state !== 'novel') return undefined;
      return novel === true || found.amongPeers === true;
    },
  ];
}

/** The name of a counting or waiting condition in an alert's facts: the same for equal matches, whichever playbook has them. */
export function conditionKey(match: Match): string {
  return digestOf(match).slice(0, 16);
}

function countTest(match: Match): readonly Test[] {
  const { count } = match;
  if (!count) return [];
  const key = conditionKey(match);
  return [
    ({ facts }) => {
      const times = facts?.counts?.[key];
      return times === undefined ? undefined : times >= count.times;
    },
  ];
}

/** Not known until its time is over. */
function absentTest(match: Match): readonly Test[] {
  if (!match.absent) return [];
  const key = conditionKey(match);
  return [({ facts }) => (facts?.missing?.includes(key) ? true : undefined)];
}

/** By the intake's clock: the sensor's is the node's, which an attacker may control. */
function windowTest(window: NonNullable<MatchFields['window']>): Test {
  return ({ receivedAt }) => (receivedAt === undefined ? undefined : isOpen(window, Date.parse(receivedAt)));
}
