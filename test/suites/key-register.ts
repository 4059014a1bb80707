import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import type { EvidenceShelf } from '../../core/evidence-shelf.ts';
import { createBox } from '../../integrations/crypto-box/box.ts';
import { boxWrap } from '../../integrations/crypto-box/key-wrap.ts';
import { createIncidentKeys } from '../../integrations/evidence/incident-keys.ts';
import { createKeyRegister } from '../../integrations/evidence/key-register.ts';

/** What keys beside the evidence promise, wherever they lie. */
export function keyRegisterSuite(given: { readonly shelf: () => EvidenceShelf }): void {
  const wrap = boxWrap(createBox({ keys: [{ id: 'evidence', key: new Uint8Array(32).fill(1) }] }));
  const parts = () => {
    const shelf = given.shelf();
    return { keys: createIncidentKeys({ wrap, shelf }), register: createKeyRegister({ shelf }) };
  };
  const newIncident = (): string => `incident/c/shop/Deployment/${randomUUID()}`;
  const why = { by: 'person/ada', reason: 'erasure request 17' };

  describe('the keys beside it', () => {
    test('are made once, however many ask, and are listed without being opened', async () => {
      const { keys, register } = parts();
      const cart = { incident: newIncident(), run: 'run-1', class: 'files' } as const;
      const [first, second] = await Promise.all([keys.keyFor(cart), parts().keys.keyFor(cart)]);
      expect(second).toEqual(first);
      expect(await keys.open(first.id)).toEqual(first);
      await expect(keys.open('0'.repeat(32))).rejects.toMatchObject({ code: 'FB_ERR_NOT_FOUND' });
      const logs = await keys.keyFor({ ...cart, class: 'logs' });
      const listed = await register.list(cart.incident);
      expect(listed.map(({ id, class: kind }) => [id, kind]).sort()).toEqual(
        [
          [first.id, 'files'],
          [logs.id, 'logs'],
        ].sort(),
      );
      expect(listed[0]).toMatchObject({ incident: cart.incident, run: 'run-1', madeAt: expect.stringMatching(/^20/) });
      expect((await register.list()).map(({ id }) => id)).toEqual(expect.arrayContaining([first.id, logs.id]));
    });

    test('are gone when they are destroyed: who asks is told by whom and why, and no new one takes the place', async () => {
      const { keys, register } = parts();
      const cart = { incident: newIncident(), run: 'run-1', class: 'memory' } as const;
      const { id } = await keys.keyFor(cart);
      const other = await keys.keyFor({ ...cart, class: 'logs' });
      const name = await register.find(id);
      if (!name) throw new Error('it is not there');
      await register.destroy(name, why);
      await expect(keys.open(id)).rejects.toMatchObject({
        code: 'FB_ERR_NOT_FOUND',
        detail: expect.stringMatching(/was destroyed at 20.* by person\/ada: erasure request 17$/),
      });
      await expect(keys.keyFor(cart)).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
      expect(await register.find(id)).toMatchObject({ class: 'memory', destroyed: why });
      expect((await register.list(cart.incident)).map(({ destroyed }) => destroyed?.by)).toEqual(
        expect.arrayContaining(['person/ada', undefined]),
      );
      // Once more changes nothing, and the first reason stays.
      await register.destroy(name, { by: 'engine', reason: 'again' });
      expect(await register.find(id)).toMatchObject({ destroyed: why });
      expect((await keys.open(other.id)).key).toEqual(other.key);
    });

    test('are held together with all of their incident, until that is ended', async () => {
      const { keys, register } = parts();
      const cart = { incident: newIncident(), run: 'run-1', class: 'logs' } as const;
      await keys.keyFor(cart);
      const hold = { incident: cart.incident, since: '2026-03-01T10:00:00.000Z', by: 'person/ada', reason: 'lawsuit 4711' };
      await register.hold(hold);
      await register.hold({ ...hold, reason: 'another' });
      expect((await register.list(cart.incident)).map((key) => key.hold)).toEqual([hold]);
      await register.endHold(cart.incident);
      await register.endHold(cart.incident);
      expect((await register.list(cart.incident)).map((key) => key.hold)).toEqual([undefined]);
    });
  });
}
