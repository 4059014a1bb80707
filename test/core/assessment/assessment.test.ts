import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Alert } from '../../../core/alert/alert.ts';
import type { SeverityOverrides } from '../../../core/alert/sensor.ts';
import { severities } from '../../../core/alert/severity.ts';
import { guessWorkload } from '../../../core/alert/subject.ts';
import { assess } from '../../../core/assessment/assessment.ts';
import {
  type Assessment,
  modes,
  type Profile,
  profiles,
  type Response,
  responses,
  wouldHaveText,
} from '../../../core/assessment/response.ts';
import { ownConfidences, ruleConfidence } from '../../../core/assessment/rule-confidence.ts';
import { ruleTables } from '../../../core/assessment/rules/tables.ts';
import { type Baseline, type PodFacts, PodStories } from '../../../core/assessment/stories.ts';
import { ruleSets } from '../../../core/rules/known-rules.ts';

const minute = 60_000;
const shell = { rule: 'Terminal shell in container', severity: 'low', program: 'bash' } as const;
const apk = { rule: 'Launch Package Management Process in Container', severity: 'high', program: 'apk' } as const;
const dropped = { rule: 'Drop and execute new binary in container', severity: 'critical', program: 'curl' } as const;
const reverse = {
  rule: 'Redirect STDOUT/STDIN to Network Connection in Container',
  severity: 'low',
  program: 'nc',
} as const;
const escapes = { rule: 'Detect release_agent File Container Escapes', severity: 'critical', program: 'sh' } as const;
const calls = { rule: 'Contact K8S API Server From Container', severity: 'low', program: 'java' } as const;

interface Told {
  readonly rule: string;
  readonly severity: Alert['severity'];
  readonly program: string;
}

function alert({ rule, severity, program }: Told, pod = 'web-7c9f9f7ff7-aaaaa', image = 'registry.example/web:1'): Alert {
  const ref = { namespace: 'shop', name: pod, uid: pod };
  const time = '2026-11-27T10:00:00Z';
  return {
    ...{ id: rule, sensor: 'falco', rule, severity, time, title: rule, cluster: 'c', pod: ref },
    workload: { ...guessWorkload(ref) },
    container: { image },
    process: { name: program, commandLine: `${program} -x` },
    ...{ observables: [], tags: [], mitre: [] },
  };
}

function judge(
  stories: PodStories,
  told: Alert,
  nowMs: number,
  { profile = 'balanced', facts = {} }: { profile?: Profile; facts?: PodFacts } = {},
): Assessment {
  return assess(stories.hear(told, { nowMs, facts }), { mode: 'contain', profile, onSilence: 'nothing', scope: 'all' });
}

/** The response to the last of several acts in a new pod, some seconds apart. */
function lastOf(acts: readonly Told[], profile: Profile = 'balanced', facts: PodFacts = {}): Response | undefined {
  const stories = new PodStories();
  return acts.map((act, nth) => judge(stories, alert(act), nth * 5_000, { profile, facts }).response).at(-1);
}

const learned = (acts: readonly Told[]): Baseline => {
  const stories = new PodStories();
  for (const [nth, act] of acts.entries()) stories.hear(alert(act), { nowMs: nth * 5_000 });
  return stories.baseline({ alerts: acts.length });
};

