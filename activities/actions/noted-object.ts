import type { ObjectNote } from '../../core/cluster/object-note.ts';
import { canonicalJson } from '../../core/text/digest.ts';
import type { Json } from '../../core/text/plain-json.ts';
import { fieldOf, type ObjectJson } from '../../integrations/kubernetes/objects.ts';
import { byManager, pathText, same } from './held-field.ts';
import { isChanged } from './made-object.ts';

/** In which way an object is no longer as its note says that a step left it. */
export function notedDifference({ change }: Pick<ObjectNote, 'change'>, object: ObjectJson): readonly string[] {
  if (change.kind === 'made') return isChanged({ change }, object) ? ['what it says was changed'] : [];
  const now = fieldOf(object, change.path);
  if (same(now, change.set)) return [];
  return [`${pathText(change.path)} was changed from ${text(change.set)} to ${text(now)}${byManager(object, change.path)}`];
}

function text(value: Json | undefined): string {
  return value === undefined ? 'absent' : canonicalJson(value);
}
