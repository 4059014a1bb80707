import ipaddr from 'ipaddr.js';
import type { Alert } from '../alert/alert.ts';

/** The parts of an alert that can be new. */
type FeatureKind = 'process' | 'request' | 'destination' | 'rule' | 'combination';

/** One thing that an alert says about its workload. */
export interface BehaviourFeature {
  readonly kind: FeatureKind;
  /** The key under which it is remembered, without randomly generated parts. Two alerts with the same key say the same. */
  readonly key: string;
  /** For people, completing “that …”: `sh runs curl`. All of it may be the attacker's words. */
  readonly text: string;
}

const longestText = 200;
const longestShown = 80;
/** Prevents an alert that names many addresses from filling the memory. */
const mostDestinations = 4;

/**
 * The features of an alert, the most telling first: what ran under what, what was requested from the API server, whom it connected to, which rule matched, and
 * which rule matched on what. Numbers, hashes and generated names are removed: a new pod, process or temporary file of the same kind is nothing new.
 */
export function featuresOf(alert: Alert): readonly BehaviourFeature[] {
  const { sensor, rule } = alert;
  const process = processFeature(alert);
  const request = requestFeature(alert);
  const ruleKey = `${sensor} ${normalised(rule)}`;
  const does = process ?? request;
  return [
    ...(process ? [process] : []),
    ...(request ? [request] : []),
    // The addresses of a request are its source addresses, which change with every laptop.
    ...(request ? [] : destinationFeatures(alert)),
    { kind: 'rule', key: `rule ${ruleKey}`, text: `“${shown(rule)}” is seen` },
    ...(does
      ? [{ kind: 'combination', key: `both ${ruleKey} ${does.key}`, text: `“${shown(rule)}” is seen when ${does.text}` } as const]
      : []),
  ];
}

function processFeature({ process = {} }: Alert): BehaviourFeature | undefined {
  const { name, exe, parent, commandLine } = process;
  const program = exe ?? name;
  if (program === undefined) return undefined;
  const script = scriptOf(baseName(program), commandLine);
  const what = [normalised(program), ...(script === undefined ? [] : [normalised(script)])].join(' ');
  const under = parent === undefined ? undefined : normalised(baseName(parent));
  const told = shown([baseName(program), ...(script === undefined ? [] : [script])].join(' '));
  return {
    kind: 'process',
    key: `process ${under ?? '?'} > ${what}`,
    text: parent === undefined ? `${told} runs` : `${shown(baseName(parent))} runs ${told}`,
  };
}

/** Programs whose behaviour depends on the script that they are given. */
const interpreters = /^(?:ba|da|z|k|a)?sh$|^busybox$|^(?:python|perl|ruby|php|node|lua)[\d.]*$/;
const scriptText = /^-\w*[ce]$/;

/** The script of an interpreter: its file name, or the first program in the script text. Arguments are ignored. */
function scriptOf(program: string, commandLine: string | undefined): string | undefined {
  if (commandLine === undefined || !interpreters.test(program)) return undefined;
  const words = commandLine.slice(0, 2_000).split(/\s+/).slice(1, 20);
  const at = words.findIndex((word) => scriptText.test(word) || !word.startsWith('-'));
  const found = words[at];
  if (found === undefined) return undefined;
  if (!scriptText.test(found)) return baseName(found);
  const first = words.slice(at + 1).find((word) => !/^["']?\w*=/.test(word));
  return first === undefined ? found : `${found} ${baseName(first.replace(/^["'(]+|["');]+$/g, ''))}`;
}

function requestFeature({ apiRequest }: Alert): BehaviourFeature | undefined {
  if (!apiRequest) return undefined;
  const { account, impersonates, verb, resource, subresource } = apiRequest;
  const who = impersonates ?? account;
  const what = `${verb} ${[resource ?? 'something', ...(subresource === undefined ? [] : [subresource])].join('/')}`;
  return {
    kind: 'request',
    key: `request ${normalised(who)} ${normalised(what)}`,
    text: `${shown(who)} asks to ${shown(what)}`,
  };
}

function destinationFeatures({ observables }: Alert): readonly BehaviourFeature[] {
  const places = observables.flatMap(({ type, value }) => {
    if (type === 'ip') return addressBlock(value) ?? [];
    return type === 'domain' ? domainOf(value) : [];
  });
  return [...new Set(places)].slice(0, mostDestinations).map((place) => ({
    kind: 'destination',
    key: `destination ${place}`,
    text: `${shown(place)} is mentioned`,
  }));
}

const exactRanges: ReadonlySet<string> = new Set(['unspecified', 'loopback', 'linkLocal', 'broadcast', 'multicast']);
const insideRanges: ReadonlySet<string> = new Set(['private', 'uniqueLocal', 'carrierGradeNat']);

/** Addresses of one network count as one. Addresses with a meaning of their own, such as a cloud's metadata service, are kept. */
function addressBlock(text: string): string | undefined {
  if (!ipaddr.isValid(text)) return undefined;
  const address = ipaddr.process(text);
  const range = address.range();
  if (exactRanges.has(range)) return address.toString();
  const isOpen = !insideRanges.has(range);
  const bits = address.kind() === 'ipv4' ? (isOpen ? 24 : 16) : isOpen ? 48 : 64;
  const kind = address.kind() === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6;
  return `${kind.networkAddressFromCIDR(`${address.toString()}/${bits}`)}/${bits}`;
}

/** Names within a cluster are kept whole; of others only the last three labels, because the labels before are often generated. */
function domainOf(text: string): string {
  const name = text.toLowerCase().replace(/\.$/, '').slice(0, longestText);
  return name.endsWith('.local') ? normalised(name) : normalised(name.split('.').slice(-3).join('.'));
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1) || path;
}

/** Truncated if it is long. */
export function shown(text: string): string {
  return text.length <= longestShown ? text : `${text.slice(0, longestShown)}…`;
}

const mostNormal = 2_000;
/** The same texts come again and again. A sender of ever new texts makes the cache start over, not grow. */
const normal = new Map<string, string>();

/**
 * A text without its randomly generated parts: numbers, UUIDs, digests, and words that mix letters and digits, as in generated names and temporary files.
 *
 * @example normalised('/tmp/build-7f3a9c21/run.4711') // '/tmp/build-#/run.#'
 */
export function normalised(text: string): string {
  const start = text.slice(0, longestText);
  const known = normal.get(start);
  if (known !== undefined) return known;
  const found = start
    .replace(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi, '#')
    .replace(/[A-Za-z0-9]{5,}/g, (word) => (isDrawn(word) ? '#' : word))
    .replace(/(?<=(?:^|\/)tmp\.)[A-Za-z0-9]{6,}/g, '#')
    .replace(/\d+/g, '#');
  if (normal.size >= mostNormal) normal.clear();
  normal.set(ownCopy(start), ownCopy(found));
  return found;
}

/** A substring keeps the whole string in memory, which may be a megabyte from an attacker: what is remembered must be a copy. */
export function ownCopy(text: string): string {
  const copy: unknown = JSON.parse(JSON.stringify(text));
  return typeof copy === 'string' ? copy : text;
}

/** True for `7f3a9c21` and `x2k9q`, but not for `python3`, `sha256sum` or `ed25519`, where a word and a number merely follow each other. */
function isDrawn(word: string): boolean {
  const isHex = /^[0-9a-f]{8,}$/i.test(word);
  if (isHex && /[a-f]/i.test(word) && (/\d/.test(word) || word.length >= 12)) return true;
  const changes = word.match(/[A-Za-z](?=\d)|\d(?=[A-Za-z])/g)?.length ?? 0;
  return changes >= 3;
}
