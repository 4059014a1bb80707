import { describe, expect, test } from '@jest/globals';
import { ApplicationFailure } from '@temporalio/common';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import type { RunningIncident } from '../harness.ts';
import { alertOf, batchOf } from '../people.ts';
import { planOf, refuse } from '../scripted.ts';
import { useLab } from '../use-lab.ts';
import { recordsIn } from '../voting.ts';

const { lab, script } = useLab();

const shell = { rule: 'Terminal shell in container', severity: 'low' } as const;
const undone = (incident: RunningIncident) => lab.seen.undone.filter((call) => call.incident.id === incident.id);
const applied = (incident: RunningIncident, action: string) =>
  lab.seen.applied.filter((call) => call.incident.id === incident.id && call.action === action);

async function contained(incident: RunningIncident): Promise<void> {
  await incident.until((state) => state.leases.some((lease) => lease.state === 'active'), 'containment');
}

/** The two playbooks would rotate different Secrets: so they ask two questions, which are answered one by one. */
function askSeparately(): void {
  script['plan:rotateSecret'] = (call) =>
    call.playbook.endsWith('ask-about-shell') ? { ...planOf(call), target: { name: 'secret/shop/other' } } : undefined;
}

/** Low severity, so that one person is enough; nothing is asked on a card. */
async function containedShell(): Promise<RunningIncident> {
  const incident = await lab.start([alertOf(shell)]);
  await incident.vote('quarantine', 'ana');
  await contained(incident);
  return incident;
}

function asksOnCards({ questions }: IncidentState): { readonly question: string; readonly questionDigest: string } | undefined {
  const asked = questions.find(({ question, status }) => status.state === 'open' && !question.id.startsWith('lease:'));
  return asked && { question: asked.question.id, questionDigest: asked.digest };
}

/** What the playbooks ask about the pod once it is contained. */
function openOnPod({ questions }: IncidentState) {
  return questions.filter(
    ({ question, status }) => status.state === 'open' && question.choices.some(({ id }) => id === 'remove'),
  );
}

function votesOnLease({ questions }: IncidentState) {
  return questions.filter(({ question }) => question.id.startsWith('lease:')).flatMap(({ votes }) => votes);
}

function refusalsIn({ timeline }: IncidentState): readonly string[] {
  return timeline.filter(({ kind }) => kind === 'vote.refused').map(({ text }) => text);
}

describe('silence', () => {
  test('escalates on the card and in the thread, and in the end leaves a dropped binary contained', async () => {
    const incident = await lab.start([alertOf()]);
    await incident.question();
    await lab.env.sleep('16m');
    const cards = () => lab.seen.cards.filter((card) => card.incident.id === incident.id);
    await incident.until(() => cards().at(-1)?.level.group === 'leads', 'the card of the second level');
    expect(cards()[0]?.level).toMatchObject({ group: 'oncall', number: 1, next: 'leads' });
    expect(cards().at(-1)?.level).toMatchObject({ group: 'leads', number: 2 });
    await lab.eventually('the thread', () =>
      lab.seen.threads.some((text) => text.startsWith('No answer yet: leads is asked now.')),
    );
    await lab.env.sleep('61m');
    await incident.until(() => cards().at(-1)?.status.state === 'expired', 'the card without buttons');
    const state = await incident.state();
    expect(state.leases).toMatchObject([{ state: 'active' }]);
    expect(applied(incident, 'deletePod')).toEqual([]);
    expect(undone(incident)).toEqual([]);
  });

  test('about a shell files a ticket and does nothing to the pod', async () => {
    const incident = await lab.start([alertOf(shell)]);
    await incident.question();
    const end = await incident.result();
    expect(end.questions).toMatchObject([{ status: { state: 'expired' }, level: 1 }]);
    expect(applied(incident, 'openTicket')).toHaveLength(1);
    expect(applied(incident, 'quarantinePod')).toEqual([]);
    expect(end.leases).toEqual([]);
  });

  test('on critical renews for days, pages each time, more insistently after 72 hours, and never frees', async () => {
    const before = lab.seen.threads.length;
    const incident = await lab.start([alertOf()]);
    await contained(incident);
    await lab.env.sleep('81h');
    const state = await incident.until((now) => (now.leases[0]?.renewals ?? 0) >= 20, 'twenty renewals');
    expect(state.leases).toMatchObject([{ state: 'active' }]);
    expect(undone(incident)).toEqual([]);
    const threads = lab.seen.threads.slice(before);
    expect(threads.filter((text) => text.includes('never lifted because nobody answered')).length).toBeGreaterThanOrEqual(17);
    expect(threads.filter((text) => text.includes('more than 72 hours')).length).toBeGreaterThanOrEqual(2);
    expect(state.timeline.some((entry) => entry.kind === 'lease.escalated')).toBe(true);
  });
});

