import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../service/process/project-root.ts';
import { readTree, type SourceFile, topRooms } from '../check/imports.mjs';

interface Way {
  readonly title: string;
  readonly intro: string;
  readonly steps: readonly { readonly files: readonly string[]; readonly text: string }[];
}

/** The purpose of each room. Rooms of `service` are listed individually, the others include everything in them. */
const purposes: Readonly<Record<string, string>> = {
  authoring:
    'The doors of the package, for who writes playbooks: `firebreak/playbook`, `firebreak/actions`, `firebreak/alerts`, `firebreak/testing`',
  core: 'What things mean: alerts, incidents, actions, decisions, records. It reads no clock, file or network, so it may run inside a workflow',
  playbooks: 'The procedures that are shipped, one a file',
  workflows: 'How an incident runs, durably: Temporal replays it, so it is deterministic',
  activities: 'What a workflow may have done: the chokepoint that every step passes, and the actions behind it',
  integrations: 'One folder for each outside system: sensors, Kubernetes, Slack, tickets, stores, keys',
  testing: 'Simulates playbooks for their tests: the real engine and chokepoint, without Temporal or a cluster',
  'service/intake': 'Takes alerts in: its door, reading, the durable spool, sending to Temporal, watching for storms and silence',
  'service/cell':
    'What acts on one cluster: pools of actions, containment as a state, the control of suppressions and restraints',
  'service/desk': 'Where people are asked: Slack, its pages, orders, tickets, records',
  'service/incidents': 'Reaches incidents through Temporal, for the command line and the desk alike',
  'service/commands': 'The command line',
  'service/config': 'Reads and checks the configuration and its secrets',
  'service/check': 'Says what is wrong with packs and playbooks: their types, places and rights',
  'service/coverage': 'Says which rules of the sensors a playbook answers',
  'service/simulation': 'Runs playbooks on past alerts and incidents, and says what they would do',
  'service/trial': 'Runs an incident with all its answers in a Temporal of its own, in which days pass in a moment',
  'service/packs': 'Reads packs of playbooks: what pins them, what no playbook may have, their envelopes',
  'service/process': 'What every process has: log, keys, rights, status, trust',
  'service/temporal': 'The connection to Temporal: signed and sealed messages, workers, builds',
  'service/rbac': 'The rights of each pool as Kubernetes manifests, made from what the actions declare',
  'service/doctor': 'Looks at all that an installation needs, and says what to do',
  'service/setup': 'What a new installation begins with, and what is to be seen in its cluster',
  'service/records': 'Checkpoints of the records, and their check',
  'service/streams': 'Sends records on: to a SIEM, a log server or a bucket',
  'service/witness': 'Signs that the log of checkpoints has only grown',
  'service/backup': 'Copies what cannot be made anew, and puts it back',
  'service/skew': 'Which versions run and are stored, and whether they go together',
  'service/offline': 'Gives everything back with a kubeconfig alone',
  'service/parts': 'Downloads and builds what development and trials need, and keeps it in the cache',
  'service/launcher': 'Starts a program under the right Node, with its memory bounded',
  console: 'The web console, as it runs in a browser; the desk serves it',
  tools: 'For development: the local platform, the demo, checks, generated pages',
};

const alertWay: Way = {
  title: 'The way of an alert',
  intro: 'From a sensor’s request to a pod that is cut off, and to the question on a card.',
  steps: [
    {
      files: ['service/intake/door/listener.ts', 'service/intake/door/alert-door.ts'],
      text: 'takes the request, and asks who sends it',
    },
    {
      files: ['service/intake/read/parse.ts', 'integrations/sensors/index.ts'],
      text: 'reads the body: the sensor’s own decoder makes alerts of it',
    },
    {
      files: ['service/intake/read/receive.ts', 'service/intake/read/screen.ts'],
      text: 'finds the workload that it is about, and what is suppressed',
    },
    { files: ['service/intake/spool/spool.ts'], text: 'writes it to the disk; only then the sensor hears that it was taken' },
    {
      files: ['service/intake/send/dispatcher.ts', 'service/intake/send/delivery.ts'],
      text: 'brings the worst first, a few incidents at a time',
    },
    {
      files: ['service/intake/send/contain-before-start.ts', 'service/cell/head-starts.ts'],
      text: 'contains at once what a playbook contains automatically, before Temporal is asked',
    },
    { files: ['service/intake/send/temporal-gateway.ts'], text: 'starts the incident’s workflow, or signals the one that runs' },
    {
      files: ['workflows/incident/incident.ts', 'workflows/incident/bodies.ts'],
      text: 'is the incident from here on: it runs the bodies of the playbooks that match',
    },
    {
      files: ['workflows/steps/steps.ts'],
      text: 'turns a call in a body into a step: planned, approved, applied, verified, recorded',
    },
    {
      files: ['activities/chokepoint/chokepoint.ts'],
      text: 'is the one way to an effect: approval, guardrails, evidence and before-state are checked here',
    },
    { files: ['activities/actions/containment/quarantine-pod.ts'], text: 'is such an effect: one conditional patch of the pod' },
    { files: ['service/cell/containment/hold-containment.ts'], text: 'keeps it so: what somebody changes is put back, or told' },
    { files: ['workflows/questions/questions.ts', 'activities/desk/desk.ts'], text: 'asks people, level by level' },
    {
      files: ['core/cards/question-card.ts', 'integrations/slack/views/render.ts'],
      text: 'make the card of the question, and show it in Slack',
    },
  ],
};

