import { describe, expect, test } from '@jest/globals';
import { ApplicationFailure } from '@temporalio/common';
import type { IncidentState } from '../../../core/incident/incident-state.ts';
import type { RunningIncident } from '../harness.ts';
import { alertOf, batchOf } from '../people.ts';
import { refuse } from '../scripted.ts';
import { useLab } from '../use-lab.ts';
import { recordsIn } from '../voting.ts';

const { lab, script } = useLab();

const shell = { rule: 'Terminal shell in container', severity: 'low' } as const;
const words =
  "the API server rejected: patch pods in shop (422 Invalid): ValidatingAdmissionPolicy 'no-labels' denied request: no";

/** An undo that is refused for as long as the test says, and the number of attempts. */
function refusing(code: 'FB_ERR_API_REFUSED' | 'FB_ERR_UNAVAILABLE' = 'FB_ERR_API_REFUSED') {
  const door = { isShut: true, tries: 0 };
  script['undo:quarantinePod'] = () => {
    door.tries += 1;
    if (!door.isShut) return undefined;
    if (code === 'FB_ERR_API_REFUSED') refuse(code, words);
    throw ApplicationFailure.create({ type: code, message: 'failed calling webhook "guard"', nonRetryable: false });
  };
  return door;
}

/** Low severity, so that one person is enough; nothing is asked on a card. */
async function containedShell(): Promise<RunningIncident> {
  const incident = await lab.start([alertOf(shell)]);
  await incident.vote('quarantine', 'ana');
  await incident.until((state) => state.leases.some((lease) => lease.state === 'active'), 'containment');
  return incident;
}

const refusals = ({ timeline }: IncidentState) => timeline.filter(({ kind }) => kind === 'lease.release-refused');
const undone = (incident: RunningIncident) => lab.seen.undone.filter((call) => call.incident.id === incident.id);
const isOpen = ({ questions }: IncidentState) =>
  questions.some(({ question, status }) => question.id.startsWith('lease:') && status.state === 'open');

