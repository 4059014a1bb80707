import { expect, test } from '@jest/globals';
import { playbooks } from '../../playbooks/index.ts';

const headStarters = playbooks.filter(({ headStart }) => headStart !== undefined);

test('there is a playbook that has a head start', () => {
  expect(headStarters.map(({ id }) => id)).toContain('firebreak/contain-dropped-binary');
});

/** What the cell begins by itself must be what the body does first: otherwise a pod is contained that no body knows about. */
test.each(headStarters.map((playbook) => [playbook.id, playbook] as const))(
  '%s begins with the step that its envelope promises',
  async (_id, playbook) => {
    const pod = { namespace: 'shop', name: 'cart-1', uid: 'uid-1' };
    const calls: { readonly what: string; readonly input: unknown }[] = [];
    const stopped = new Error('the first call is enough');
    const called = (what: string) =>
      Object.assign(
        (input: unknown): never => {
          calls.push({ what, input });
          throw stopped;
        },
        { plan: () => called(`${what}.plan`)(undefined) },
      );
    const steps = new Proxy({}, { get: (_target, name) => called(String(name)) });
    const alert = { pod, title: 'a new binary ran', severity: 'critical' };
    const context = new Proxy({ alert, steps }, { get: (given, name) => Reflect.get(given, name) ?? called(String(name)) });
    await expect(playbook.run(context as never)).rejects.toBe(stopped);
    expect(calls).toEqual([{ what: playbook.headStart, input: expect.objectContaining({ pod }) }]);
  },
);
