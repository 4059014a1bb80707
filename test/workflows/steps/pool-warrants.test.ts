import { expect, test } from '@jest/globals';
import type { StepCall } from '../../../core/action/step.ts';
import { alertOf } from '../people.ts';
import { refuse } from '../scripted.ts';
import { useLab } from '../use-lab.ts';

const { lab, script } = useLab();

test('an approved step of another pool goes there with the cell’s warrant, and asks for another one if it came too late', async () => {
  const asked: StepCall[] = [];
  const came: (string | undefined)[] = [];
  script.issueWarrant = (call) => {
    asked.push(call);
    return undefined;
  };
  script.rotateSecret = ({ warrant }) => {
    came.push(warrant?.warrant.id);
    if (came.length === 1) refuse('FB_ERR_WARRANT_OUTDATED');
    return { rotated: [], refused: [] };
  };
  const incident = await lab.start([alertOf()]);
  await incident.vote('remove', 'ana');
  await incident.result();
  expect(asked.map(({ action, approval }) => [action, approval !== undefined])).toEqual([
    ['rotateSecret', true],
    ['rotateSecret', true],
  ]);
  expect(new Set(came.filter((id) => id !== undefined)).size).toBe(2);
  // The cell itself has seen the votes.
  const deleted = lab.seen.applied.find(({ action, incident: of }) => action === 'deletePod' && of.id === incident.id);
  expect(deleted).toMatchObject({ approval: expect.anything() });
  expect(deleted?.warrant).toBeUndefined();
});

test('if the cell gives no warrant, the step fails before anything is done', async () => {
  script.issueWarrant = () => refuse('FB_ERR_APPROVAL_INVALID');
  const incident = await lab.start([alertOf()]);
  await incident.vote('remove', 'ana');
  await incident.until(
    ({ steps }) => steps.some(({ action, state }) => action === 'rotateSecret' && state === 'failed'),
    'the step that failed',
  );
  expect(lab.seen.applied.some(({ action, incident: of }) => action === 'rotateSecret' && of.id === incident.id)).toBe(false);
});