describe('a release that the API server refuses', () => {
  test('is reported at once, is not called a release, and succeeds on its own once nothing refuses it', async () => {
    const door = refusing();
    const incident = await containedShell();
    await incident.vote('release', 'ana', {}, true);
    const told = await incident.until((state) => refusals(state).length > 0 && isOpen(state), 'the refusal');
    expect(told.leases).toMatchObject([{ state: 'active', refused: { tries: 1, why: words } }]);
    expect(refusals(told)[0]?.text).toMatch(
      /^Still contained: cart-1 quarantined\. Its release is refused: .*denied request: no\. Fix the cause\. The release is retried automatically, next at /,
    );
    await lab.eventually('the thread', () =>
      lab.seen.threads.some((text) => text.startsWith('Still contained: cart-1 quarantined.')),
    );
    await lab.env.sleep('5h');
    const later = await incident.until((state) => (state.leases[0]?.refused?.tries ?? 0) > 15, 'further tries');
    expect(door.tries).toBeLessThan(30);
    expect(later.leases).toMatchObject([{ state: 'active' }]);
    expect(later.timeline.map(({ kind }) => kind)).not.toContain('lease.renewed');
    expect(refusals(later)).toHaveLength(1);
    // Six hours later people are notified again.
    await lab.env.sleep('3h');
    await incident.until((state) => refusals(state).length === 2, 'the second telling');
    door.isShut = false;
    await lab.env.sleep('16m');
    const end = await incident.result();
    expect(end.leases).toMatchObject([{ state: 'released' }]);
    expect(end.leases[0]?.refused).toBeUndefined();
    expect(undone(incident)).toHaveLength(1);
    expect(lab.seen.undoReasons.at(-1)).toMatchObject({ kind: 'approved', proof: { votes: [{ vote: { person: 'ana' } }] } });
    // The cell counts it by this value.
    const next = expect.stringMatching(/^\d{4}-.*Z$/);
    expect(recordsIn(lab, incident, 'lease.release-refused').map(({ body }) => body)).toMatchObject([{ next }, { next }]);
    expect(recordsIn(lab, incident, 'lease.released')).toHaveLength(1);
  });

  test('is retried at once when people order it again, and no longer when they decide otherwise', async () => {
    const door = refusing();
    const incident = await containedShell();
    await incident.vote('release', 'ana', {}, true);
    await incident.until((state) => refusals(state).length === 1 && isOpen(state), 'the refusal');
    await incident.vote('release', 'ben', {}, true);
    await incident.until((state) => state.leases[0]?.refused?.tries === 2 && isOpen(state), 'the second order');
    await incident.vote('extend', 'ana', {}, true);
    const extended = await incident.until(({ leases: [lease] }) => lease?.renewals === 1 && !lease.refused, 'the extension');
    expect(extended.leases).toMatchObject([{ state: 'active' }]);
    const { tries } = door;
    door.isShut = false;
    await lab.env.sleep('2h');
    expect(door.tries).toBe(tries);
    expect((await incident.state()).leases).toMatchObject([{ state: 'active' }]);
    await incident.vote('keep', 'ana', {}, true);
    expect((await incident.result()).leases).toMatchObject([{ state: 'permanent' }]);
    expect(undone(incident)).toEqual([]);
  });

  test('is still retried if two decided it and one orders it again: half an answer revokes nothing', async () => {
    const door = refusing();
    const incident = await lab.start([alertOf(shell)], { protectedNamespaces: ['shop'] });
    for (const person of ['ana', 'ben']) await incident.vote('quarantine', person);
    await incident.until((state) => state.leases.some((lease) => lease.state === 'active'), 'containment');
    for (const person of ['ana', 'ben']) await incident.vote('release', person, {}, true);
    await incident.until((state) => refusals(state).length === 1 && isOpen(state), 'the refusal');
    await incident.vote('release', 'ben', {}, true);
    await incident.until(
      ({ questions }) => questions.some(({ question, votes }) => question.id.startsWith('lease:') && votes.length === 1),
      'half an answer',
    );
    const { tries } = door;
    await lab.env.sleep('30m');
    const later = await incident.until(({ leases: [lease] }) => (lease?.refused?.tries ?? 0) > 3, 'further tries');
    expect(door.tries).toBeGreaterThan(tries);
    expect(refusals(later)).toHaveLength(1);
    expect(isOpen(later)).toBe(true);
    door.isShut = false;
    await lab.env.sleep('16m');
    expect((await incident.result()).leases).toMatchObject([{ state: 'released' }]);
    expect(lab.seen.undoReasons.at(-1)).toMatchObject({ kind: 'approved', proof: { votes: { length: 2 } } });
  });

  test('can be decided on while it is being tried: what people said meanwhile counts if it does not succeed', async () => {
    const door = refusing();
    const incident = await containedShell();
    await incident.vote('release', 'ana', {}, true);
    await incident.until((state) => refusals(state).length === 1 && isOpen(state), 'the refusal');
    const held = Promise.withResolvers<void>();
    const refused = script['undo:quarantinePod'];
    script['undo:quarantinePod'] = async (call, attempt) => {
      await held.promise;
      return refused?.(call, attempt);
    };
    await lab.env.sleep('61s');
    await incident.until(({ leases: [lease] }) => lease?.state === 'releasing', 'a try');
    await incident.vote('extend', 'ana', {}, true);
    await incident.until((state) => !isOpen(state), 'the answer');
    held.resolve();
    const extended = await incident.until(({ leases: [lease] }) => lease?.renewals === 1, 'the extension');
    expect(extended.leases).toMatchObject([{ state: 'active' }]);
    const asked = await incident.until((state) => isOpen(state), 'the next question');
    expect(asked.leases[0]?.refused).toBeUndefined();
    const { tries } = door;
    await lab.env.sleep('1h');
    expect(door.tries).toBe(tries);
  });

  test('is dropped when a playbook contains the same pod again', async () => {
    const door = refusing();
    const incident = await containedShell();
    await incident.vote('release', 'ana', {}, true);
    await incident.until((state) => refusals(state).length === 1, 'the refusal');
    await incident.alerts(batchOf([alertOf()]));
    const joined = await incident.until(
      (state) => state.timeline.some(({ kind }) => kind === 'step.joined'),
      'the second holder',
    );
    expect(joined.leases[0]?.refused).toBeUndefined();
    expect(joined.leases[0]?.holders).toEqual([expect.stringContaining('contain-dropped-binary')]);
    door.isShut = false;
    await lab.env.sleep('30m');
    expect(undone(incident)).toEqual([]);
  });

  test('is reported within two minutes if it merely gets no answer, and succeeds when there is one', async () => {
    const door = refusing('FB_ERR_UNAVAILABLE');
    const incident = await containedShell();
    await incident.vote('release', 'ana', {}, true);
    await lab.env.sleep('2m');
    const told = await incident.until((state) => refusals(state).length === 1, 'the telling');
    expect(refusals(told)[0]?.text).toContain('Its release is refused: failed calling webhook "guard".');
    door.isShut = false;
    await lab.env.sleep('16m');
    expect((await incident.result()).leases).toMatchObject([{ state: 'released' }]);
  });

  test('at the end of a lease that frees is decided again at each attempt', async () => {
    const door = refusing();
    const incident = await lab.start([alertOf()]);
    await incident.vote('release', 'ana');
    await incident.vote('release', 'ben');
    const told = await incident.until((state) => refusals(state).length === 1, 'the refusal');
    expect(told.leases).toMatchObject([{ state: 'active', refused: { tries: 1 } }]);
    await lab.env.sleep('30m');
    await incident.until((state) => (state.leases[0]?.refused?.tries ?? 0) > 2, 'further tries');
    door.isShut = false;
    await lab.env.sleep('16m');
    const end = await incident.result();
    expect(end.leases).toMatchObject([{ state: 'released' }]);
    expect(end.verdict).toBe('benign');
  });
});

