import { nearestName } from '../../config/nearest.ts';

/** Maximum number of suggestions. */
const mostNamed = 3;

/** Returns `; did you mean shop/Deployment/cart?`, or an empty text, for a name that matches none of these. */
export function meantText(written: string, known: readonly string[]): string {
  const [first, ...others] = meantBy(written, known);
  if (first === undefined) return '';
  const named = others.length === 0 ? first : `one of ${[first, ...others].join(', ')}`;
  return `; did you mean ${named}?`;
}

/** Returns those with that name, or whose pod may have that name; otherwise the nearest one. Bounded. */
export function meantBy(written: string, known: readonly string[]): readonly string[] {
  const lastOf = (id: string): string => id.split('/').at(-1) ?? id;
  const last = lastOf(written).toLowerCase();
  const same = known.filter((id) => {
    const name = lastOf(id).toLowerCase();
    return last === name || last.startsWith(`${name}-`);
  });
  if (same.length > 0) return same.slice(0, mostNamed);
  const near = nearestName(last, known.map(lastOf));
  return known.filter((id) => lastOf(id) === near).slice(0, mostNamed);
}
