import { expect, test } from '@jest/globals';
import { type AuditRecord, genesisHash, type SignedRecord } from '../../../core/audit/audit.ts';
import { provenRunOf } from '../../../service/records/incident-run.ts';
import { ReachableObjects } from '../../suites/reachable-objects.ts';
import { maker, makersTrust, newMaker } from '../../suites/signed-records.ts';

const incident = 'incident/c/shop/Deployment/cart';
const recordOf = (run: string, at: string): AuditRecord => ({
  chain: `${incident}@${run}`,
  number: 1,
  at,
  kind: 'incident.opened',
  actor: 'engine',
  body: {},
});

/** Returns records as a store does, whoever wrote the rows. */
function storeOf(signed: readonly SignedRecord[]) {
  const chains = [...new Set(signed.map(({ record }) => record.chain))];
  return {
    chains: async (prefixes: readonly string[]) => chains.filter((chain) => prefixes.some((one) => chain.startsWith(one))),
    storedChain: async (chain: string) => {
      const own = signed.filter(({ record }) => record.chain === chain);
      return { records: own.map((one, index) => ({ chain, place: index + 1, previous: genesisHash, hash: '', signed: one })) };
    },
  };
}

test('the newest run is used if none is named, and a row without a trusted signature does not make one', async () => {
  const [old, newest] = [recordOf('run-1', '2026-01-01T00:00:00.000Z'), recordOf('run-2', '2026-02-01T00:00:00.000Z')];
  const forged = newMaker().sign(recordOf('run-3', '2026-03-01T00:00:00.000Z'));
  const asked = { store: storeOf([maker.sign(newest), maker.sign(old), forged]), trust: makersTrust };
  expect(await provenRunOf(asked, incident)).toMatchObject({ chain: newest.chain, records: [newest], leftOut: 0 });
  expect(await provenRunOf(asked, incident, 'run-1')).toMatchObject({ chain: old.chain });
  await expect(provenRunOf(asked, incident, 'run-3')).rejects.toMatchObject({ code: 'FB_ERR_UNKNOWN_ID' });
  await expect(provenRunOf(asked, `${incident}2`)).rejects.toMatchObject({ code: 'FB_ERR_UNKNOWN_ID' });
});

test('at most two runs of an incident with many runs are held at once', async () => {
  const held = new ReachableObjects();
  const runs = Array.from({ length: 6 }, (_, nth) => `run-${nth}`);
  let most = 0;
  const store = {
    chains: async () => runs.map((run) => `${incident}@${run}`),
    storedChain: async (chain: string) => {
      most = Math.max(most, await held.count());
      const at = new Date(Date.UTC(2026, 0, 1 + runs.indexOf(chain.slice(chain.indexOf('@') + 1)))).toISOString();
      const signed = maker.sign({ ...recordOf('', at), chain });
      held.watch(signed.record.body);
      return { records: [{ chain, place: 1, previous: genesisHash, hash: '', signed }] };
    },
  };
  expect(await provenRunOf({ store, trust: makersTrust }, incident)).toMatchObject({ chain: `${incident}@run-5` });
  expect(most).toBeLessThanOrEqual(2);
});
