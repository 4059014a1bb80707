/** How names of objects and actions are displayed. Pure text: shared by cards, terminals and the console in a browser. */

/** The last part of a full name (`pod/shop/cart-1`), whose end people type. */
export function lastPart(full: string): string {
  return full.split('/').findLast((part) => part !== '') ?? full;
}

/** `cart-…x2x8k` for the pod `cart-7d9c5b6f4-x2x8k` of a Deployment: the question, the dialogs and the details show the whole name. */
export function shortName(name: string): string {
  const [, workload, end] = /^(.+)-[a-z0-9]{6,10}-([a-z0-9]{5})$/.exec(name) ?? [];
  return workload === undefined ? name : `${workload}-…${end}`;
}

/** Turns `evictPod` into `evict pod`, also for an action that only a pack knows. */
export function spelt(action: string): string {
  const [pack, own] = action.split('/');
  if (own !== undefined) return `${spelt(own)} (${pack})`;
  return action
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll(/[-_]/g, ' ')
    .toLowerCase();
}
