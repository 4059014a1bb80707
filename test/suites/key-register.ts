import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { FirebreakError } from '../../core/errors.ts';
import type { EvidenceShelf } from '../../core/evidence/evidence-shelf.ts';
import { createBox } from '../../integrations/crypto-box/box.ts';
import { boxWrap } from '../../integrations/crypto-box/key-wrap.ts';
import { createIncidentKeys } from '../../integrations/evidence/incident-keys.ts';
import { createKeyRegister } from '../../integrations/evidence/key-register.ts';
import { createManifestIndex } from '../../integrations/evidence/manifest-index.ts';

/** What the keys next to the evidence guarantee, wherever they are stored. */
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
      // Doing it again changes nothing, and the first reason stays.
      await register.destroy(name, { by: 'engine', reason: 'again' });
      expect(await register.find(id)).toMatchObject({ destroyed: why });
      expect((await keys.open(other.id)).key).toEqual(other.key);
    });

    test('are destroyed, on record, also where the answer to it was lost; kept from it, nothing is on record', async () => {
      const shelf = given.shelf();
      const { keys } = parts();
      const cart = { incident: newIncident(), run: 'run-1', class: 'files' } as const;
      const { id } = await keys.keyFor(cart);
      const answering = (code: 'FB_ERR_UNAVAILABLE' | 'FB_ERR_REFUSED', removes: boolean): EvidenceShelf => ({
        ...shelf,
        remove: async (name) => {
          if (removes || !name.startsWith('keys/')) await shelf.remove(name);
          if (name.startsWith('keys/')) throw new FirebreakError(code, 'as the test has it');
        },
      });
      const name = await createKeyRegister({ shelf }).find(id);
      if (!name) throw new Error('it is not there');
      const kept = createKeyRegister({ shelf: answering('FB_ERR_REFUSED', false) });
      await expect(kept.destroy(name, why)).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
      expect((await keys.open(id)).id).toBe(id);
      expect(await shelf.get(`destroyed/${id}`)).toBeUndefined();
      const lost = createKeyRegister({ shelf: answering('FB_ERR_UNAVAILABLE', true) });
      await expect(lost.destroy(name, why)).rejects.toMatchObject({ code: 'FB_ERR_UNAVAILABLE' });
      expect(await createKeyRegister({ shelf }).find(id)).toMatchObject({ destroyed: why });
      await expect(parts().keys.keyFor(cart)).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
    });

    test('stand beside a list of each incident’s manifests', async () => {
      const index = createManifestIndex({ shelf: given.shelf() });
      const [cart, web] = [newIncident(), newIncident()];
      const [first, second] = ['1'.repeat(64), '2'.repeat(64)];
      await index.add({ incident: cart, manifestSha256: first });
      await index.add({ incident: cart, manifestSha256: second });
      await index.add({ incident: cart, manifestSha256: first });
      expect(await index.of(cart)).toEqual([first, second]);
      expect(await index.of(web)).toEqual([]);
    });

    test('are held together with all of their incident, until that is ended', async () => {
      const { keys, register } = parts();
      const cart = { incident: newIncident(), run: 'run-1', class: 'logs' } as const;
      await keys.keyFor(cart);
      const hold = { incident: cart.incident, since: '2026-03-01T10:00:00.000Z', by: 'person/ada', reason: 'lawsuit 4711' };
      await register.hold(hold);
      await register.hold({ ...hold, reason: 'another' });
      expect((await register.list(cart.incident)).map((key) => key.hold)).toEqual([hold]);
      const ending = { by: 'person/lea', at: '2026-03-02T10:00:00.000Z' };
      await register.askToEnd(hold, { ...ending, by: 'person/kim' });
      await register.askToEnd(hold, ending);
      expect((await register.list(cart.incident)).map((key) => key.hold)).toEqual([{ ...hold, ending }]);
      await register.endHold(cart.incident);
      await register.endHold(cart.incident);
      expect((await register.list(cart.incident)).map((key) => key.hold)).toEqual([undefined]);
      // A request to end a hold that is over does not apply to the next hold.
      await register.askToEnd(hold, ending);
      const next = { ...hold, since: '2026-03-03T10:00:00.000Z' };
      await register.hold(next);
      expect((await register.list(cart.incident)).map((key) => key.hold)).toEqual([next]);
    });
  });
}
