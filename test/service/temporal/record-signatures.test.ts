import { describe, expect, test } from '@jest/globals';
import {
  type AuditRecord,
  genesisHash,
  OriginCheck,
  originProblem,
  type RecordSignature,
  recordLink,
  type SignedRecord,
  signRecord,
} from '../../../core/audit/audit.ts';
import type { Trust } from '../../../core/messages/sender.ts';
import { signerFrom } from '../../../integrations/keys/ed25519.ts';
import { RecordSigner } from '../../../service/temporal/record-signer.ts';
import { maker, makersTrust } from '../../suites/signed-records.ts';

const signer = signerFrom({ pem: maker.pem, name: 'cell' });
const workflow = 'incident/c/shop/Deployment/cart';
const record = (number: number, chain = `${workflow}@run-1`): AuditRecord => ({
  chain,
  number,
  at: '2026-03-01T10:00:00Z',
  kind: 'playbook.note',
  actor: 'engine',
  body: { text: 'cut \ud83d' },
});

async function signaturesOf(message: object, by = new RecordSigner(signer)): Promise<readonly RecordSignature[] | undefined> {
  const given = Buffer.from(JSON.stringify(message));
  const left = JSON.parse(Buffer.from(await by.withSignatures(given)).toString());
  const { signatures, ...rest } = left;
  expect(rest).toEqual(message);
  return signatures;
}

test('records that leave their own workflow are signed, in the form in which they are kept', async () => {
  const records = [record(1), record(2)];
  const signatures = await signaturesOf({ to: 'activity:recordAudit', workflow, run: 'r', call: '7', value: [records] });
  const first = await signRecord(record(1), signer);
  const second = await signRecord(record(2), signer, recordLink(first));
  expect(signatures).toEqual([first, second].map(({ keyId, follows, salt, signature }) => ({ keyId, follows, salt, signature })));
  expect(originProblem(second, makersTrust)).toBeUndefined();
});

describe('each record names the one that this process has signed before it', () => {
  const sent = async (by: RecordSigner, numbers: readonly number[], text = 'said'): Promise<readonly SignedRecord[]> => {
    const records = numbers.map((number) => ({ ...record(number), body: { text } }));
    const signatures = await signaturesOf({ to: 'activity:recordAudit', workflow, value: [records] }, by);
    return records.map((one, index) => ({
      record: one,
      ...(signatures?.[index] ?? { keyId: '', follows: '', salt: '', signature: '' }),
    }));
  };
  const links = (records: readonly SignedRecord[]) => records.map(recordLink);

  test('from one message to the next, so that the signature of the last one proves all', async () => {
    const by = new RecordSigner(signer);
    const all = [...(await sent(by, [1, 2, 3])), ...(await sent(by, [4])), ...(await sent(by, [5, 6]))];
    expect(all.map(({ follows }) => follows)).toEqual([genesisHash, ...links(all).slice(0, -1)]);
    let checked = 0;
    const counting: Trust = {
      senderOf: (signed) => {
        checked += 1;
        return makersTrust.senderOf(signed);
      },
    };
    const check = new OriginCheck(counting);
    expect(all.toReversed().map((one) => check.problemOf(one))).toEqual(all.map(() => undefined));
    expect(checked).toBe(1);
  });

  test('and the one that was sent, if a task of the workflow is done again with different records', async () => {
    const by = new RecordSigner(signer);
    const first = await sent(by, [1, 2]);
    await sent(by, [3], 'never arrived');
    const again = await sent(by, [3, 4]);
    expect(again.map(({ follows }) => follows)).toEqual(links([...first.slice(-1), ...again.slice(0, 1)]));
  });

  test('but none that it does not know: nothing from elsewhere is vouched for', async () => {
    const by = new RecordSigner(signer);
    await sent(by, [1, 2]);
    const [later] = await sent(by, [9]);
    const [elsewhere] = await sent(new RecordSigner(signer), [3]);
    expect([later?.follows, elsewhere?.follows]).toEqual([genesisHash, genesisHash]);
  });
});

test('records of another chain are not signed', async () => {
  const others = [record(1, 'incident/c/shop/Deployment/web@run-1'), record(1, `${workflow}-2@run-1`), record(1, 'desk/c')];
  const signatures = await signaturesOf({ to: 'activity:recordAudit', workflow, value: [others] });
  expect(signatures).toEqual(others.map(() => ({ keyId: '', follows: genesisHash, salt: '', signature: '' })));
});

test('nothing else that goes to Temporal is touched, whatever it contains', async () => {
  const inside = { to: 'activity:recordAudit', workflow, value: [[record(1)]] };
  for (const message of [{ to: 'activity:verifyVote', workflow, value: [inside] }, { value: inside }, {}])
    expect(await signaturesOf(message)).toBeUndefined();
});