describe('what each profile does', () => {
  it.each<[string, readonly Told[], Record<Profile, Response>]>([
    ['a sure rule', [escapes], { cautious: 'contain', balanced: 'contain', strict: 'contain' }],
    ['a likely critical rule', [dropped], { cautious: 'ask', balanced: 'contain', strict: 'contain' }],
    ['a likely high rule', [apk], { cautious: 'ask', balanced: 'ask', strict: 'contain' }],
    ['a likely low rule', [reverse], { cautious: 'file', balanced: 'file', strict: 'file' }],
    ['a weak rule', [calls], { cautious: 'watch', balanced: 'watch', strict: 'watch' }],
    ['two likely acts', [shell, reverse], { cautious: 'ask', balanced: 'contain', strict: 'contain' }],
    ['a weak and a likely act', [calls, reverse], { cautious: 'file', balanced: 'file', strict: 'file' }],
    ['two acts, the second critical', [shell, dropped], { cautious: 'contain', balanced: 'contain', strict: 'contain' }],
  ])('%s', (_, acts, expected) => {
    expect(Object.fromEntries(profiles.map((profile) => [profile, lastOf(acts, profile)]))).toEqual(expected);
  });

  it('wakes people for a question that strict would not have asked', () => {
    const stories = new PodStories();
    expect(judge(stories, alert(apk), 0)).toMatchObject({ response: 'ask', pages: true });
  });

  it('does nothing in mode observe, and asks in mode ask, and says what it would have done', () => {
    const story = new PodStories().hear(alert(escapes), { nowMs: 0 });
    const policy = { profile: 'balanced', onSilence: 'nothing', scope: 'all' } as const;
    const [observed, asked, contained] = modes.map((mode) => assess(story, { ...policy, mode }));
    expect(observed).toMatchObject({ response: 'file', would: 'contain', pages: false, wouldPage: false });
    expect(asked).toMatchObject({ response: 'ask', would: 'contain', pages: true, wouldPage: false });
    expect(observed && wouldHaveText(observed)).toBe('Would have contained the pod: mode observe only records it (all)');
    expect(asked && wouldHaveText(asked)).toBe('Would have contained the pod: mode ask asks people first (all)');
    expect(contained && wouldHaveText(contained)).toBeUndefined();
    // The reasons are the same in each mode.
    expect(new Set([observed, asked, contained].map((one) => one?.reasons.join())).size).toBe(1);
  });

  it('says whether a question that mode observe does not ask would have woken somebody', () => {
    const policy = { profile: 'balanced', onSilence: 'nothing', scope: 'all', mode: 'observe' } as const;
    const assessment = assess(new PodStories().hear(alert(apk), { nowMs: 0 }), policy);
    expect(assessment).toMatchObject({ response: 'file', would: 'ask', pages: false, wouldPage: true });
    expect(wouldHaveText(assessment)).toBe('Would have asked people and paged: mode observe only records it (all)');
  });

  it('counts one process that two rules report as one act', () => {
    const stories = new PodStories();
    const one = { ...reverse, program: 'sh' };
    judge(stories, alert(one), 0);
    expect(stories.hear(alert({ ...one, rule: 'Run shell untrusted' }), { nowMs: 500 }).acts).toHaveLength(1);
    expect(stories.hear(alert({ ...one, rule: 'Clear Log Activities' }), { nowMs: 2_000 }).acts).toHaveLength(2);
  });

  it('knows an act from another pod only after ten minutes, and says with what it compared', () => {
    const stories = new PodStories();
    judge(stories, alert(dropped, 'web-7c9f9f7ff7-aaaaa'), 0);
    expect(judge(stories, alert(dropped, 'web-7c9f9f7ff7-bbbbb'), 9 * minute).response).toBe('contain');
    const later = judge(stories, alert(dropped, 'web-7c9f9f7ff7-ccccc'), 10 * minute);
    expect(later.response).toBe('file');
    expect(later.reasons.join('; ')).toContain('seen before on another pod, compared with shop/web');
  });

  it('lets neither answers nor a baseline keep people from deciding about a sure rule', () => {
    expect(lastOf([escapes], 'balanced', { answeredHarmless: 2 })).toBe('contain');
    expect(lastOf([escapes], 'balanced', { answeredHarmless: 3 })).toBe('ask');
    expect(judge(new PodStories({ baseline: learned([escapes]) }), alert(escapes), 0).response).toBe('ask');
    expect(judge(new PodStories({ baseline: learned([dropped]) }), alert(dropped), 0).response).toBe('file');
  });
});

