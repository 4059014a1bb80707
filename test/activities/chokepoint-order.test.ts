import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { type Chokepoint, order } from '../../activities/chokepoint/chokepoint.ts';
import { FirebreakError } from '../../core/errors.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import {
  approvalOf,
  callOf,
  chokepoint,
  context,
  deadlineAhead,
  planOf,
  pod,
  refusal,
  rules,
  setUp,
  world,
} from './chokepoint-fixture.ts';

const stagesOf = (operation: keyof Chokepoint) => order.flatMap(({ name, on }) => (on.includes(operation) ? [name] : []));

describe('the order of the chokepoint', () => {
  beforeEach(() => setUp());

  test('is what a reader finds in its table', () => {
    expect(stagesOf('plan')).toEqual(['input', 'plan', 'guardrails']);
    expect(stagesOf('apply')).toEqual(['input', 'plan', 'approval', 'guardrails', 'evidence', 'before-state', 'apply', 'record']);
    expect(stagesOf('verify')).toEqual(['input', 'verify']);
    expect(stagesOf('undo')).toEqual(['input', 'release', 'undo']);
    for (const { file } of order) expect([file, existsSync(join(projectRoot(), file))]).toEqual([file, true]);
  });

  test('is run: of a step with which everything is wrong each mended fault shows the next', async () => {
    const plan = planOf('remove', 'destructive', { pod });
    const good = approvalOf([plan]);
    const ownIs = (ownNamespace: string) => setUp({ rules: { ...rules, ownNamespace } });
    const lost = async () => {
      throw new FirebreakError('FB_ERR_UNAVAILABLE', 'the spool is gone');
    };
    const apply = (over: Parameters<typeof callOf>[1], durable: Promise<unknown> = lost()) => {
      durable.catch(() => undefined);
      return refusal(chokepoint.apply(callOf('remove', { evidenceDeadline: deadlineAhead, ...over }), { ...context, durable }));
    };
    const forged = { ...good, votes: [] };

    ownIs('shop');
    world.gone = true;
    expect(await apply({ input: {}, approval: forged })).toBe('FB_ERR_REFUSED');
    expect(world.done).toEqual([]);
    expect(await apply({ approval: forged })).toBe('FB_ERR_TARGET_REPLACED');
    world.gone = false;
    expect(await apply({ approval: forged })).toBe('FB_ERR_APPROVAL_INVALID');
    expect(await apply({ approval: good })).toBe('FB_ERR_PROTECTED');
    ownIs('firebreak');
    expect(await apply({ approval: good })).toBe('FB_ERR_EVIDENCE_PENDING');
    const late = { approval: good, evidenceDeadline: '2026-01-01T00:00:00Z' };
    expect(await apply(late)).toBe('FB_ERR_REFUSED');
    expect(world.done).not.toContain('apply remove');
    expect(await apply(late, Promise.resolve())).toBeUndefined();
    expect(world.done.at(-1)).toBe('apply remove');
  });
});
