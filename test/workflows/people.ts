/** People, their keys and votes, and the alerts they vote on, without Temporal, which keeps any process alive that has loaded a lab. */
import { createHash, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import type { Alert } from '../../core/alert/alert.ts';
import { type SignedVote, type Vote, voteBytes } from '../../core/decide/approval.ts';
import type { VoteKeys } from '../../core/decide/vote-check.ts';
import type { AlertBatch, Subject } from '../../core/incident/incident.ts';
import type { Roster } from '../../core/people/roster.ts';
import { assessedAs } from '../fixtures/assessed.ts';

export const subject: Subject = { kind: 'workload', cluster: 'lab', namespace: 'shop', ownerKind: 'Deployment', name: 'cart' };

export const roster: Roster = {
  people: [
    { id: 'ana', name: 'Ana', slackIds: ['U1'], keys: ['ana-key'] },
    { id: 'ben', name: 'Ben', slackIds: ['U2'], keys: [] },
    { id: 'eve', name: 'Eve', slackIds: ['U3'], keys: [] },
    { id: 'lea', name: 'Lea', slackIds: ['U4'], keys: [] },
  ],
  groups: { oncall: ['ana', 'ben'], leads: ['ben', 'lea'] },
};

export function keyPair(id: string): { readonly id: string; readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  return { id, ...generateKeyPairSync('ed25519') };
}

export const deskKey = keyPair('desk');

export const outsiderKey = keyPair('stranger');

/** Real signatures over real bytes: only the source of the keys is the test's. */
export const voteKeys: VoteKeys = {
  deskKeyIds: ['desk'],
  keyIdsOf: (person) => person.keys,
  verify: (keyId, bytes, signature) =>
    keyId === 'desk' && verify(null, bytes, deskKey.publicKey, Buffer.from(signature, 'base64')),
};

export function alertOf(over: Partial<Alert> & { readonly n?: number } = {}): Alert {
  const { n = 1, ...rest } = over;
  const { severity = 'critical' } = rest;
  return {
    id: createHash('sha256').update(JSON.stringify(over)).digest('hex').slice(0, 32),
    sensor: 'falco',
    rule: 'Drop and execute new binary in container',
    severity: 'critical',
    time: '2026-11-24T21:41:44.717016731Z',
    title: 'Critical: dropped binary',
    cluster: 'lab',
    pod: { namespace: 'shop', name: `cart-${n}`, uid: `uid-${n}` },
    workload: { kind: 'Deployment', namespace: 'shop', name: 'cart' },
    observables: [],
    tags: [],
    mitre: [],
    assessment: assessedAs(severity === 'critical' ? 'contain' : 'ask'),
    ...rest,
  };
}

export function batchOf(alerts: readonly Alert[], id = alerts.map((alert) => alert.id).join('+')): AlertBatch {
  return {
    id,
    alerts,
    counts: alerts.map((alert) => ({
      rule: alert.rule,
      severity: alert.severity,
      ...(alert.pod ? { pod: `${alert.pod.namespace}/${alert.pod.name}` } : {}),
      count: 1,
      firstSeen: alert.time,
      lastSeen: alert.time,
    })),
  };
}

export function signVote(vote: Vote, key = deskKey, keyId = key.id): SignedVote {
  return { vote, keyId, signature: sign(null, voteBytes(vote), key.privateKey).toString('base64') };
}
