import { expect, test } from '@jest/globals';
import { confirm, mustBeConfirmable } from '../../../service/commands/confirm.ts';

/** This process has no terminal. */
const ends = 'pack/our-playbooks@1.1.0';

test('of a version of a pack all of it is typed: its last four characters are also those of 2.1.0', async () => {
  expect(() => mustBeConfirmable({ yes: true }, ends)).toThrow('--target with the version in our-playbooks@1.1.0');
  await expect(confirm({ lines: [], ends }, { yes: true, target: '.1.0' })).rejects.toThrow(
    'this is not the version in our-playbooks@1.1.0',
  );
  await expect(confirm({ lines: [], ends }, { yes: true, target: '2.1.0' })).rejects.toThrow('this is not the version');
  await expect(confirm({ lines: [], ends }, { yes: true, target: '1.1.0' })).resolves.toBeUndefined();
});

test('of other names the end is typed', async () => {
  await expect(confirm({ lines: [], ends: 'pod/shop/cart-x2x8' }, { yes: true, target: 'x2X8' })).resolves.toBeUndefined();
  await expect(confirm({ lines: [], ends: 'pod/shop/cart-x2x8' }, { yes: true, target: 'cart' })).rejects.toThrow(
    'these are not the last 4 characters of cart-x2x8',
  );
});
