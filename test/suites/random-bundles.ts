import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import type { Bundle } from '../../core/bundle/bundle.ts';
import { canonicalJson, sha256Hex } from '../../core/text/digest.ts';
import { isObject } from '../../core/text/plain-json.ts';
import { type Draft, draftOf, exportAgain, must, namedMutations, sealAgain, signedBytes } from './bundle-mutations.ts';
import { privateKeyOf, seeds, signedWithKeyOf } from './incident-bundle.ts';

/** Pseudo-random numbers, the same for the same seed. */
function dice(seed: number): Roll {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
    const mixed = Math.imul(state ^ (state >>> 12), 0x297a2d39);
    return ((mixed ^ (mixed >>> 15)) >>> 0) % sides;
  };
}

type Roll = (sides: number) => number;
type Change = (draft: Draft, roll: Roll) => void;
type Holder = unknown[] | Record<string, unknown>;
type Place = { readonly of: Holder; readonly name: string };

const isHolder = (value: unknown): value is Holder => Array.isArray(value) || isObject(value);
const oneOf = <T>(list: readonly T[], roll: Roll): T => must(list[roll(list.length)]);

function placesIn(value: unknown, found: Place[] = []): Place[] {
  if (!isHolder(value)) return found;
  for (const name of Object.keys(value)) {
    found.push({ of: value, name });
    placesIn(Reflect.get(value, name), found);
  }
  return found;
}

/** Changes any value in it: duplicates it, swaps it for another, or moves it a little. */
function changeValue(draft: Draft, roll: Roll): void {
  const places = placesIn(draft);
  const { of, name } = oneOf(places, roll);
  const value: unknown = Reflect.get(of, name);
  const other = oneOf(places, roll);
  const changes: readonly (() => unknown)[] = [
    () => (Array.isArray(of) ? of.splice(roll(of.length + 1), 0, structuredClone(value)) : Reflect.set(of, `${name}2`, value)),
    () => Reflect.set(of, name, structuredClone(Reflect.get(other.of, other.name))),
    () => Reflect.set(of, name, nudged(value, roll)),
    () => Reflect.set(of, name, [null, true, 0, -1, 1.5, 1e21, '', [], {}][roll(9)]),
  ];
  oneOf(changes, roll)();
}

function nudged(value: unknown, roll: Roll): unknown {
  if (typeof value === 'number') return value + (roll(2) === 0 ? 1 : -0.5);
  if (typeof value === 'boolean') return !value;
  if (typeof value !== 'string' || value === '') return value;
  const at = roll(value.length);
  const character = oneOf([...'0123456789abcdefXYZ +/=\u0000é', '\ud800'], roll);
  return `${value.slice(0, at)}${character}${value.slice(at + 1)}`;
}

function changeOrder(draft: Draft, roll: Roll): void {
  const lists = placesIn(draft)
    .map(({ of, name }): unknown => Reflect.get(of, name))
    .filter((value) => Array.isArray(value))
    .filter(({ length }) => length > 1);
  const list = oneOf(lists, roll);
  if (roll(3) === 0) list.reverse();
  else list.splice(roll(list.length), 0, ...list.splice(roll(list.length), 1 + roll(2)));
}

function takeOut(draft: Draft, roll: Roll): void {
  const { content } = draft;
  const lists: readonly unknown[][] = [
    ...[content.records, content.checkpoints, content.removals, content.keys, content.evidence, content.artefacts],
  ];
  if (roll(3) > 0) {
    const list = oneOf(lists, roll);
    list.splice(roll(2) === 0 ? -1 - roll(3) : roll(list.length), 1 + roll(3));
    return;
  }
  const { of, name } = oneOf(placesIn(draft), roll);
  if (Array.isArray(of)) of.splice(Number(name), 1);
  else Reflect.deleteProperty(of, name);
}

