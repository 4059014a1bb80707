import { names } from '../core/cluster/labels.ts';
import { isObject } from '../core/text/plain-json.ts';

/** Never compared between an object before and after: fields that the API server and its controllers change by themselves. */
const ignoredInComparison = [
  'metadata.resourceVersion',
  'metadata.generation',
  'metadata.managedFields',
  'metadata.ownerReferences',
  'status',
] as const;

/** A copy without the ignored fields, and without the one mark that an undo leaves: two copies are equal exactly if an undo was exact. */
export function comparable(object: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const copy = structuredClone(object);
  for (const path of ignoredInComparison) {
    const parts = path.split('.');
    const last = parts.pop();
    let at: unknown = copy;
    for (const part of parts) at = isObject(at) ? at[part] : undefined;
    if (isObject(at) && last !== undefined) delete at[last];
  }
  const { metadata } = copy;
  if (isObject(metadata) && isObject(metadata.annotations)) {
    delete metadata.annotations[names.releasedAnnotation];
    if (Object.keys(metadata.annotations).length === 0) delete metadata.annotations;
  }
  return copy;
}
