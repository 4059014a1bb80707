import { expect, test } from '@jest/globals';
import type { ImageCheck } from '../../../core/action/image-signature.ts';
import { alertOf } from '../people.ts';
import { refuse } from '../scripted.ts';
import { useLab } from '../use-lab.ts';

const { lab, script } = useLab();

const checked = (over: Partial<ImageCheck>) => {
  const image: ImageCheck = {
    container: 'main',
    image: 'registry.example.com/shop/cart:1',
    signature: 'unknown',
    by: [],
    attestations: [],
    ...over,
  };
  return { pod: alertOf().pod, signature: image.signature, images: [image] };
};
const start = () =>
  lab.start([alertOf({ rule: 'Packet socket created in container', severity: 'low', container: { name: 'main' } })], {
    playbooks: ['firebreak/ask-about-unsigned-image'],
  });

test('people are asked about an unsigned image, and the card and the incident say that it is unsigned', async () => {
  script.verifyImage = async () => checked({ signature: 'unsigned', reason: 'there is no signature' });
  const incident = await start();
  const asked = await incident.question();
  expect(asked.question.text).toContain('runs an image without a trusted signature');
  const state = await incident.until(({ images }) => images !== undefined, 'the images');
  expect(state.images).toMatchObject([{ podUid: 'uid-1', container: 'main', signature: 'unsigned' }]);
  await lab.eventually('the card', () => lab.seen.cards.at(-1)?.happened.signature === 'unsigned: there is no signature');
  await incident.vote('expected', 'ana');
  expect((await incident.result()).verdict).toBe('benign');
});

test.each([
  ['is signed', async () => checked({ signature: 'signed', by: ['the key cosign.pub (0123456789ab)'] })],
  ['cannot be checked, since the registry is down', async () => checked({ reason: 'registry.example.com: it did not answer' })],
  ['cannot be checked, since the step failed', async () => refuse('FB_ERR_REFUSED', 'the role does not allow us to get secrets')],
])('nothing follows if it %s', async (_how, answer) => {
  script.verifyImage = answer;
  const incident = await start();
  const end = await incident.result();
  expect(end.questions).toEqual([]);
  expect(end.leases).toEqual([]);
  expect(
    lab.seen.applied.filter((call) => call.incident.id === incident.id).every(({ action }) => action === 'verifyImage'),
  ).toBe(true);
});
