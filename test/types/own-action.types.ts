/** What the compiler rejects in an action of a pack. Checked by `tsc`, never run. */
import { data, defineAction, implementAction } from '../../authoring/actions.ts';
import { definePlaybook } from '../../authoring/playbook.ts';

const close = defineAction({
  name: 'close',
  title: 'Close',
  effect: 'reversible',
  reach: 'pod',
  input: { port: data.number('Port'), note: data.optional(data.text('Note')) },
  output: { removed: data.number('Rules') },
  implementation: 'close.ts',
  verifiedBy: 'Read back.',
  undo: 'Opens it again.',
  example: { port: 1 },
  sample: { removed: 1 },
});

const parts = {
  plan: async () => ({ target: 'thing/one', changes: [], state: { before: [1] } }),
  verify: async () => ({ state: 'applied', detail: 'closed' }) as const,
  undo: async () => ({ state: 'undone', detail: 'open' }) as const,
};

export const whole = implementAction(close, {
  ...parts,
  apply: async ({ input, state }) => ({ removed: input.port + state.before.length }),
});
// @ts-expect-error: it gives back what the declaration says
export const confused = implementAction(close, { ...parts, apply: async () => ({ removed: 'one' }) });
const { undo: _, ...lacking } = parts;
// @ts-expect-error: what is reversible has an undo
export const forGood = implementAction(close, { ...lacking, apply: async () => ({ removed: 1 }) });

export const playbook = definePlaybook(
  { id: 'close', title: 'Close', on: { match: { rule: 'Any' }, minSeverity: 'low', requires: [] }, uses: { close } },
  async ({ steps, ask }) => {
    // @ts-expect-error: though it is reversible and reaches one pod, an action of a pack is never automatic
    await steps.close({ port: 1 });
    const answer = await ask({
      question: 'Close it?',
      choices: { yes: 'Yes', no: 'No' },
      plan: { yes: await steps.close.plan({ port: 1, note: 'as seen' }) },
      onSilence: 'It stays open.',
    });
    if (answer.choice === 'yes') {
      const { output } = await steps.close({ port: 1, lease: '4h' }, answer.approval);
      const removed: number = output.removed;
      void removed;
    }
    if (answer.choice === 'yes') {
      // @ts-expect-error: silence gives back nothing that an action of a pack took
      await steps.close({ port: 1, lease: '4h', onExpiry: 'release' }, answer.approval);
    }
    // @ts-expect-error: a port is a number
    await steps.close.plan({ port: '1' });
    // @ts-expect-error: there is no such field
    await steps.close.plan({ port: 1, ports: 2 });
  },
);