const clickWay: Way = {
  title: 'The way of a click',
  intro: 'From a button in Slack to the step that it approves.',
  steps: [
    {
      files: ['integrations/slack/door/receiver.ts', 'integrations/slack/door/signature.ts'],
      text: 'takes Slack’s request and proves that it is Slack’s',
    },
    {
      files: ['integrations/slack/door/door.ts', 'integrations/slack/door/click.ts'],
      text: 'finds the button that was clicked, and opens the dialog of a choice that has one',
    },
    { files: ['service/desk/click-votes.ts'], text: 'makes the vote: who clicked, by the roster, signed by the desk' },
    { files: ['workflows/questions/votes.ts'], text: 'takes the vote into the incident, one after another' },
    {
      files: ['core/decide/vote-check.ts', 'activities/chokepoint/cell.ts'],
      text: 'prove it in the cell, by keys and roster of its own',
    },
    { files: ['core/decide/question.ts'], text: 'counts it: quorum, veto, level' },
    {
      files: ['workflows/questions/questions.ts', 'workflows/steps/steps.ts'],
      text: 'give the body its answer, and run the step with the proof of it',
    },
    {
      files: ['activities/chokepoint/approval-check.ts'],
      text: 'checks every vote once more, against exactly the plan that is about to run',
    },
  ],
};

/** The most frequent questions, each answered by at most two files. */
const asked: readonly { readonly question: string; readonly files: readonly string[] }[] = [
  { question: 'How is an alert of Falco read?', files: ['integrations/sensors/falco/falco.ts'] },
  {
    question: 'What contains a pod at once?',
    files: ['service/intake/send/contain-before-start.ts', 'service/cell/head-starts.ts'],
  },
  { question: 'How does a click become a vote?', files: ['integrations/slack/door/click.ts', 'service/desk/click-votes.ts'] },
  { question: 'What happens when a lease ends?', files: ['workflows/steps/leases.ts', 'core/incident/lease.ts'] },
  {
    question: 'What do the guardrails allow?',
    files: ['core/action/guardrail.ts', 'activities/chokepoint/chokepoint.ts'],
  },
];

/**
 * Generates `docs/architecture.md`: the rooms with their real imports, and the two paths through them. @throws if a file that it names does not exist, or a
 * room is missing in it.
 */
export function architecturePage(): string {
  const tree = readTree(projectRoot());
  const unknown = new Set([...tree.keys()].map(roomOf).filter((room) => room !== undefined && !(room in purposes)));
  if (unknown.size > 0) throw new Error(`the page of the architecture does not say what is in ${[...unknown].join(', ')}`);
  return [
    '# Architecture of the code',
    'Each top-level folder is a room with one subject. It may import only what its purpose allows, and `npm run check` enforces that (`tools/check`). To find something, follow the way of an alert or the way of a click below.',
    '## The rooms',
    [
      '| room | what it is for |',
      '|---|---|',
      ...Object.entries(purposes).map(([room, purpose]) => `| \`${room}\` | ${purpose} |`),
    ].join('\n'),
    'Who uses whom, by the real imports; what everybody uses (`core`, `service/process`, `service/config`) has no arrows to it.',
    ['```mermaid', ...picture(tree), '```'].join('\n'),
    ...[alertWay, clickWay].flatMap(wayText),
    '## Where to look first',
    asked.map(({ question, files }) => `- ${question} ${linksTo(files)}`).join('\n'),
  ].join('\n\n');
}

const usedByAll = new Set(['core', 'service/process', 'service/config']);

function picture(tree: ReadonlyMap<string, SourceFile>): readonly string[] {
  const arrows = new Set<string>();
  for (const [file, { uses }] of tree) {
    const from = roomOf(file);
    for (const used of uses) {
      const to = roomOf(used);
      if (from !== undefined && to !== undefined && from !== to && !usedByAll.has(to))
        arrows.add(`  ${idOf(from)} --> ${idOf(to)}`);
    }
  }
  return ['flowchart TD', ...Object.keys(purposes).map((room) => `  ${idOf(room)}["${room}"]`), ...[...arrows].sort()];
}

const idOf = (room: string): string => room.replaceAll(/\W/g, '_');

function roomOf(file: string): string | undefined {
  const [top = '', second = ''] = file.split('/');
  if (!topRooms.includes(top)) return undefined;
  if (top !== 'service') return top;
  // Files directly in `service` start the rooms.
  return second.includes('.') ? undefined : `service/${second}`;
}

function wayText({ title, intro, steps }: Way): readonly string[] {
  const lines = steps.map(({ files, text }, index) => `${index + 1}. ${linksTo(files)} ${text}.`);
  return [`## ${title}`, intro, lines.join('\n')];
}

function linksTo(files: readonly string[]): string {
  const missing = files.filter((file) => !existsSync(join(projectRoot(), file)));
  if (missing.length > 0) throw new Error(`the page of the architecture names what is not there: ${missing.join(', ')}`);
  return files.map((file) => `[\`${file}\`](../${file})`).join(' and ');
}
