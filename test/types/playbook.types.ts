/** What must not compile, checked by `tsc`: an `@ts-expect-error` without an error is itself an error. Nothing here is run. */
import {
  captureProcesses,
  cordonNode,
  deletePod,
  isolateNamespace,
  killProcess,
  openTicket,
  quarantinePod,
  rotateSecret,
  suspendCronJob,
} from '../../core/actions/index.ts';
import { field } from '../../core/decide/form.ts';
import { param } from '../../core/playbook/params.ts';
import { definePlaybook } from '../../core/playbook/playbook.ts';

const on = { match: { rule: 'r' }, minSeverity: 'critical' } as const;
const question = { question: 'q', onSilence: 's' } as const;

const withPod = definePlaybook(
  {
    id: 'a',
    title: 'a',
    on: { ...on, requires: ['pod'] },
    uses: { quarantinePod, deletePod, rotateSecret, openTicket },
    levels: [{ group: 'oncall', within: '15m' }],
  },
  async ({ alert, steps, ask }) => {
    const { pod } = alert;
    const quarantine = await steps.quarantinePod({ pod, lease: '4h', onExpiry: 'release' });
    const answer = await ask({
      ...question,
      choices: { no: 'No', both: 'Both', rotate: 'Rotate', free: 'Release' },
      plan: {
        both: [await steps.rotateSecret.plan({ suspect: pod }), await steps.deletePod.plan({ pod })],
        rotate: await steps.rotateSecret.plan({ suspect: pod }),
        free: await steps.quarantinePod.undo.plan(quarantine),
      },
    });

    if (answer.choice === 'both') {
      await steps.rotateSecret({ suspect: pod }, answer.approval);
      await steps.deletePod({ pod }, answer.approval);
      // @ts-expect-error the approval is of the deletion, not of the release
      await steps.quarantinePod.undo(quarantine, answer.approval);
    }
    if (answer.choice === 'rotate') {
      // @ts-expect-error the approval is of the rotation only
      await steps.deletePod({ pod }, answer.approval);
    }
    if (answer.choice === 'free') {
      await steps.quarantinePod.undo(quarantine, answer.approval);
      // @ts-expect-error the approval is of the release only
      await steps.deletePod({ pod }, answer.approval);
    }
    if (answer.choice === 'no') {
      // @ts-expect-error a choice without a plan approves nothing
      await steps.deletePod({ pod }, answer.approval);
    }
    if (answer.choice === 'silence') {
      // @ts-expect-error silence is never yes
      await steps.deletePod({ pod }, answer.approval);
    }
    // @ts-expect-error the choice was not offered
    if (answer.choice === 'maybe') return;

    // @ts-expect-error a destructive step takes an approval
    await steps.deletePod({ pod });
    // @ts-expect-error what is destroyed has no undo
    await steps.deletePod.undo(quarantine);
    // @ts-expect-error a ticket has no undo
    await steps.openTicket.undo(quarantine);
    // @ts-expect-error giving back takes an approval
    await steps.quarantinePod.undo(quarantine);
    // @ts-expect-error what only ends has no lease
    await steps.deletePod.plan({ pod, lease: '4h' });
    // @ts-expect-error four hours are written 4h
    await steps.quarantinePod({ pod, lease: '4 hours' });
    // @ts-expect-error no time is negative
    await steps.quarantinePod({ pod, lease: '-4h' });
    await steps.quarantinePod({ pod, lease: '1.5h' });
    // @ts-expect-error a pod is never only a name
    await steps.quarantinePod({ pod: { namespace: 'a', name: 'b' } });
    await ask({
      ...question,
      choices: { yes: 'Yes' },
      // @ts-expect-error a plan for a choice that is not offered
      plan: { other: await steps.deletePod.plan({ pod }) },
    });
    // @ts-expect-error whom it asks stands in the envelope
    await ask({ ...question, choices: { yes: 'Yes' }, levels: [{ group: 'friends', within: '1m' }] });
  },
);

export const withoutPod = definePlaybook(
  { id: 'b', title: 'b', on: { ...on, requires: [] }, uses: { quarantinePod } },
  async ({ alert, steps }) => {
    // @ts-expect-error the alert need not name a pod
    alert.pod.name;
    // @ts-expect-error nor one with a uid
    await steps.quarantinePod({ pod: alert.pod });
    // @ts-expect-error an action that is not in `uses` does not exist
    steps.deletePod;
  },
);

