/** Describes the difference between two sets of labels, one entry per label, sorted by key. Empty if they are the same. */
export function labelDifference(options: {
  readonly expected: Readonly<Record<string, string>>;
  readonly found: Readonly<Record<string, string>>;
}): readonly string[] {
  const { expected, found } = options;
  const keys = [...new Set([...Object.keys(expected), ...Object.keys(found)])].sort();
  return keys.flatMap((key) => {
    const [was, is] = [expected[key], found[key]];
    if (was === is) return [];
    if (was === undefined) return [`label ${key}=${is} was added`];
    if (is === undefined) return [`label ${key}=${was} was removed`];
    return [`label ${key} was changed from ${was} to ${is}`];
  });
}