describe('the end of a lease', () => {
  test('is the one that the cell set, on the card and for the timer, whatever the playbook asked for', async () => {
    const hourMs = 3_600_000;
    script['lease:quarantinePod'] = async () => ({ durationMs: 2 * hourMs, onExpiry: 'renew', longestMs: 2 * hourMs });
    const incident = await lab.start([alertOf({ n: 9 })]);
    const { leases, questions } = await incident.until(
      (state) => state.questions.some(({ question }) => question.id.startsWith('lease:')),
      'the question about the lease',
    );
    expect(applied(incident, 'quarantinePod')).toMatchObject([{ lease: { durationMs: 4 * hourMs } }]);
    const [lease] = leases;
    expect(lease).toMatchObject({ durationMs: 2 * hourMs });
    expect((lease?.until ?? 0) - (lease?.startedAt ?? 0)).toBeLessThan(3 * hourMs);
    const about = questions.find(({ question }) => question.id.startsWith('lease:'));
    expect(Date.parse(about?.levelUntil ?? '')).toBe(lease?.until);
    expect(about?.question.text).toBe('cart-9 quarantined: extend it, keep it for good, or end it?');
    await lab.env.sleep('150m');
    await incident.until((state) => state.leases[0]?.renewals === 1, 'the renewal after two hours');
  });

  test('is not caused by another playbook that found its own case harmless', async () => {
    askSeparately();
    const incident = await lab.start([alertOf(), alertOf(shell)]);
    await contained(incident);
    const asked = await incident.until((state) => openOnPod(state).length === 2, 'both questions');
    const about = openOnPod(asked).find((one) => one.question.text.startsWith('Is the shell'));
    const onIt = { question: about?.question.id ?? '', questionDigest: about?.digest ?? '' };
    for (const person of ['ana', 'ben']) await incident.vote('release', person, onIt);
    await incident.until((state) => state.bodies.some((body) => body.verdict === 'benign'), 'the harmless shell');
    await lab.env.sleep('10h');
    const state = await incident.until((now) => (now.leases[0]?.renewals ?? 0) >= 2, 'renewals');
    expect(state.leases[0]?.state).toBe('active');
    expect(undone(incident)).toEqual([]);
  });

  test('automatically undoes what two people called harmless, with their votes as the proof', async () => {
    script['undo:quarantinePod'] = (_call, attempt) => (attempt === 1 ? refuse('FB_ERR_UNVERIFIED_STATE', 'edited') : undefined);
    const incident = await lab.start([alertOf()]);
    await incident.vote('release', 'ana');
    await incident.vote('release', 'ben');
    await incident.until((state) => state.timeline.some((entry) => entry.kind === 'lease.release-refused'), 'the refusal');
    expect((await incident.state()).leases[0]?.state).toBe('active');
    const end = await incident.result();
    expect(end.leases).toMatchObject([{ state: 'released' }]);
    const reason = lab.seen.undoReasons.at(-1);
    expect(reason).toMatchObject({ kind: 'lease-ended', verdict: 'benign' });
    expect(reason?.kind === 'lease-ended' && reason.proof?.votes.map((signed) => signed.vote.person)).toEqual(['ana', 'ben']);
  });

  test('waits for a step that is still under way: an undo before it lands would be overwritten', async () => {
    const later = () =>
      ApplicationFailure.create({ type: 'FB_ERR_UNAVAILABLE', message: 'the API server is away', nextRetryDelay: '5h' });
    script.quarantinePod = (_call, attempt) => {
      // The fast attempt, the one after which people are notified, and the first of the unlimited attempts.
      if (attempt <= 3) throw later();
    };
    const incident = await lab.start([alertOf()]);
    await lab.env.sleep('270m');
    expect((await incident.state()).timeline.map(({ kind }) => kind)).not.toContain('lease.renewed');
    await lab.env.sleep('1h');
    await incident.until((state) => state.timeline.some(({ kind }) => kind === 'step.applied'), 'the step');
    // The lease runs from when it takes effect, as the note on the pod says.
    expect((await incident.state()).leases[0]?.renewals).toBe(0);
    await lab.env.sleep('5h');
    const { timeline } = await incident.until((state) => (state.leases[0]?.renewals ?? 0) > 0, 'the renewal');
    const kinds = timeline.map(({ kind }) => kind);
    expect(kinds.indexOf('lease.renewed')).toBeGreaterThan(kinds.indexOf('step.applied'));
    expect(applied(incident, 'quarantinePod')).toHaveLength(1);
    expect(undone(incident)).toEqual([]);
  });

  test('finds a drifted pod, says so, and does not try forever', async () => {
    script['undo:quarantinePod'] = () => ({ state: 'drifted', detail: 'its labels were changed', difference: ['app'] });
    const incident = await lab.start([alertOf()]);
    await incident.vote('release', 'ana');
    await incident.vote('release', 'ben');
    const end = await incident.result();
    expect(end.leases).toMatchObject([{ state: 'drifted', detail: 'its labels were changed' }]);
    expect(undone(incident)).toHaveLength(1);
    expect(lab.seen.threads.some((text) => text.includes('somebody has changed it'))).toBe(true);
    const [lease] = end.leases;
    const text = expect.stringContaining('somebody has changed it');
    expect(recordsIn(lab, incident, 'lease.drifted')).toMatchObject([{ actor: 'engine', body: { lease: lease?.id, text } }]);
  });
});

