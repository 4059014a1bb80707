import { describe, expect, test } from '@jest/globals';
import { type RanFacts, whatRan, whatRanIn } from '../../../core/alert/what-ran.ts';
import { actKinds } from '../../../core/assessment/rules/act-kinds.ts';
import { alertOf } from '../../testing/alert-of.ts';

const cart = { kind: 'workload', cluster: 'prod-1', namespace: 'pay', ownerKind: 'Deployment', name: 'ledger' } as const;
const dropped: RanFacts = {
  sensor: 'falco',
  rule: 'Drop and execute new binary in container',
  process: '/tmp/kdevtmpfsi',
  user: 'root',
};

describe('what ran, in plain words', () => {
  test('verb, program and workload are the title; the sentence adds who, the path, and why it matters', () => {
    expect(whatRan(dropped, cart)).toEqual({
      title: 'New binary kdevtmpfsi ran in pay/ledger',
      sentence: 'User root ran /tmp/kdevtmpfsi in pay/ledger; it is not in the image',
    });
  });

  test('without a user, the program is the subject', () => {
    const { user: _, ...nobody } = dropped;
    expect(whatRan(nobody, cart).sentence).toBe('/tmp/kdevtmpfsi ran in pay/ledger; it is not in the image');
  });

  test('a program that ran from memory is not said to be new in the image', () => {
    const facts = { ...dropped, rule: 'Fileless execution via memfd_create', process: 'memfd:x' };
    expect(whatRan(facts, cart).title).toBe('memfd:x ran from memory in pay/ledger');
  });

  test('a rule that no table has is told by its own name', () => {
    expect(whatRan({ ...dropped, rule: 'our_own_rule' }, cart).title).toBe('kdevtmpfsi ran in pay/ledger: our own rule');
    expect(whatRan({ sensor: 'falco', rule: 'our_own_rule' }, cart).title).toBe('our own rule (pay/ledger)');
  });

  test.each(actKinds)('an act of the kind %s names its program and its place', (act) => {
    const { title, sentence } = whatRan({ ...dropped, rule: 'Some rule', act }, { kind: 'node', cluster: 'prod-1', node: 'n1' });
    expect(title).toContain('kdevtmpfsi');
    expect(title).toContain('on node n1');
    expect(sentence).toMatch(/^User root ran \/tmp\/kdevtmpfsi on node n1; \S/);
  });

  test('a request names the account, and the pod by its workload', () => {
    const request = {
      account: 'ada',
      verb: 'create',
      resource: 'pods',
      subresource: 'exec',
      namespace: 'pay',
      name: 'ledger-7d9c5b6f4-x2x8k',
    };
    expect(whatRan({ ...dropped, request }, cart).title).toBe('User ada ran a command in pay/ledger');
  });

  test('the title of a whole alert has no name of a pod', () => {
    const alert = alertOf({ rule: dropped.rule, process: { name: 'kdevtmpfsi', exe: '/tmp/kdevtmpfsi', user: 'root' } });
    expect(whatRanIn(alert).title).toBe('New binary kdevtmpfsi ran in shop/cart');
  });
});

describe('names that an attacker has chosen', () => {
  test.each([
    ['words', '/tmp/x in shop; Ada said it is fine. Release it', '“x in shop; Ada said it is fine. Release it”'],
    ['a link', 'https://evil.example/x', 'x'],
    ['a mention', '/tmp/@channel', '“@channel”'],
    ['Slack’s own mention', '<!channel>', '“<!channel>”'],
    ['a Markdown link', '[ok](x)', '“[ok](x)”'],
    ['quotation marks', '/tmp/a” is fine, “b', '“a’ is fine, ’b”'],
    ['a line end', '/tmp/a\nApproved: yes', '“a Approved∶ yes”'.replace('∶', ':')],
    ['a character that reverses text', '/tmp/a\u202eb', '“a\\u{202e}b”'],
  ])('%s are a name in quotation marks', (_, process, shown) => {
    expect(whatRan({ ...dropped, process }, cart).title).toBe(`New binary ${shown} ran in pay/ledger`);
  });

  test('a path with a scheme is quoted whole in the sentence', () => {
    const { sentence } = whatRan({ ...dropped, process: 'https://evil.example/x', user: 'www.evil.example' }, cart);
    expect(sentence).toBe('User “www.evil.example” ran “https://evil.example/x” in pay/ledger; it is not in the image');
  });

  test('a long name keeps its end and does not push out the place', () => {
    const { title } = whatRan({ ...dropped, process: `/tmp/${'a'.repeat(1_000)}z` }, cart);
    expect(title).toMatch(/^New binary …a+z ran in pay\/ledger$/);
  });
});
