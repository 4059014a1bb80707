import { distance } from 'fastest-levenshtein';
import { FirebreakError } from '../../core/errors.ts';

/** Returns the known name that was probably meant, or undefined if none is close. */
export function nearestName(written: string, known: readonly string[]): string | undefined {
  const plain = (name: string) => name.toLowerCase().replaceAll(/[-_]/g, '');
  const ranked = known.map((name) => ({ name, far: distance(plain(written), plain(name)) })).toSorted((a, b) => a.far - b.far);
  const [best] = ranked;
  return best && best.far <= Math.max(2, Math.floor(written.length / 3)) ? best.name : undefined;
}

/** With more names than this, a person cannot find one in a single line. */
const mostNamed = 8;

/** The error for an unknown name: suggests the one that was probably meant, and lists all names or says how to list them. */
export function unknownName(parts: {
  /** `playbook`, `action` … */
  readonly what: string;
  readonly written: string;
  readonly known: readonly string[];
  /** The command that lists them all. */
  readonly listedBy?: string;
}): FirebreakError {
  const { what, written, known, listedBy } = parts;
  const near = nearestName(written, known) ?? nearestBare(written, known);
  const detail = `there is no ${what} ${written}${near === undefined ? '' : `; did you mean ${near}?`}`;
  if (known.length === 0) return new FirebreakError('FB_ERR_UNKNOWN_ID', detail, { remedy: `No ${what} exists here.` });
  const all =
    known.length <= mostNamed || listedBy === undefined ? `one of: ${known.join(', ')}` : `one that \`${listedBy}\` shows`;
  return new FirebreakError('FB_ERR_UNKNOWN_ID', detail, { remedy: `Name ${all}.` });
}

/** For names written without the part before the `/`. */
export function nearestBare(written: string, known: readonly string[]): string | undefined {
  const bare = (name: string): string => name.slice(name.lastIndexOf('/') + 1);
  const near = nearestName(written, known.map(bare));
  return near === undefined ? undefined : known.find((name) => bare(name) === near);
}