/** Removes texts of records and adds some orders for that: by one person or two, about the same text or not, signed by the named person or not. */
function changeRemovals({ content }: Draft, roll: Roll): void {
  const { records, removals, chain } = content;
  const places = Array.from({ length: 1 + roll(2) }, () => 1 + roll(records.length));
  for (const place of places) if (roll(6) > 0) must(records[place - 1]).said = null;
  const people = ['ada', 'ben', 'mia'];
  for (let count = roll(4); count > 0; count -= 1) {
    const person = oneOf(people, roll);
    const numbers = roll(5) === 0 ? [...places].reverse() : roll(5) === 0 ? [...places, 11] : places;
    const order = {
      ...{ version: 1 as const, kind: 'records.remove' as const, person, at: '2026-03-01T10:12:00.000Z', reason: 'request 18' },
      ...{ cluster: roll(8) === 0 ? 'prod-us' : 'prod-eu', chain: roll(8) === 0 ? `${chain}0` : chain, records: numbers },
      removal: sha256Hex(canonicalJson({ chain, records: numbers })).slice(0, 16),
    };
    const signer = roll(8) === 0 ? oneOf(people, roll) : person;
    const signed = { order, ...signedWithKeyOf(`person/${signer}`, signedBytes('firebreak.order.v1', order)) };
    removals.splice(roll(removals.length + 1), 0, structuredClone(signed));
  }
  if (roll(3) === 0) content.keys.push(keyOf('person/ben'));
}

function keyOf(of: string, pem = privateKeyOf(must(seeds[of]))): { of: string; spki: string } {
  return { of, spki: createPublicKey(pem).export({ type: 'spki', format: 'der' }).toString('base64') };
}

/** Changes keys: missing, duplicated, somebody else's, or replaced ones; and adds signatures by a replaced key. */
function changeKeys({ content, export: signed }: Draft, roll: Roll): void {
  const { keys, records, checkpoints } = content;
  const owners = Object.keys(seeds);
  const key = oneOf(keys, roll);
  const retired = privateKeyOf(
    createHash('sha256')
      .update(`retired ${roll(3)}`)
      .digest('hex'),
  );
  const signAgain = (row: Record<string, unknown>, prefix: string, value: unknown): void => {
    const spki = createPublicKey(retired).export({ type: 'spki', format: 'der' });
    row.keyId = sha256Hex(spki).slice(0, 16);
    row.signature = sign(null, signedBytes(prefix, value), createPrivateKey(retired)).toString('base64');
  };
  const changes: readonly (() => unknown)[] = [
    () => keys.splice(keys.indexOf(key), 1),
    () => keys.splice(roll(keys.length + 1), 0, { ...key }),
    () => Object.assign(key, { of: oneOf([...owners, 'cell/prod-us', 'person/', 'cell', 'notary2'], roll) }),
    () => Object.assign(key, { spki: oneOf(keys, roll).spki }),
    () => Object.assign(key, { spki: nudged(key.spki, roll) }),
    () => keys.push(keyOf(key.of, retired)),
    () => keys.push(keyOf(oneOf(owners, roll))),
    // The last bits of the text belong to no byte: the same key in other letters.
    () =>
      keys.push({ ...key, spki: key.spki.replace(/.=$/, (end) => `${oneOf([...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'], roll)}${end[1]}`) }),
    () => Object.assign(oneOf([...records, ...checkpoints, signed], roll), { keyId: sha256Hex(key.spki).slice(0, 16) }),
    () => {
      keys.splice(roll(keys.length + 1), 0, keyOf('notary', retired));
      const one = oneOf(checkpoints, roll);
      signAgain(one, 'firebreak.checkpoint.v1', one.header);
    },
    () => {
      keys.splice(roll(keys.length + 1), 0, keyOf(oneOf(['person/ada', 'person/mia'], roll), retired));
      const one = oneOf(content.removals, roll);
      signAgain(one, 'firebreak.order.v1', one.order);
    },
  ];
  oneOf(changes, roll)();
}