describe('a step that the API server refuses', () => {
  test('leaves no lease if nothing came of it, and calls nothing released', async () => {
    script.quarantinePod = () => refuse('FB_ERR_API_REFUSED', words);
    script['undo:quarantinePod'] = () => ({ state: 'already', detail: 'it is not quarantined' });
    const incident = await lab.start([alertOf(shell)]);
    await incident.vote('quarantine', 'ana');
    const end = await incident.result();
    expect(end.leases).toEqual([]);
    expect(end.steps.find(({ action }) => action === 'quarantinePod')).toMatchObject({ state: 'failed', detail: words });
    expect(end.timeline.map(({ kind }) => kind)).not.toContain('lease.released');
    await lab.eventually('the thread', () => lab.seen.threads.some((text) => text.includes(words)));
  });

  test('asks people about what it has left in force, and goes on with the playbook', async () => {
    script.quarantinePod = () => refuse('FB_ERR_API_REFUSED', words);
    const door = refusing();
    const incident = await lab.start([alertOf(shell)]);
    await incident.vote('quarantine', 'ana');
    const left = await incident.until((state) => isOpen(state), 'the question about what is left');
    expect(left.leases).toMatchObject([{ state: 'active', refused: { why: words } }]);
    await incident.until((state) => state.bodies.every(({ state: body }) => body !== 'running'), 'the end of the body');
    door.isShut = false;
    await incident.vote('release', 'ana', {}, true);
    expect((await incident.result()).leases).toMatchObject([{ state: 'released' }]);
  });

  test('that merely gets no answer is reported after a minute, and done when there is one', async () => {
    let isAway = true;
    script.quarantinePod = () => {
      if (isAway)
        throw ApplicationFailure.create({
          type: 'FB_ERR_UNAVAILABLE',
          message: 'failed calling webhook "guard"',
          nonRetryable: false,
        });
    };
    const incident = await lab.start([alertOf()]);
    await lab.env.sleep('3m');
    const told = await incident.until((state) => state.timeline.some(({ kind }) => kind === 'step.delayed'), 'the telling');
    expect(told.timeline.find(({ kind }) => kind === 'step.delayed')?.text).toMatch(
      /^Quarantine the pod: pod\/shop\/cart-1: not done yet, and retried until it succeeds: failed calling webhook "guard"$/,
    );
    expect(told.steps.find(({ action }) => action === 'quarantinePod')).toMatchObject({ state: 'running' });
    isAway = false;
    await lab.env.sleep('1m');
    const { timeline } = await incident.until((state) => state.timeline.some(({ kind }) => kind === 'step.applied'), 'the step');
    expect(timeline.filter(({ kind }) => kind === 'step.delayed')).toHaveLength(1);
  });
});