export const inside = definePlaybook(
  { id: 'c', title: 'c', on: { ...on, requires: ['pod'] }, uses: { captureProcesses, killProcess } },
  async ({ alert, steps, ask }) => {
    const { pod, container } = alert;
    const { output } = await steps.captureProcesses({ pod, container });
    const process = output.processes.find(({ exeDeleted }) => exeDeleted);
    if (!process) return;
    const kill = { pod, container: output.container, process };
    const plan = { kill: await steps.killProcess.plan(kill) };
    const answer = await ask({ ...question, choices: { no: 'No', kill: 'End it' }, plan });
    if (answer.choice === 'kill') await steps.killProcess(kill, answer.approval);
    // @ts-expect-error what is destructive needs people
    await steps.killProcess(kill);
  },
);

export const wide = definePlaybook(
  { id: 'd', title: 'd', on: { ...on, requires: ['node'] }, uses: { isolateNamespace, cordonNode, suspendCronJob } },
  async ({ alert, steps, ask }) => {
    const { node } = alert;
    // @ts-expect-error what reaches a whole namespace takes an approval
    await steps.isolateNamespace({ namespace: 'shop' });
    // @ts-expect-error and so does what reaches a node, with a lease or without
    await steps.cordonNode({ node, lease: '1h' });
    // Actions that reach a workload may be called: if they are not automatic, people are asked.
    await steps.suspendCronJob({ cronJob: { namespace: 'shop', name: 'nightly' } });
    const plan = { isolate: await steps.isolateNamespace.plan({ namespace: 'shop' }) };
    const answer = await ask({ ...question, choices: { no: 'No', isolate: 'Yes' }, plan });
    if (answer.choice === 'isolate') await steps.isolateNamespace({ namespace: 'shop', lease: '1h' }, answer.approval);
  },
);

export const withParams = definePlaybook(
  {
    id: 'e',
    title: 'e',
    on: { ...on, requires: ['pod'] },
    uses: { quarantinePod },
    params: { lease: param.duration('4h'), mode: param.choice(['soft', 'hard'], 'soft'), times: param.number(3) },
  },
  async ({ alert, steps, params, incident, skip, log }) => {
    await steps.quarantinePod({ pod: alert.pod, lease: params.lease });
    if (params.mode === 'hard' && params.times > 2) log('hard', { times: params.times });
    // @ts-expect-error the choice is not among its words
    if (params.mode === 'medium') return;
    // @ts-expect-error a number is no duration
    await steps.quarantinePod({ pod: alert.pod, lease: params.times });
    // @ts-expect-error a parameter that the envelope does not have
    params.group;
    // @ts-expect-error what is known of the incident is read-only
    incident.severity = 'low';
    if (!alert.process) return skip('nobody knows what ran');
    log(alert.process.name ?? '');
  },
);

export const calls = definePlaybook(
  { id: 'f', title: 'f', on: { ...on, requires: ['pod'] }, uses: { quarantinePod, deletePod } },
  async ({ alert, saga, sleep, every, runPlaybook }) => {
    await saga(async (steps) => {
      await steps.quarantinePod({ pod: alert.pod });
      // @ts-expect-error in a saga, too, what is destroyed takes an approval
      await steps.deletePod({ pod: alert.pod });
    });
    const end = await runPlaybook(withPod);
    // @ts-expect-error an end is no state of a body that runs
    if (end.state === 'running') return;
    // @ts-expect-error it requires a node, and this alert need not have one
    await runPlaybook(wide);
    await sleep('3d');
    // @ts-expect-error three days are written 3d
    await sleep('3 days');
    await every('10m', 6, async (turn) => (turn > 3 ? 'enough' : undefined));
  },
);

export const forms = definePlaybook({ id: 'g', title: 'g', on: { ...on, requires: [] }, uses: {} }, async ({ ask, note }) => {
  const answer = await ask({
    ...question,
    choices: { extend: 'Yes', end: 'No' },
    forms: {
      extend: {
        hours: field.number('Hours?', { min: 1, max: 72 }),
        how: field.choice('How?', { soft: 'Softly', hard: 'At once' }),
        who: field.people('Who?'),
      },
    },
  });
  if (answer.choice === 'extend') {
    note(`${answer.form.hours.toFixed(1)} ${answer.form.who.join()}`);
    // @ts-expect-error an option that is not offered
    if (answer.form.how === 'later') return;
    // @ts-expect-error a field that is not asked for
    answer.form.why;
  }
  if (answer.choice === 'end') {
    // @ts-expect-error this choice has no form
    answer.form.hours;
  }
  // @ts-expect-error silence fills nothing in
  if (answer.choice === 'silence') answer.form;
  // @ts-expect-error a form for a choice that is not offered
  await ask({ ...question, choices: { yes: 'Yes' }, forms: { other: { a: field.text('A') } } });
});
