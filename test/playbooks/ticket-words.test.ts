import { expect, test } from '@jest/globals';
import { ticketText, ticketTitle } from '../../playbooks/fragments/words.ts';
import { alertOf } from '../testing/alert-of.ts';

const process = { name: 'kdevtmpfsi', exe: '/tmp/kdevtmpfsi', commandLine: '/tmp/kdevtmpfsi -o pool.example.net', user: 'root' };

test('a ticket names verb, program and workload in its title, and no pod', () => {
  expect(ticketTitle(alertOf({ process }), 'A new binary ran')).toBe('New binary kdevtmpfsi ran in shop/cart');
  expect(ticketTitle(alertOf(), 'A new binary ran')).toBe('A new binary ran: shop/cart');
});

test('its body says what ran, what was done, and what is left to the reader, each with its label', () => {
  const alert = alertOf({ process, container: { image: 'registry.example.com/shop/cart:1.4.2' } });
  expect(ticketText(alert, { done: ['The pod is quarantined.'], todo: 'Find out where it came from.' }).split('\n')).toEqual([
    'What happened: User root ran /tmp/kdevtmpfsi in shop/cart; it is not in the image.',
    '',
    'Command line: /tmp/kdevtmpfsi -o pool.example.net',
    'User: root',
    'Image: registry.example.com/shop/cart:1.4.2',
    'Pod: shop/cart-1',
    'Node: worker-1',
    'Alert: A new binary runs (Drop and execute new binary in container, falco)',
    '',
    'What was done: The pod is quarantined.',
    '',
    'What is left to you: Find out where it came from.',
  ]);
});