describe('who could lower it', () => {
  it('slow training: one attacked pod that does each act alone, and then all, does not help another', () => {
    const stories = new PodStories();
    const trainer = 'web-7c9f9f7ff7-aaaaa';
    for (const [nth, act] of [shell, apk, reverse, shell, reverse].entries())
      judge(stories, alert(act, trainer), nth * 20 * minute);
    for (const [nth, act] of [shell, reverse].entries()) judge(stories, alert(act, trainer), 200 * minute + nth * 5_000);
    const [victim, now] = ['web-7c9f9f7ff7-bbbbb', 600 * minute];
    judge(stories, alert(shell, victim), now);
    expect(judge(stories, alert(reverse, victim), now + 5_000).response).toBe('contain');
  });

  it('slow training by many pods never lowers a sure rule, and leaves a second act a question that wakes somebody', () => {
    const stories = new PodStories();
    for (const [nth, letter] of ['b', 'c', 'd', 'f', 'g'].entries())
      for (const [place, act] of [shell, reverse, escapes].entries())
        judge(stories, alert(act, `web-7c9f9f7ff7-${letter.repeat(5)}`), nth * 60 * minute + place * 5_000);
    const [victim, now] = ['web-7c9f9f7ff7-zzzzz', 600 * minute];
    judge(stories, alert(shell, victim), now);
    expect(judge(stories, alert(reverse, victim), now + 5_000)).toMatchObject({ response: 'ask', pages: true });
    expect(judge(stories, alert(escapes, victim), now + 10_000).response).toBe('contain');
  });

  it('combinations learned in one namespace say nothing about the same image in another', () => {
    const stories = new PodStories();
    for (const [nth, letter] of ['b', 'c', 'd'].entries())
      for (const [place, act] of [shell, reverse].entries()) {
        const own = alert(act, `web-7c9f9f7ff7-${letter.repeat(5)}`);
        const pod = { ...own.pod, namespace: 'tenant', name: own.pod?.name ?? '' };
        stories.hear({ ...own, pod, workload: guessWorkload(pod) }, { nowMs: nth * 60 * minute + place * 5_000 });
      }
    judge(stories, alert(shell), 600 * minute);
    expect(judge(stories, alert(reverse), 600 * minute + 5_000).response).toBe('contain');
  });

  it('a CronJob’s pod that is really attacked: its usual act is familiar, anything more is not', () => {
    const stories = new PodStories();
    const run = (nth: number): string => `reaper-2940000${nth}-bbbbb`;
    for (let nth = 0; nth < 6; nth += 1) judge(stories, alert(dropped, run(nth)), nth * 10 * minute);
    expect(judge(stories, alert(dropped, run(6)), 60 * minute).response).toBe('file');
    expect(judge(stories, alert(reverse, run(6)), 60 * minute + 5_000).response).toBe('contain');
    expect(judge(stories, alert({ ...dropped, program: 'xmrig' }, run(7)), 70 * minute).response).toBe('contain');
  });

  it('a decoy flood on many pods leaves the attacked pod’s acts in memory', () => {
    const stories = new PodStories();
    judge(stories, alert(shell), 0);
    for (let nth = 0; nth < 5_000; nth += 1) judge(stories, { ...alert(calls, `decoy-${nth}`), tags: ['decoy'] }, nth);
    expect(judge(stories, alert(reverse), 10_000).response).toBe('contain');
  });

  it('a rule that watches a decoy is sure: by the configuration or by its tag, and whatever was seen before', () => {
    const bait = { rule: 'False key read', severity: 'low', program: 'cat' } as const;
    const why = 'the key opens nothing';
    const rules = { [bait.rule]: { confidence: 'weak', why, decoy: true } } as const;
    const own = ownConfidences({ falco: { severities: {}, rules } });
    const touched = alert(bait);
    expect(judge(new PodStories(), touched, 0).response).toBe('watch');
    for (const [stories, one] of [
      [new PodStories({ own }), touched],
      [new PodStories(), { ...touched, tags: ['Decoy'] }],
    ] as const) {
      const { response, reasons } = judge(stories, one, 0);
      expect(response).toBe('contain');
      expect(reasons).toContain('a decoy was touched: nothing has a reason to');
    }
    expect(ruleConfidence(touched, own)).toMatchObject({ confidence: 'sure', isDecoy: true, why });
    const learned = new PodStories({ own });
    judge(learned, alert(bait, 'web-7c9f9f7ff7-bbbbb'), 0);
    const baseline = learned.baseline({ alerts: 1 });
    expect(judge(new PodStories({ own, baseline }), touched, 0).response).toBe('contain');
  });

  it('a pack does not make decoys of rules: only the configuration does', () => {
    const own = [{ rule: shell.rule, confidence: 'sure', playbook: 'p', decoy: true }] as const;
    expect(ruleConfidence(alert(shell), own)).toMatchObject({ confidence: 'likely' });
  });

  it('a rollout started by the attacker lowers neither a sure rule nor a second act', () => {
    expect(lastOf([escapes], 'balanced', { rolloutUnderWay: true })).toBe('contain');
    expect(lastOf([shell, reverse], 'balanced', { rolloutUnderWay: true })).toBe('contain');
    expect(lastOf([dropped], 'balanced', { rolloutUnderWay: true })).toBe('ask');
  });

  it('an exec by a stolen account defers only what people do in a pod; an account of a program defers nothing', () => {
    const person: PodFacts = { execBy: { account: 'ada@example.com', person: 'ada' } };
    expect(lastOf([shell, apk, dropped], 'balanced', person)).toBe('ask');
    expect(lastOf([shell, reverse], 'balanced', person)).toBe('contain');
    expect(lastOf([shell, escapes], 'balanced', person)).toBe('contain');
    const robot: PodFacts = { execBy: { account: 'system:serviceaccount:ci:deployer' } };
    expect(lastOf([shell, apk, dropped], 'balanced', robot)).toBe('contain');
  });

  it('an alert in doubt neither cuts off a pod nor teaches', () => {
    const stories = new PodStories();
    const doubted = { ...alert(dropped, 'web-7c9f9f7ff7-bbbbb'), doubt: 'another node' };
    expect(judge(stories, doubted, 0).response).not.toBe('contain');
    expect(judge(stories, alert(dropped), 20 * minute).response).toBe('contain');
  });

  it('a flood of a sensor that is not believed pushes out no act of the attacked pod, and makes no second act', () => {
    const stories = new PodStories();
    judge(stories, alert(shell), 0);
    for (let nth = 0; nth < 25_000; nth += 1)
      stories.hear({ ...alert(calls, `made-up-${nth}`), doubt: 'another node' }, { nowMs: nth });
    expect(judge(stories, alert(reverse), 60_000).response).toBe('contain');
    const other = 'web-7c9f9f7ff7-bbbbb';
    stories.hear({ ...alert(apk, other), doubt: 'another node' }, { nowMs: 60_000 });
    expect(judge(stories, alert(shell, other), 61_000).response).not.toBe('contain');
  });

  it('what people have answered about one act lowers no other act on the pod', () => {
    const stories = new PodStories();
    judge(stories, alert(apk), 0, { facts: { answeredHarmless: 3 } });
    expect(judge(stories, alert(reverse), 5_000).response).toBe('contain');
    expect(judge(stories, alert(escapes), 10_000).response).toBe('contain');
  });

  it('what people have called an attack teaches nothing', () => {
    const stories = new PodStories();
    const bad = alert(dropped, 'web-7c9f9f7ff7-bbbbb');
    judge(stories, bad, 0);
    stories.unlearn(bad.pod ?? { namespace: '', name: '' }, 'c');
    expect(judge(stories, alert(dropped), 20 * minute).response).toBe('contain');
  });
});

