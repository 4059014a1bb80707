import { expect, test } from '@jest/globals';
import { createDeskMetrics } from '../../../service/desk/desk-metrics.ts';

const chain = 'incident/prod/shop/Deployment/cart';
const at = (seconds: number): string => new Date(Date.parse('2026-11-27T10:00:00Z') + seconds * 1_000).toISOString();
const asked = (id: string) => ({ kind: 'question.asked', chain, at: at(0), body: { question: { id } } });
const ended = (kind: string, question: string, seconds: number) => ({ kind, chain, at: at(seconds), body: { question } });

test('questions are counted when they end, with the time that people took; those that did not start here are left out', async () => {
  const metrics = createDeskMetrics({
    store: { async *eachOfKinds() {} },
    trust: { senderOf: () => undefined },
    roster: { people: [], groups: {} },
  });
  metrics.recorded([asked('1'), asked('2'), asked('3')]);
  metrics.recorded([
    ended('question.decided', '1', 45),
    ended('question.expired', '2', 3_600),
    ended('question.void', '3', 1),
    ended('question.decided', 'of-before', 5),
    // Written a second time.
    ended('question.decided', '1', 45),
  ]);
  const text = await metrics.text();
  for (const outcome of ['decided', 'expired', 'void'])
    expect(text).toContain(`firebreak_questions_ended_total{outcome="${outcome}"} 1`);
  expect(text).toContain('firebreak_decide_seconds_bucket{le="10"} 0');
  expect(text).toContain('firebreak_decide_seconds_bucket{le="60"} 1');
  expect(text).toContain('firebreak_decide_seconds_count 1');
});
