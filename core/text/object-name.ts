/** How names of objects and actions are read. Pure text: cards, terminals and the console in a browser share it. */

/** The part of a full name (`pod/shop/cart-1`) whose end is typed. */
export function lastPart(full: string): string {
  return full.split('/').findLast((part) => part !== '') ?? full;
}

/** `cart-…x2x8k` for the pod `cart-7d9c5b6f4-x2x8k` of a Deployment: the whole name is in the question, the dialogs and the details. */
export function shortName(name: string): string {
  const [, workload, end] = /^(.+)-[a-z0-9]{6,10}-([a-z0-9]{5})$/.exec(name) ?? [];
  return workload === undefined ? name : `${workload}-…${end}`;
}

/** `evictPod` reads `evict pod`, also of an action that only a pack knows. */
export function spelt(action: string): string {
  const [pack, own] = action.split('/');
  if (own !== undefined) return `${spelt(own)} (${pack})`;
  return action
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll(/[-_]/g, ' ')
    .toLowerCase();
}
