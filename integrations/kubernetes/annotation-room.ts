/**
 * All annotations of an object have 256 KiB, by their names and values
 * (`TotalAnnotationSizeLimitB`, https://pkg.go.dev/k8s.io/apimachinery/pkg/api/validation). Half of it is for a note of ours: who may write an object
 * could fill it, so that no note fits, and so escape.
 */
const allBytes = 256 * 1024;
export const othersBytes = 112 * 1024;
/** Of what has a name of ours and is not what we are about to write. */
const namedOursBytes = 16 * 1024;
/** More than an object ever needs. Admission reads each of them before it lets us write, and has little time for that. */
export const othersCount = 1_000;
/** Names that are ours: what has one may always be removed. */
export const ownPrefix = 'firebreak.dev/';

/** How many bytes too many there would be with this one; 0 where there is room. */
function bytesBeyond(
  annotations: Readonly<Record<string, string>>,
  [name, value]: readonly [name: string, value: string],
): number {
  let bytes = 0;
  for (const [key, text] of Object.entries({ ...annotations, [name]: value }))
    bytes += Buffer.byteLength(key) + Buffer.byteLength(text);
  return Math.max(0, bytes - allBytes);
}

/**
 * Why a mark on a pod template, by which a workload rolls, finds no room there; undefined where it does. What others have noted on the template may be
 * what its pods need: nothing of it is taken off.
 *
 * @param of what the mark is of: `a restart`
 */
export function whyNoRoomForMark(
  annotations: Readonly<Record<string, string>>,
  { name, value, of }: { readonly name: string; readonly value: string; readonly of: string },
): string | undefined {
  const beyond = bytesBeyond(annotations, [name, value]);
  if (beyond === 0) return undefined;
  return `the annotations of its pod template leave the mark of ${of} no room, by ${beyond} bytes: take some off the template, which rolls it too, or delete its pods one by one`;
}

interface Annotation {
  readonly name: string;
  readonly bytes: number;
}

/**
 * Names of annotations that have to go so that a note finds room. `isKept`: ours, or about to be written over; they are
 * not counted.
 */
export function crowdingIn(annotations: Readonly<Record<string, string>>, isKept: (name: string) => boolean): readonly string[] {
  const named: Annotation[] = [];
  const others: Annotation[] = [];
  for (const [name, value] of Object.entries(annotations)) {
    if (isKept(name)) continue;
    const bytes = Buffer.byteLength(name) + Buffer.byteLength(value);
    (name.startsWith(ownPrefix) ? named : others).push({ name, bytes });
  }
  return [...beyond(others, othersBytes, othersCount), ...beyond(named, namedOursBytes, othersCount)];
}

/** The longest go where they take too much, and the shortest where there are too many. */
function beyond(found: readonly Annotation[], mostBytes: number, most: number): readonly string[] {
  const sorted = found.toSorted((a, b) => b.bytes - a.bytes);
  let bytes = found.reduce((sum, one) => sum + one.bytes, 0);
  let long = 0;
  for (; bytes > mostBytes; long += 1) bytes -= sorted[long]?.bytes ?? bytes;
  return [...sorted.slice(0, long), ...sorted.slice(long + most)].map(({ name }) => name);
}
