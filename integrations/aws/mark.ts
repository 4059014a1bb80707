/** The tag of the IAM user in which a rotation says how far it is. Keys have no names or tags of their own. */
export const markTag = 'firebreak-rotation';

/** What stands in it. Not secret: ids of keys, and the step. */
export type Mark =
  /** The step is about to make a key: one that is not among `had` is its own, made in a try that died before it was kept. */
  | { readonly state: 'making'; readonly step: string; readonly from: string; readonly had: readonly string[] }
  /** `made` is kept and came in the place of `from`. */
  | { readonly state: 'made'; readonly from: string; readonly made: string }
  /** `from` was ended before there is a new one. */
  | { readonly state: 'ended'; readonly from: string };

/** Of characters that a tag's value may have: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html */
export function markText(mark: Mark): string {
  if (mark.state === 'making') return `making step=${mark.step} from=${mark.from} had=${mark.had.join('+')}`;
  return mark.state === 'made' ? `made from=${mark.from} made=${mark.made}` : `ended from=${mark.from}`;
}

/** Undefined for what is no mark: somebody else wrote it, and it says nothing. */
export function markOf(text: string | undefined): Mark | undefined {
  const [state, ...parts] = (text ?? '').split(' ');
  const has = new Map(parts.map((part) => [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)]));
  const [step, from, had, made] = ['step', 'from', 'had', 'made'].map((name) => has.get(name));
  if (!from) return undefined;
  if (state === 'making' && step) return { state, step, from, had: had ? had.split('+') : [] };
  if (state === 'made' && made) return { state, from, made };
  return state === 'ended' ? { state, from } : undefined;
}
