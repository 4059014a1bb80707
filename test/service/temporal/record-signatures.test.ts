import { expect, test } from '@jest/globals';
import { type AuditRecord, originProblem, type RecordSignature } from '../../../core/audit/audit.ts';
import { signerFrom } from '../../../integrations/keys/ed25519.ts';
import { withRecordSignatures } from '../../../service/temporal/codec.ts';
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

async function signaturesOf(message: object): Promise<readonly RecordSignature[] | undefined> {
  const given = Buffer.from(JSON.stringify(message));
  const left = JSON.parse(Buffer.from(await withRecordSignatures(given, signer)).toString());
  const { signatures, ...rest } = left;
  expect(rest).toEqual(message);
  return signatures;
}

test('records that leave their own workflow are signed, in the form in which they are kept', async () => {
  const records = [record(1), record(2)];
  const signatures = await signaturesOf({ to: 'activity:recordAudit', workflow, run: 'r', call: '7', value: [records] });
  expect(signatures).toEqual(
    records.map((one) => {
      const { keyId, signature } = maker.sign(one);
      return { keyId, signature };
    }),
  );
  expect(originProblem(maker.sign(record(1)), makersTrust)).toBeUndefined();
});

test('records of another chain are not', async () => {
  const others = [record(1, 'incident/c/shop/Deployment/web@run-1'), record(1, `${workflow}-2@run-1`), record(1, 'desk/c')];
  const signatures = await signaturesOf({ to: 'activity:recordAudit', workflow, value: [others] });
  expect(signatures).toEqual(others.map(() => ({ keyId: '', signature: '' })));
});

test('nothing else that goes to Temporal is touched, whatever it holds', async () => {
  const inside = { to: 'activity:recordAudit', workflow, value: [[record(1)]] };
  for (const message of [{ to: 'activity:verifyVote', workflow, value: [inside] }, { value: inside }, {}])
    expect(await signaturesOf(message)).toBeUndefined();
});