const anyStory = fc.record({
  acts: fc.array(fc.constantFrom<Told>(shell, apk, dropped, reverse, escapes, calls), { minLength: 1, maxLength: 6 }),
  severity: fc.constantFrom(...severities),
  facts: fc.record(
    {
      replicas: fc.nat(3),
      privileged: fc.boolean(),
      hostAccess: fc.boolean(),
      signatureRefused: fc.boolean(),
      rolloutUnderWay: fc.boolean(),
      answeredHarmless: fc.nat(4),
      contained: fc.boolean(),
    },
    { requiredKeys: [] },
  ),
});

const rank = (response: Response): number => responses.indexOf(response);

describe('always', () => {
  it('a stricter profile never does less', () => {
    fc.assert(
      fc.property(anyStory, ({ acts, facts }) => {
        const [cautious = 'watch', balanced = 'watch', strict = 'watch'] = profiles.map((profile) =>
          lastOf(acts, profile, facts),
        );
        return rank(strict) <= rank(balanced) && rank(balanced) <= rank(cautious);
      }),
    );
  });

  it('a worse severity never does less, and what is known for worse never weakens', () => {
    fc.assert(
      fc.property(anyStory, fc.constantFrom(...profiles), ({ acts, facts, severity }, profile) => {
        const story = acts
          .map((act) => alert(act))
          .reduce<ReturnType<PodStories['hear']> | undefined>(
            (
              (stories) => (_, one) =>
                stories.hear(one, { nowMs: 0, facts })
            )(new PodStories()),
            undefined,
          );
        if (!story) return false;
        const policy = { mode: 'contain', profile, onSilence: 'nothing', scope: 'all' } as const;
        const plain = assess({ ...story, alert: { ...story.alert, severity } }, policy).response;
        const worse = assess({ ...story, alert: { ...story.alert, severity: 'critical' } }, policy).response;
        const exposed = assess(
          { ...story, alert: { ...story.alert, severity }, privileged: true, signatureRefused: true, isDecoy: true },
          policy,
        ).response;
        return rank(worse) <= rank(plain) && rank(exposed) <= rank(plain);
      }),
    );
  });

  it('a story kept over a restart gives the same answer', () => {
    fc.assert(
      fc.property(anyStory, ({ acts, facts }) => {
        const [before, after] = [new PodStories(), new PodStories()];
        for (const act of acts) before.hear(alert(act), { nowMs: 0, facts });
        after.restore(JSON.parse(JSON.stringify(before.state())) as ReturnType<PodStories['state']>);
        expect(judge(after, alert(reverse), minute, { facts })).toEqual(judge(before, alert(reverse), minute, { facts }));
      }),
    );
  });
});

