import type { ActionImplementation, StepContext } from '../../../core/action/action.ts';
import type { Plan } from '../../../core/action/plan.ts';
import { noteAnnotation } from '../../../core/cluster/object-note.ts';
import { isObject, type Json } from '../../../core/text/plain-json.ts';
import { type ObjectJson, readKnownObject, readObject, targetOf } from '../../../integrations/kubernetes/objects.ts';
import { type HeldField, holdField, noteOn, releaseField } from '../held-field.ts';
import {
  findPaused,
  type PauseParts,
  pauseDeclarer,
  planOfDeclarer,
  releasedPauses,
  resumeDeclarer,
} from '../paused-declarer.ts';

interface HeldWorkload<Input> extends Required<Pick<ActionImplementation<Input, unknown>, 'started' | 'undo'>> {
  /** The plan, plus what declares the workload elsewhere and what of that is paused. */
  withDeclarer<P extends Pick<Plan, 'changes' | 'blastRadius' | 'notes'>>(
    plan: P,
    of: { readonly input: Input; readonly object: ObjectJson; readonly signal: AbortSignal },
  ): Promise<P>;
  /** Pauses first, then holds: so the held field is not reverted in between. */
  hold(input: Input, context: StepContext): Promise<{ readonly before: Json | undefined; readonly paused?: string }>;
}

/** What the actions that hold one field of a workload have in common: how a step of theirs is applied, recognised again, and released. */
export function heldWorkload<Input>(
  parts: PauseParts,
  fieldOn: (input: Input) => HeldField,
  /** Whether a step with this output has changed the field. */
  hasChanged: (output: Readonly<Record<string, unknown>>) => boolean,
): HeldWorkload<Input> {
  const { api, cellKey } = parts;
  const resume = (paused: Awaited<ReturnType<typeof findPaused>>, signal: AbortSignal) =>
    Promise.all(
      paused.map(({ ref, note }) => resumeDeclarer({ api, cellKey, ref, annotation: noteAnnotation(note.action), signal })),
    );

  return {
    withDeclarer: async (plan, { input, object, signal }) => {
      const { place: _, ...declared } = await planOfDeclarer({ ...parts, ref: fieldOn(input).ref, object, signal });
      return {
        ...plan,
        ...declared,
        changes: [...plan.changes, ...declared.changes],
        blastRadius: [...new Set([...plan.blastRadius, ...declared.blastRadius])].sort(),
        notes: [...plan.notes, ...declared.notes],
      };
    },

    hold: async (input, context) => {
      const field = fieldOn(input);
      const paused = await pauseDeclarer({ ...parts, ref: field.ref, context });
      const together = paused !== undefined && { together: [targetOf(field.ref), paused] };
      try {
        const { before } = await holdField({ api, cellKey, field, context, ...together });
        return { before, ...(paused !== undefined && { paused }) };
      } catch (error) {
        // If the field is not held, nobody reverts it, so nothing stays paused for it. The next attempt pauses it again.
        const { key, signal } = context;
        // A failure to resume must not hide why the field is not held.
        if (paused !== undefined)
          await findPaused({ ...parts, ref: field.ref, named: [paused], key, signal })
            .then((found) => resume(found, signal))
            .catch(() => undefined);
        throw error;
      }
    },

    started: async (input, { key, signal }) => {
      const field = fieldOn(input);
      const object = await readKnownObject({ api, ref: field.ref, signal });
      return noteOn({ object, cellKey, field })?.step === key;
    },

    undo: async ({ input, output, isForgotten = false, key, allow }, context) => {
      const field = fieldOn(input);
      const { signal } = context;
      const object = await readObject({ api, ref: field.ref, signal });
      const together = (object && noteOn({ object, cellKey, field })?.together) ?? [];
      const named = [...together, ...(isObject(output) && typeof output.paused === 'string' ? [output.paused] : [])];
      const paused = await findPaused({ ...parts, ref: field.ref, named, key, signal });
      const pauses = releasedPauses(paused);
      const result = await releaseField({
        api,
        cellKey,
        field,
        key,
        context,
        allow: allow && ((notes) => allow([...notes, ...pauses])),
        hasChanged: isObject(output) ? hasChanged(output) : isForgotten,
      });
      if (paused.length === 0) return result;
      if (result.state === 'drifted') {
        const stay = paused.map(({ note }) => `${note.object} stays paused`).join('; ');
        return { ...result, detail: `${result.detail}; ${stay}` };
      }
      if (result.state !== 'undone') await allow?.(pauses);
      const told = (await resume(paused, signal)).filter((text) => text !== undefined);
      return { state: result.state === 'already' ? 'undone' : result.state, detail: [result.detail, ...told].join('; ') };
    },
  };
}
