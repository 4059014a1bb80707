/** What people read besides the cards: threads, answers that one person sees, pages and tickets. All of it must follow docs/writing.md. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { actions } from '../../../core/actions/index.ts';
import { leaseNews, standingQuestionText } from '../../../core/cards/card-words.ts';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import { silenceOnLease } from '../../../core/incident/lease.ts';
import { utcWords, wholeText } from '../../../core/text/plain-text.ts';
import { pageInWords } from '../../../core/tickets/paging.ts';
import { newsText } from '../../../integrations/slack/views/text.ts';
import { incidentText } from '../../../service/desk/slash/slash-look.ts';
import { codeNames, grade, refusedIn, seen } from '../../reading.ts';

const pod = 'pod/shop/cart-7d9c5b6f4-x2x8k';

/** Every reversible action on a separate object, in each way in which people are told about its lease. */
const ofLeases = actions
  .filter(({ effect, words }) => effect === 'reversible' && words?.held !== undefined)
  .flatMap(({ name, reach }) => {
    const target = reach === 'node' ? 'node/worker-7' : reach === 'pod' ? pod : 'deployment/shop/cart';
    const lease = { action: name, target: { name: target } };
    return [
      standingQuestionText(lease),
      leaseNews.renewed(lease),
      leaseNews.escalated(lease),
      leaseNews.released(lease, 'the labels are as they were before'),
      leaseNews.gone(lease),
      leaseNews.permanent(lease, 'made permanent by Ada'),
      leaseNews.refused(lease, `${pod} was changed by others`),
      leaseNews.drifted(lease, `${pod}: its label was taken off`),
    ];
  });

/** As the engine writes them. */
const ofSteps = [
  `quarantinePod on ${pod}: unverified (no probe was made)`,
  `rotateSecret on ${pod}: the API server did not answer`,
  `Quarantine the pod: ${pod}`,
  `Left open: secret/shop/mail: it is managed by Helm`,
  `${pod} was changed at 2026-03-01T14:05:00.120Z by kubectl, and was put back`,
  'networkpolicy/shop/allow-all lets pods through since 2026-03-01 14:05 UTC',
];

/** What the shipped playbooks wrote in their threads, in their golden histories. */
const ofPlaybooks = [...toldIn(readFileSync(join(import.meta.dirname, '../../fixtures/histories/playbooks.ndjson.gz')))];

function toldIn(histories: Buffer): ReadonlySet<string> {
  const lines = new Set<string>();
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if ('json' in value && typeof value.json === 'string' && value.json.includes('"to":"activity:postInThread"'))
      for (const [, text = '""'] of value.json.matchAll(/"text":("(?:[^"\\]|\\.)*")/g)) lines.add(JSON.parse(text));
    for (const one of Object.values(value)) visit(one);
  };
  for (const line of gunzipSync(histories).toString().split('\n')) visit(JSON.parse(line));
  return lines;
}

const lines = [...ofLeases, ...ofSteps, ...ofPlaybooks];

/** The code identifiers in it, without what ran. */
function codeIn(text: string): readonly string[] {
  const bare = seen(text.replaceAll(/`[^`]*`/g, ''));
  return codeNames.flatMap((pattern) => pattern.exec(bare)?.[0] ?? []);
}

describe('what people read outside the cards', () => {
  test('covers all leases and what the playbooks report', () => {
    expect(ofLeases.length).toBeGreaterThan(50);
    expect(ofPlaybooks.length).toBeGreaterThan(0);
  });

  test('has no code identifiers in a thread, and times in the reader’s zone', () => {
    expect(lines.flatMap((line) => codeIn(newsText(line, 2_900)))).toEqual([]);
    expect(newsText(ofSteps[4] ?? '', 2_900)).toBe(
      'cart-…x2x8k was changed at <!date^1772373900^{date_short_pretty} {time}|2026-03-01 14:05 UTC> by kubectl, and was put back',
    );
  });

  test('has none on a page or in a ticket either, where names are in full', () => {
    const pages = lines.map((summary) => pageInWords({ summary, details: { contained: pod } }));
    expect([...pages.map(({ summary }) => summary), ...lines.map(wholeText)].flatMap(codeIn)).toEqual([]);
    expect(pages[0]?.details).toEqual({ contained: 'Pod cart-7d9c5b6f4-x2x8k in shop' });
    expect(wholeText(ofSteps[5] ?? '')).toBe('NetworkPolicy allow-all in shop lets pods through since 1 Mar, 14:05 UTC');
    expect(utcWords('no time')).toBe('no time');
  });

  test('is short and plain', () => {
    const hard = [...ofLeases, silenceOnLease({ onExpiry: 'renew' }), silenceOnLease({ onExpiry: 'release' })]
      .map((line) => ({ line, grade: grade(seen(newsText(line, 2_900))) }))
      .filter((one) => one.grade > 8);
    expect(hard).toEqual([]);
    expect(lines.flatMap((line) => refusedIn(newsText(line, 2_900)))).toEqual([]);
  });

  test('keeps an attacker’s line harmless, whatever surrounds a time in it', () => {
    expect(newsText('<!channel> *x* 2026-03-01T14:05:00Z <https://evil|here>', 2_900)).not.toMatch(/<!channel>|<https|\*x\*/);
    expect(newsText('x'.repeat(400), 100).length).toBeLessThanOrEqual(100);
    expect(newsText(`${'x'.repeat(90)} 2026-03-01T14:05:00Z`, 100)).toMatch(/^x+ …$/);
    expect(newsText('', 100)).toBe('–');
  });

  test('has none in the answer that one person sees', () => {
    const at = '2026-03-01T14:05:00Z';
    const state = {
      incident: { id: 'incident/lab/shop/Deployment/cart', run: 'run-1' },
      title: 'deployment/shop/cart',
      severity: 'critical',
      open: true,
      openedAt: at,
      reached: 'contained',
      verdict: 'true_positive',
      total: 3,
      steps: [{ action: 'quarantinePod', target: pod, state: 'unverified' }],
      leases: [
        { action: 'quarantinePod', target: { name: pod }, state: 'active', until: Date.parse(at) },
        { action: 'cordonNode', target: { name: 'node/worker-7' }, state: 'permanent', until: 0 },
      ],
      questions: [],
      evidence: [],
      timeline: lines.map((text) => ({ at, kind: 'step.checked', actor: 'engine', text })),
    } as unknown as IncidentState;
    const text = incidentText(state, { people: [], groups: {} });
    expect(codeIn(text)).toEqual([]);
    expect(text).toContain('cart-7d9c5b6f4-x2x8k quarantined, until <!date^');
    expect(text).toContain('quarantine pod on cart-…x2x8k: not proven yet');
  });
});
