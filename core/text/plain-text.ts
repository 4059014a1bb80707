import { lastPart, shortName, spelt } from './object-name.ts';

/** The engine's record texts as people read them on a card, a page, a ticket or in a browser. Pure text; each surface escapes it. */

/** Shortens `pod/shop/cart-7d9c5b6f4-x2x8k` to `cart-…x2x8k`. */
export function targetText(target: string): string {
  return shortName(lastPart(target));
}

const compoundKinds = [
  'CronJob',
  'DaemonSet',
  'NetworkPolicy',
  'PodDisruptionBudget',
  'ReplicaSet',
  'ServiceAccount',
  'StatefulSet',
];

/** Turns `networkpolicy` into `NetworkPolicy`, as Kubernetes writes it. */
export function kindText(kind: string): string {
  return compoundKinds.find((one) => one.toLowerCase() === kind) ?? `${kind.charAt(0).toUpperCase()}${kind.slice(1)}`;
}

/** Turns `pod/shop/cart` into `Pod cart in shop`, with the whole name. */
export function wholeTargetText(target: string): string {
  const [kind = '', ...rest] = target.split('/');
  const name = rest.pop();
  if (name === undefined) return target;
  return `${kindText(kind)} ${name}${rest.length === 0 ? '' : ` in ${rest.join('/')}`}`;
}

/** Times as machines write them, and as a page does: `2026-11-27T20:36:01.5Z`, `2026-11-27 20:36 UTC`. */
const times = /\b(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z|\d{4}-\d\d-\d\d \d\d:\d\d UTC)(?!\w)/g;
/** Kubernetes names `kind/namespace/name` and `kind/name`, but nothing with a dot or a leading slash, which may be a file or an image. */
const objectName =
  /(?<![\w./-])(?:pod|deployment|statefulset|daemonset|replicaset|job|cronjob|node|service|secret|networkpolicy|namespace|serviceaccount)(?:\/[a-z0-9][a-z0-9.-]*){1,2}(?![\w/-])/gi;
/** Prefix of a ticket's name before it has an id: its title follows. */
const ticketName = /(?<![\w/])ticket\/[a-z]+\//g;
const codeName = /(?<![\w./`'"$-])[a-z]+(?:[A-Z][a-z0-9]+)+(?![\w./-])/g;

/** ISO 8601, UTC. */
function isoOf(written: string): string {
  const [, day, clock] = /^(\S+) (\S+) UTC$/.exec(written) ?? [];
  return day === undefined ? written : `${day}T${clock}:00Z`;
}

/** Splits a text into parts, with the times in it as separate ISO 8601 parts: each surface formats times in its own way. */
export function timesSplit(text: string): readonly ({ readonly text: string } | { readonly time: string })[] {
  return text.split(times).map((part, index) => (index % 2 === 0 ? { text: part } : { time: isoOf(part) }));
}

/** Shows object names without their kinds, actions as words, and times as `time` formats them. `whole`: names as people who decide need them. */
export function plainText(
  text: string,
  { time, names = 'short' }: { readonly time: (iso: string) => string; readonly names?: 'short' | 'whole' },
): string {
  return timesSplit(text)
    .map((part) => ('time' in part ? time(part.time) : plainNames(part.text, names)))
    .join('');
}

function plainNames(text: string, names: 'short' | 'whole'): string {
  return text
    .replaceAll(ticketName, '')
    .replaceAll(objectName, (name) => (names === 'whole' ? wholeTargetText(name) : targetText(name)))
    .replaceAll(codeName, spelt);
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `27 Nov, 05:02 UTC`: for readers whose time zone is not known. */
export function utcWords(iso: string): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return iso;
  return `${time.getUTCDate()} ${months[time.getUTCMonth()]}, ${time.toISOString().slice(11, 16)} UTC`;
}

/** For people who read a ticket or are paged, in any time zone: names stay whole, because people search for them elsewhere. */
export function wholeText(text: string): string {
  return plainText(text, { time: utcWords, names: 'whole' });
}
