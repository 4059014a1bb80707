import { expect, test } from '@jest/globals';
import { mitreIds } from '../../../core/alert/mitre.ts';

test('only a limited number of techniques per alert is read', () => {
  const tag = Array.from({ length: 1_000 }, (_none, number) => `T1${String(number).padStart(3, '0')}`).join(' ');
  expect(mitreIds([tag]).length).toBeLessThanOrEqual(64);
  expect(mitreIds(Array.from({ length: 200 }, (_none, number) => `T1${String(number).padStart(3, '0')}`))).toHaveLength(64);
});

test.each([
  [
    ['T1555', 't1059.004', 'TA0006'],
    ['T1555', 'T1059.004', 'TA0006'],
  ],
  [
    ['T1562-impair-defenses', 'TA0005-defense-evasion'],
    ['T1562', 'TA0005'],
  ],
  [
    ['MITRE_T1552_unsecured_credentials', 'MITRE_TA0006', 'attack.t1611'],
    ['T1552', 'TA0006', 'T1611'],
  ],
  [
    ['mitre_credential_access', 'mitre_credential_access', 'attack.command-and-control'],
    ['TA0006', 'TA0011'],
  ],
  [
    ['mitre_stealth', 'mitre_defense_impairment'],
    ['TA0005', 'TA0112'],
  ],
  [
    ['T1070', 'mitre_defense_evasion'],
    ['T1070', 'TA0005'],
  ],
  [
    ['mitre_defense_evasion', 'T1562.001'],
    ['TA0112', 'T1562.001'],
  ],
  [
    ['mitre_defense_evasion', 'T1685'],
    ['TA0112', 'T1685'],
  ],
  [['FGT1046', 'CVE-2024-1234', 'T2024', 'NIST_800-53_AU-2', 'T10590', 'mitre_', 'mitre_constructor', 'mitre'], []],
])('%j are %j', (tags, ids) => expect(mitreIds(tags)).toEqual(ids));

test('a tag means the same when it is repeated, also after thousands of others, and next to another tag', () => {
  const tags = ['T1620', 'mitre_defense_evasion', 'maturity_stable'];
  const first = mitreIds(tags);
  expect(mitreIds(tags)).toEqual(first);
  for (let number = 0; number < 3_000; number += 1) mitreIds([`tag-${number}`]);
  expect(mitreIds(tags)).toEqual(first);
  expect(mitreIds([...tags, 'T1562'])).toEqual(['T1620', 'TA0112', 'T1562']);
});
