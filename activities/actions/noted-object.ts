import type { ObjectNote } from '../../core/cluster/object-note.ts';
import { fieldOf, type ObjectJson } from '../../integrations/kubernetes/objects.ts';
import { changedText, isAsLeft } from './held-field.ts';
import { isChanged } from './made-object.ts';

/** Describes how an object differs from what its note says that a step left. */
export function notedDifference({ change }: Pick<ObjectNote, 'change'>, object: ObjectJson): readonly string[] {
  if (change.kind === 'made') return isChanged({ change }, object) ? ['its content was changed'] : [];
  return isAsLeft(change, fieldOf(object, change.path)) ? [] : [changedText(change, object)];
}