describe('people decide on a lease', () => {
  test('one extends it, which asks again; two release it', async () => {
    const incident = await lab.start([alertOf()]);
    await contained(incident);
    const before = await incident.question(true);
    const until = (await incident.state()).leases[0]?.until ?? 0;
    const vote = await incident.vote('extend', 'ana', {}, true);
    const extended = await incident.until((state) => (state.leases[0]?.until ?? 0) > until, 'a longer lease');
    await incident.until(
      (state) =>
        state.questions.some(
          (one) => one.question.id === before.question.id && one.status.state === 'open' && one.digest !== before.digest,
        ),
      'the question anew',
    );
    await incident.signal(vote);
    await incident.until((state) => state.timeline.some((entry) => entry.kind === 'vote.refused'), 'the refused replay');
    expect((await incident.state()).leases[0]?.until).toBe(extended.leases[0]?.until);
    // While a card asks the same question, it is not decided here.
    await incident.question();
    await lab.env.sleep('2h');
    await incident.until((state) => asksOnCards(state) === undefined, 'silence on the card');
    await incident.vote('release', 'ana', {}, true);
    await incident.vote('release', 'ana', {}, true);
    await incident.until(
      (state) => state.questions.some((one) => one.question.id === before.question.id && one.votes.length === 1),
      'one person',
    );
    expect(undone(incident)).toEqual([]);
    await incident.vote('release', 'ben', {}, true);
    const end = await incident.result();
    expect(end.leases).toMatchObject([{ state: 'released' }]);
    expect(undone(incident)).toHaveLength(1);
    // The card was answered by nobody hours ago, and does not go on saying that the pod is quarantined.
    const card = lab.seen.cards.findLast(({ incident: { id } }) => id === incident.id);
    expect(card).toMatchObject({ status: { state: 'expired' }, contained: [], ended: [{ how: 'released' }] });
  });

  test('one keeps it for good: the incident ends, and the pod stays as it is', async () => {
    const incident = await lab.start([alertOf()]);
    await contained(incident);
    await incident.vote('keep', 'ana', {}, true);
    const end = await incident.result();
    expect(end.leases).toMatchObject([{ state: 'permanent' }]);
    expect(undone(incident)).toEqual([]);
    const [lease] = end.leases;
    const text = expect.stringContaining('made permanent by person/ana');
    expect(recordsIn(lab, incident, 'lease.permanent')).toMatchObject([{ actor: 'engine', body: { lease: lease?.id, text } }]);
  });

  test('while a question asks whether to release it, that is answered there, and the lease can be extended', async () => {
    const incident = await lab.start([alertOf()]);
    await contained(incident);
    await incident.question();
    await incident.vote('release', 'ana', {}, true);
    const refused = await incident.until((state) => refusalsIn(state).length === 1, 'the refusal');
    expect(refusalsIn(refused)[0]).toMatch(/^An open question decides whether this is released: “Is the new binary .*” Answer/);
    await lab.eventually('what Slack is told', () =>
      lab.seen.answers.some((text) => text.startsWith('An open question decides')),
    );
    await incident.vote('extend', 'ana', {}, true);
    await incident.until((state) => state.leases[0]?.renewals === 1, 'the extension');
    await incident.vote('release', 'ana');
    await incident.vote('release', 'ben');
    expect((await incident.result()).leases).toMatchObject([{ state: 'released' }]);
    expect(undone(incident)).toHaveLength(1);
  });

  test('what is kept for good is not released by a question that was open then, and people are told', async () => {
    const incident = await lab.start([alertOf()]);
    await contained(incident);
    await incident.question();
    await incident.vote('keep', 'ana', {}, true);
    await incident.until((state) => state.leases[0]?.state === 'permanent', 'that it is kept');
    await incident.vote('release', 'ana');
    await incident.vote('release', 'ben');
    const end = await incident.result();
    expect(end.leases).toMatchObject([{ state: 'permanent' }]);
    expect(undone(incident)).toEqual([]);
    expect(end.timeline).toContainEqual(
      expect.objectContaining({ kind: 'lease.release-refused', text: expect.stringContaining('people keep it for good') }),
    );
  });

  test('whoever had begun to release it when a question asks the same is told to answer there', async () => {
    let kept = () => {};
    const keeping = new Promise<void>((resolve) => {
      kept = resolve;
    });
    script.snapshotPodState = ({ playbook }) => (playbook.includes('contain-dropped-binary') ? keeping : undefined);
    const incident = await containedShell();
    // Its evidence is not kept yet, so nobody is asked.
    await incident.alerts(batchOf([alertOf()]));
    await incident.until((state) => state.leases[0]?.holders.length === 2, 'two holders');
    await incident.vote('release', 'ana', {}, true);
    await incident.until((state) => votesOnLease(state).length === 1, 'the first vote');
    kept();
    const state = await incident.until((now) => now.timeline.some(({ kind }) => kind === 'question.taken-over'), 'the news');
    expect(votesOnLease(state)).toEqual([]);
    await lab.eventually('the thread', () =>
      lab.seen.threads.some((text) => /^ana answered to release this\. A new question .* Is the new binary/.test(text)),
    );
    const asked = asksOnCards(state);
    await incident.vote('remove', 'ana', asked);
    await incident.result();
  });

  test('a release that is refused leaves the lease and its question open', async () => {
    script['undo:quarantinePod'] = (_call, attempt) => (attempt === 1 ? refuse('FB_ERR_UNVERIFIED_STATE') : undefined);
    const incident = await containedShell();
    const first = await incident.question(true);
    await incident.vote('release', 'ana', {}, true);
    await incident.until(
      (state) =>
        state.questions.some(
          (one) => one.question.id === first.question.id && one.digest !== first.digest && one.status.state === 'open',
        ),
      'the question anew',
    );
    await incident.vote('release', 'ana', {}, true);
    expect((await incident.result()).leases).toMatchObject([{ state: 'released' }]);
  });

  test('a release that hangs in the cluster keeps nobody else’s vote waiting', async () => {
    let letGo = () => {};
    const hanging = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    script['undo:quarantinePod'] = () => hanging;
    const incident = await containedShell();
    await incident.alerts(batchOf([alertOf({ ...shell, n: 2 })]));
    const other = asksOnCards(await incident.until((state) => asksOnCards(state) !== undefined, 'the other question'));
    await incident.vote('release', 'ana', {}, true);
    await incident.until((state) => state.leases[0]?.state === 'releasing', 'the undo');
    await incident.vote('expected', 'ana', other);
    await incident.until((state) => asksOnCards(state) === undefined, 'the other decision');
    letGo();
    await incident.result();
  });

  test('what two playbooks hold is released when the last lets go', async () => {
    askSeparately();
    const incident = await lab.start([alertOf(), alertOf(shell)]);
    const both = await incident.until((state) => openOnPod(state).length === 2, 'both questions');
    const of = (start: string) => {
      const found = openOnPod(both).find((one) => one.question.text.startsWith(start));
      return { question: found?.question.id ?? '', questionDigest: found?.digest ?? '' };
    };
    expect(both.leases[0]?.holders).toHaveLength(2);
    expect(applied(incident, 'quarantinePod')).toHaveLength(1);
    await incident.vote('release', 'ana', of('Is the new binary'));
    await incident.vote('release', 'ben', of('Is the new binary'));
    const one = await incident.until((state) => state.leases[0]?.holders.length === 1, 'one holder');
    expect(one.leases[0]?.state).toBe('active');
    expect(undone(incident)).toEqual([]);
    // Two people have decided to release it, but it is not released: they are told why.
    const told =
      'Still contained: cart-1 quarantined. It was due to be released, but firebreak/ask-about-shell also holds it. Answer the open question: “Is the shell in cart-1 yours, or expected? It was contained at once because of “Drop and execute new binary in container”: Critical: dropped binary”';
    expect(one.timeline).toContainEqual(expect.objectContaining({ kind: 'lease.release-refused', text: told }));
    await lab.eventually('the thread', () => lab.seen.threads.includes(told));
    await incident.vote('release', 'ana', of('Is the shell'));
    await incident.vote('release', 'ben', of('Is the shell'));
    expect((await incident.result()).leases).toMatchObject([{ state: 'released' }]);
    expect(undone(incident)).toHaveLength(1);
  });
});

describe('a step that did not succeed', () => {
  test('but may have landed, is undone', async () => {
    script.quarantinePod = () => refuse('FB_ERR_TARGET_REPLACED', 'another pod has this name now');
    const incident = await lab.start([alertOf()]);
    const end = await incident.result();
    expect(lab.seen.undoReasons.at(-1)).toEqual({ kind: 'step-failed' });
    expect(undone(incident)).toHaveLength(1);
    expect(end.bodies).toMatchObject([{ state: 'failed' }]);
    expect(end.steps.filter(({ action }) => action === 'quarantinePod')).toMatchObject([{ state: 'undone' }]);
  });

  test('and was refused before anything was done, leaves no lease and nothing to undo', async () => {
    script.quarantinePod = () => refuse('FB_ERR_PROTECTED');
    const incident = await lab.start([alertOf()]);
    const end = await incident.result();
    expect(end.leases).toEqual([]);
    expect(undone(incident)).toEqual([]);
    expect(lab.seen.threads.some((text) => text.startsWith('Playbook firebreak/contain-dropped-binary stopped'))).toBe(true);
  });
});
