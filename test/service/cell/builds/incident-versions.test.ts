import { describe, expect, test } from '@jest/globals';
import { IncidentMemory } from '../../../../activities/memory/incident-memory.ts';
import type { PromotionTerms } from '../../../../core/orders/promotion.ts';
import type { AnyPlaybook } from '../../../../core/playbook/playbook.ts';
import { containDroppedBinary } from '../../../../playbooks/contain-dropped-binary.ts';
import { eitherOf, IncidentVersions, lotOf, type RampingVersions } from '../../../../service/cell/builds/incident-versions.ts';
import type { Config } from '../../../../service/config/load.ts';
import { enabledPlaybooks } from '../../../../service/config/packs.ts';

const now = Date.parse('2026-11-27T12:00:00.000Z');
const cellKey = Buffer.alloc(32, 7);
const integrity = 'sha512-next';

function configWith(version: string, uses: AnyPlaybook['uses']): Config {
  const miner: AnyPlaybook = { ...containDroppedBinary, id: 'acme/miner', uses };
  const pack = { name: 'acme', version, playbooks: [miner], actions: [] };
  const config = {
    packs: [pack],
    playbooks: { enabled: ['acme/miner'] },
    incidents: { levels: [{ group: 'oncall' }] },
    releases: { packs: ['acme'] },
  };
  return config as unknown as Config;
}

const { quarantinePod } = containDroppedBinary.uses;
const current = { config: configWith('1.0.0', { quarantinePod }), build: { id: 'a'.repeat(16), path: '' } };
const ramping: RampingVersions = {
  config: configWith('1.1.0', {}),
  build: { id: 'b'.repeat(16), path: '' },
  pack: 'acme',
  integrity,
};

function share(percent: number, over: Partial<PromotionTerms> = {}): PromotionTerms {
  return {
    version: 1,
    id: '0123456789abcdef',
    cluster: 'lab',
    pack: 'acme',
    release: '1.1.0',
    integrity,
    stage: 'percent',
    percent,
    widens: [],
    owner: 'ana',
    reason: 'a few first',
    from: new Date(now - 1_000).toISOString(),
    until: new Date(now + 86_400_000).toISOString(),
    ...over,
  };
}

function versionsWith(terms: () => readonly PromotionTerms[], over: { readonly ramping?: RampingVersions } = { ramping }) {
  const incidents = new IncidentMemory({ now: () => now });
  const open = new Map<string, string>();
  const versions = new IncidentVersions({
    current,
    ...over,
    promotions: () => terms().map((one) => ({ terms: one, proposer: 'ana', approvers: ['ben'] })),
    incidents,
    openRun: (incident) => open.get(incident),
    cellKey,
    now: () => now,
  });
  /** As the gateway reports it once Temporal has accepted the start. */
  const began = (incident: string, run: string, build?: string) => {
    incidents.hears(incident, { id: run, alerts: [], counts: [], receivedAt: new Date(now).toISOString() } as never, []);
    incidents.delivered(incident, run, build);
    open.set(incident, run);
  };
  return { versions, began };
}

const ids = Array.from({ length: 1_000 }, (_, at) => `incident/lab/shop/Deployment/app-${at}`);
const withNext = (versions: IncidentVersions) => ids.filter((id) => versions.of(id).build.id === ramping.build.id);

describe('the version an incident starts with', () => {
  test('is the next one for about the approved share of incidents; an incident that gets it at 10 % still does at 50 %', () => {
    let percent = 10;
    const { versions } = versionsWith(() => [share(percent)]);
    versions.rampRuns();
    const few = withNext(versions);
    expect(few).toEqual(ids.filter((id) => lotOf(id, { integrity, cellKey }) < 10));
    percent = 50;
    const half = withNext(versions);
    expect(half).toEqual(expect.arrayContaining(few));
    expect([few.length, half.length].map((count) => Math.round(count / 100))).toEqual([1, 5]);
  });

  test('is the current one for all incidents while the worker of the next one is not running, or without a valid order', () => {
    const decided = versionsWith(() => [share(99)]).versions;
    expect(withNext(decided)).toEqual([]);
    decided.rampRuns();
    expect(withNext(decided)).not.toEqual([]);
    for (const terms of [[], [share(99, { integrity: 'sha512-other' })], [share(99, { until: new Date(now).toISOString() })]]) {
      const { versions } = versionsWith(() => terms);
      versions.rampRuns();
      expect(withNext(versions)).toEqual([]);
    }
  });

  test('does not change while the incident is open, whatever is decided meanwhile', () => {
    let percent = 99;
    const { versions, began } = versionsWith(() => [share(percent)]);
    versions.rampRuns();
    const [inside = ''] = withNext(versions);
    began(inside, 'run-1', ramping.build.id);
    const outside = ids.find((id) => id !== inside) ?? '';
    began(outside, 'run-1', current.build.id);
    percent = 1;
    expect(versions.of(inside).build).toBe(ramping.build);
    percent = 99;
    expect(versions.of(outside).build).toBe(current.build);
  });
});

describe('what an incident may do', () => {
  const usesOf = (versions: IncidentVersions, incident: string, run: string) =>
    versions.asking({ id: incident, run }).playbooks.flatMap(({ id, uses }) => (id === 'acme/miner' ? [Object.keys(uses)] : []));

  test('is defined by the version this cell started it with, whatever build Temporal runs it on', () => {
    const { versions, began } = versionsWith(() => [share(50)]);
    const [one = '', two = ''] = ids;
    began(one, 'run-1', current.build.id);
    began(two, 'run-1', ramping.build.id);
    expect(usesOf(versions, one, 'run-1')).toEqual([['quarantinePod']]);
    expect(usesOf(versions, two, 'run-1')).toEqual([[]]);
  });

  test('is limited to what both versions allow if this cell does not know which one started it', () => {
    const { versions, began } = versionsWith(() => [share(50)]);
    const [one = ''] = ids;
    expect(usesOf(versions, one, 'run-1')).toEqual([[]]);
    began(one, 'run-1', current.build.id);
    expect(usesOf(versions, one, 'run-2')).toEqual([[]]);
  });

  test('is defined by the current version if no other version is running', () => {
    const { versions } = versionsWith(() => [], {});
    expect(usesOf(versions, ids[0] ?? '', 'run-1')).toEqual([['quarantinePod']]);
  });
});

test('the combined config covers the actions that either version uses', () => {
  const { openTicket } = containDroppedBinary.uses;
  const next = { ...ramping, config: configWith('1.1.0', { openTicket }) };
  const usesOf = (config: Config) =>
    enabledPlaybooks(config).flatMap(({ id, uses }) => (id === 'acme/miner' ? Object.keys(uses) : []));
  expect(usesOf(eitherOf(current.config, next))).toEqual(['quarantinePod', 'openTicket']);
  expect(eitherOf(current.config, undefined)).toBe(current.config);
});