describe('rules', () => {
  it('has a judgement, with its reason and its source, of each of Falco’s rules for system calls', () => {
    const rules = ruleSets.find(({ id }) => id === 'falco')?.rules ?? [];
    expect(rules.length).toBeGreaterThan(80);
    expect(rules.map(({ name }) => name).filter((name) => ruleTables.falco?.[name] === undefined)).toEqual([]);
  });

  it('believes the configuration first, and judges an unknown rule by its severity', () => {
    const own = [{ rule: 'Our rule', confidence: 'sure', why: 'we wrote it' } as const];
    expect(ruleConfidence({ sensor: 'falco', rule: 'Our rule', severity: 'low' }, own)).toMatchObject({ confidence: 'sure' });
    expect(ruleConfidence({ sensor: 'falco', rule: 'constructor', severity: 'high' })).toMatchObject({ confidence: 'likely' });
  });

  describe('that playbooks name', () => {
    const saying = (id: string, confidence: 'sure' | 'weak', rule = 'Our rule') => ({
      id,
      rules: { [rule]: { confidence, why: `${id} says so` } },
    });
    const alert = { sensor: 'falco', rule: 'Our rule', severity: 'medium' } as const;
    const judged = (sensors: SeverityOverrides, playbooks: readonly ReturnType<typeof saying>[], rule: string = alert.rule) =>
      ruleConfidence({ ...alert, rule }, ownConfidences(sensors, playbooks));

    it('believes a playbook about a rule that no table has, up and down, with its reason', () => {
      expect(judged({}, [saying('acme/c2', 'sure')])).toEqual({
        confidence: 'sure',
        why: 'acme/c2 says so',
        source: 'playbook acme/c2',
      });
      expect(judged({}, [saying('acme/c2', 'weak')])).toMatchObject({ confidence: 'weak' });
    });

    it('believes the configuration more', () => {
      const rules = { 'Our rule': { confidence: 'likely', why: 'we know' } } as const;
      expect(judged({ falco: { severities: {}, rules } }, [saying('acme/c2', 'weak')])).toMatchObject({
        confidence: 'likely',
        why: 'we know',
      });
    });

    it('lets no playbook make less of a rule that a table has, or of what another playbook is sure of', () => {
      const known = 'Drop and execute new binary in container';
      expect(judged({}, [saying('acme/c2', 'weak', known)], known)).toEqual(judged({}, [], known));
      expect(judged({}, [saying('acme/a', 'weak'), saying('acme/b', 'sure')])).toMatchObject({ confidence: 'sure' });
    });
  });
});
