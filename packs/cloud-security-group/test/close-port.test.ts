import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { tryAction } from 'firebreak/testing';
import { closePort } from '../actions/close-port.ts';
import closePortImplementation from '../implementations/close-port.ts';
import { Cloud, officeRule, openRule } from './cloud.ts';

const pod = { namespace: 'shop', name: 'cart-1', uid: '1f0f6b0e' };
const input = { group: 'sg-1', port: 8080, pod };
let cloud: Cloud;
beforeEach(async () => {
  cloud = await Cloud.start({ 'sg-1': [openRule, officeRule] });
});
afterEach(() => cloud.stop());

const closing = (given: { readonly group?: string; readonly token?: string } = {}) =>
  tryAction(closePort, closePortImplementation, {
    input: { ...input, ...(given.group !== undefined && { group: given.group }) },
    secrets: { token: given.token ?? cloud.token },
    settings: { endpoint: cloud.endpoint },
  });

test('the port is closed to the internet and to nobody else, and given back exactly', async () => {
  const step = closing();
  assert.deepEqual((await step.plan()).changes, [
    { target: 'security-group/sg-1', what: 'removes the rule r-1: port 8080 from 0.0.0.0/0' },
  ]);
  assert.equal(cloud.changes, 0);
  assert.deepEqual(await step.apply(), { removed: 1 });
  assert.deepEqual(cloud.rules('sg-1'), [officeRule]);
  assert.equal((await step.verify()).state, 'applied');
  assert.equal((await step.undo()).state, 'undone');
  assert.deepEqual(new Set(cloud.rules('sg-1')), new Set([openRule, officeRule]));
});

test('what the cloud did without saying so is not done twice', async () => {
  const step = closing();
  cloud.next('do-it-then-say-nothing');
  await assert.rejects(step.apply(), /no answer to PUT/);
  assert.deepEqual(await step.apply(), { removed: 1 });
  assert.equal(cloud.changes, 1);
});

test('a cloud that limits is asked again later, when it says', async () => {
  const step = closing();
  cloud.next('limit');
  await assert.rejects(step.apply(), { code: 'FB_ERR_UNAVAILABLE', retryAfterMs: 1_000 });
  assert.deepEqual(await step.apply(), { removed: 1 });
});

test('a group that somebody changes at the same moment is left alone', async () => {
  const step = closing();
  cloud.next('somebody-was-first');
  await assert.rejects(step.apply(), /somebody has changed the security group meanwhile/);
  assert.equal(cloud.changes, 0);
});

test('a port that somebody has opened otherwise since is left as it is', async () => {
  const step = closing();
  await step.apply();
  const other = { ...openRule, id: 'r-9', from: '::/0' };
  cloud.change('sg-1', [other]);
  assert.equal((await step.verify()).state, 'partial');
  assert.equal((await step.undo()).state, 'drifted');
  assert.deepEqual(cloud.rules('sg-1'), [other]);
});

test('an unknown group, and a token that is none, are told before anybody is asked', async () => {
  await assert.rejects(closing({ group: 'sg-9' }).plan(), /security group sg-9 not found/);
  await assert.rejects(closing({ token: 'another' }).plan(), /HTTP 401/);
});
