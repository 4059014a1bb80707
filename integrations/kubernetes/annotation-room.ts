/**
 * The annotations of an object may take 256 KiB in all, names and values included (`TotalAnnotationSizeLimitB`,
 * https://pkg.go.dev/k8s.io/apimachinery/pkg/api/validation). Half of it is reserved for our note: otherwise anyone who may write an object could fill it, so
 * that no note fits, and escape.
 */
const allBytes = 256 * 1024;
export const othersBytes = 112 * 1024;
/** Limit for annotations that have a name of ours but are not what we are about to write. */
const namedOursBytes = 16 * 1024;
/** More than an object ever needs. Admission reads each of them before it lets us write, and has little time for it. */
export const othersCount = 1_000;
/** Prefix of our names: annotations with such a name may always be removed. */
export const ownPrefix = 'firebreak.dev/';

/** By how many bytes this one would exceed the limit; 0 if it fits. */
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
 * Why a mark on a pod template, by which a workload rolls, does not fit there; undefined if it fits. Other annotations on the template may be needed by its
 * pods, so none is removed.
 *
 * @param of the purpose of the mark: `a restart`
 */
export function whyNoRoomForMark(
  annotations: Readonly<Record<string, string>>,
  { name, value, of }: { readonly name: string; readonly value: string; readonly of: string },
): string | undefined {
  const beyond = bytesBeyond(annotations, [name, value]);
  if (beyond === 0) return undefined;
  return `the annotations of its pod template are ${beyond} bytes too large to add the mark of ${of}: remove some from the template, which also rolls it, or delete its pods one by one`;
}

interface Annotation {
  readonly name: string;
  readonly bytes: number;
}

/** Names of annotations that must be removed so that a note fits. `isKept`: ours, or about to be overwritten; these are not counted. */
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

/** Removes the longest if they take too much space, and the shortest if there are too many. */
function beyond(found: readonly Annotation[], mostBytes: number, most: number): readonly string[] {
  const sorted = found.toSorted((a, b) => b.bytes - a.bytes);
  let bytes = found.reduce((sum, one) => sum + one.bytes, 0);
  let long = 0;
  for (; bytes > mostBytes; long += 1) bytes -= sorted[long]?.bytes ?? bytes;
  return [...sorted.slice(0, long), ...sorted.slice(long + most)].map(({ name }) => name);
}