function changeTimes(draft: Draft, roll: Roll): void {
  const times = placesIn(draft).filter(({ of, name }) => /^(?:at|createdAt|collectedAt)$/.test(name) && isObject(of));
  const { of, name } = oneOf(times, roll);
  const other = oneOf(times, roll);
  const value = String(Reflect.get(of, name));
  const moved = (ms: number): string => new Date(Date.parse(value) + ms).toISOString();
  const changes: readonly (() => string)[] = [
    () => String(Reflect.get(other.of, other.name)),
    () => moved(oneOf([-1, 1, 60_000, -60_000, 86_400_000, -86_400_000], roll)),
    () => value.replace('2026-03-01', oneOf(['2026-13-45', '0000-00-00', '9999-99-99', '2026-02-30'], roll)),
    () => value.replace('Z', oneOf(['', 'z', '+00:00', '0Z', ' Z'], roll)),
    () => value.replace('.000Z', 'Z'),
    () => value.replace('T', oneOf([' ', 't'], roll)),
    // Digits that are not ASCII.
    () => value.replace('2', '\u0662'),
    () => `${value}\n`,
  ];
  Reflect.set(of, name, oneOf(changes, roll)());
}

/** What may be changed, each with equal probability. Some of `named` need keys that no exporter has. */
const families = {
  values: changeValue,
  order: changeOrder,
  'taken out': takeOut,
  removals: changeRemovals,
  keys: changeKeys,
  times: changeTimes,
  named: (draft, roll) => oneOf(namedMutations, roll).change(draft),
} satisfies Readonly<Record<string, Change>>;
const familyNames = ['bytes', ...(Object.keys(families) as (keyof typeof families)[])] as const;

interface MutatedFile {
  readonly file: Uint8Array;
  readonly family: (typeof familyNames)[number];
  /** Who can have made it: somebody without a key, an exporter with their own key, or people, a cell and a notary that lie. */
  readonly by: 'anybody' | 'exporter' | 'everybody';
}

/** Returns a mutated file: changed bytes, or changed values with none, some or all of the signatures renewed. Deterministic. */
export function mutatedFile(bundle: Bundle, seed: number): MutatedFile {
  const roll = dice(seed);
  const family = oneOf(familyNames, roll);
  if (family === 'bytes') return { family, by: 'anybody', file: mutatedBytes(bundle, roll) };
  const draft = draftOf(bundle);
  const by = oneOf(['anybody', 'exporter', 'exporter', 'everybody', 'everybody'] as const, roll);
  // If the exporter signs again, only changes of the content matter.
  const changed = by === 'anybody' ? draft : Object.defineProperty({ ...draft }, 'export', { enumerable: false });
  const needsKeys = family === 'named' || family === 'removals' || family === 'keys';
  const made = { family, by: needsKeys ? 'everybody' : by } as const;
  try {
    for (let times = 1 + roll(2); times > 0; times -= 1) families[family](changed, roll);
    if (by === 'everybody') sealAgain(draft);
    if (by !== 'anybody') exportAgain(draft);
    return { ...made, file: Buffer.from(canonicalJson(draft)) };
  } catch {
    // A draft without a canonical form, or with too little left to change or sign, is written as it is.
    return { ...made, file: Buffer.from(JSON.stringify(draft)) };
  }
}

const opening = '<script id="bundle" type="application/json">';

/** Mutates the file, or what is embedded in a page. */
function mutatedBytes(bundle: Bundle, roll: Roll): Uint8Array {
  const text = canonicalJson(bundle);
  const isPage = roll(3) === 0;
  const inPage = roll(8) === 0 ? text : text.replaceAll('<', '\\u003c');
  const bytes = Buffer.from(isPage ? `<!DOCTYPE html> ${opening}${inPage}</script>` : text);
  const at = isPage && roll(3) === 0 ? roll(80) : roll(bytes.length);
  const put = [
    Buffer.of(roll(256)),
    Buffer.of(),
    Buffer.from(oneOf([' ', '"at":1,', '\\u0061', '</script>', opening, '\ufeff'], roll)),
  ];
  const mutated = Buffer.concat([bytes.subarray(0, at), oneOf(put, roll), bytes.subarray(at + roll(2))]);
  // The other verifier reads each line as one file.
  return mutated.map((one) => (one === 10 ? 32 : one));
}
