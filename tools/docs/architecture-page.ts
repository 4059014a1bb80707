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
    'Entry points of the package for playbook authors: `firebreak/playbook`, `firebreak/actions`, `firebreak/alerts`, `firebreak/testing`',
  core: 'What things mean: alerts, incidents, actions, decisions, records. It reads no clock, file or network, so it can run inside a workflow',
  playbooks: 'The shipped procedures, one per file',
  workflows: 'How an incident runs, durably. Temporal replays it, so it is deterministic',
  activities: 'What a workflow may call: the chokepoint that every step passes, and the actions behind it',
  integrations: 'One folder per external system: sensors, Kubernetes, Slack, tickets, stores, keys',
  testing: 'Simulates playbooks for their tests: the real engine and chokepoint, without Temporal or a cluster',
  'service/intake':
    'Takes in alerts: its listener, parsing, the durable spool, sending to Temporal, detecting storms and silence',
  'service/cell':
    'What acts on one cluster: pools of actions, containment as a state, the control of suppressions and restraints',
  'service/desk': 'Asks people: Slack, its pages, orders, tickets, records',
  'service/incidents': 'Reaches incidents through Temporal, for both the command line and the desk',
  'service/commands': 'The command line',
  'service/config': 'Reads and checks the configuration and its secrets',
  'service/check': 'Reports what is wrong with packs and playbooks: their types, places and rights',
  'service/coverage': 'Reports which sensor rules a playbook answers',
  'service/simulation': 'Runs playbooks on past alerts and incidents, and reports what they would do',
  'service/trial': 'Runs an incident with all its answers in its own Temporal, in which days pass in a moment',
  'service/packs': 'Reads packs of playbooks: what pins them, what playbooks must not have, their envelopes',
  'service/process': 'What every process has: log, keys, rights, status, trust',
  'service/temporal': 'The connection to Temporal: signed and sealed messages, workers, builds',
  'service/rbac': 'The rights of each pool as Kubernetes manifests, generated from what the actions declare',
  'service/doctor': 'Checks everything that an installation needs, and says what to do',
  'service/setup': 'What a new installation starts with, and what is visible in its cluster',
  'service/records': 'Checkpoints of the records, and how to check them',
  'service/streams': 'Forwards records: to a SIEM, a log server or a bucket',
  'service/witness': 'Signs that the log of checkpoints has only grown',
  'service/backup': 'Backs up what cannot be recreated, and restores it',
  'service/skew': 'Which versions run and are stored, and whether they are compatible',
  'service/offline': 'Releases everything with only a kubeconfig',
  'service/parts': 'Downloads and builds what development and trials need, and caches it',
  'service/launcher': 'Starts a program with the right Node and bounded memory',
  console: 'The web console, as it runs in a browser; the desk serves it',
  tools: 'For development: the local platform, the demo, checks, generated pages',
};

const alertWay: Way = {
  title: 'The way of an alert',
  intro: 'From a sensor’s request to an isolated pod, and to the question on a card.',
  steps: [
    {
      files: ['service/intake/door/listener.ts', 'service/intake/door/alert-door.ts'],
      text: 'accept the request, and check who sends it',
    },
    {
      files: ['service/intake/read/parse.ts', 'integrations/sensors/index.ts'],
      text: 'parse the body: the sensor’s own decoder turns it into alerts',
    },
    {
      files: ['service/intake/read/receive.ts', 'service/intake/read/screen.ts'],
      text: 'find the workload that an alert is about, and what is suppressed',
    },
    { files: ['service/intake/spool/spool.ts'], text: 'writes it to disk; only then does the sensor learn that it was accepted' },
    {
      files: ['service/intake/send/dispatcher.ts', 'service/intake/send/delivery.ts'],
      text: 'deliver the worst first, a few incidents at a time',
    },
    {
      files: ['service/intake/send/contain-before-start.ts', 'service/cell/head-starts.ts'],
      text: 'immediately contain what a playbook contains automatically, before they call Temporal',
    },
    { files: ['service/intake/send/temporal-gateway.ts'], text: 'starts the incident’s workflow, or signals the running one' },
    {
      files: ['workflows/incident/incident.ts', 'workflows/incident/bodies.ts'],
      text: 'are the incident from here on: they run the bodies of the matching playbooks',
    },
    {
      files: ['workflows/steps/steps.ts'],
      text: 'turns a call in a body into a step: planned, approved, applied, verified, recorded',
    },
    {
      files: ['activities/chokepoint/chokepoint.ts'],
      text: 'is the only way to an effect: it checks approval, guardrails, evidence and before-state',
    },
    { files: ['activities/actions/containment/quarantine-pod.ts'], text: 'is such an effect: one conditional patch of the pod' },
    { files: ['service/cell/containment/hold-containment.ts'], text: 'keeps it so: restores or reports what somebody changes' },
    { files: ['workflows/questions/questions.ts', 'activities/desk/desk.ts'], text: 'ask people, level by level' },
    {
      files: ['core/cards/question-card.ts', 'integrations/slack/views/render.ts'],
      text: 'build the question’s card, and show it in Slack',
    },
  ],
};

const clickWay: Way = {
  title: 'The way of a click',
  intro: 'From a button in Slack to the step that it approves.',
  steps: [
    {
      files: ['integrations/slack/door/receiver.ts', 'integrations/slack/door/signature.ts'],
      text: 'accept Slack’s request, and prove that it is from Slack',
    },
    {
      files: ['integrations/slack/door/door.ts', 'integrations/slack/door/click.ts'],
      text: 'find the clicked button, and open the dialog of a choice that has one',
    },
    { files: ['service/desk/click-votes.ts'], text: 'makes the vote: who clicked, according to the roster, signed by the desk' },
    { files: ['workflows/questions/votes.ts'], text: 'accepts votes into the incident, one at a time' },
    {
      files: ['core/decide/vote-check.ts', 'activities/chokepoint/cell.ts'],
      text: 'prove it in the cell, with the cell’s own keys and roster',
    },
    { files: ['core/decide/question.ts'], text: 'counts it: quorum, veto, level' },
    {
      files: ['workflows/questions/questions.ts', 'workflows/steps/steps.ts'],
      text: 'give the body its answer, and run the step with the proof of that answer',
    },
    {
      files: ['activities/chokepoint/approval-check.ts'],
      text: 'checks every vote again, against exactly the plan that is about to run',
    },
  ],
};

/** The most frequent questions, each answered by at most two files. */
const asked: readonly { readonly question: string; readonly files: readonly string[] }[] = [
  { question: 'How is a Falco alert parsed?', files: ['integrations/sensors/falco/falco.ts'] },
  {
    question: 'What contains a pod immediately?',
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
  if (unknown.size > 0) throw new Error(`the architecture page does not say what is in ${[...unknown].join(', ')}`);
  return [
    '# Architecture of the code',
    'Each top-level folder is a room with one subject. It may import only what its purpose allows, and `npm run check` enforces that (`tools/check`). To find something, follow the way of an alert or the way of a click below.',
    '## The rooms',
    [
      '| room | what it is for |',
      '|---|---|',
      ...Object.entries(purposes).map(([room, purpose]) => `| \`${room}\` | ${purpose} |`),
    ].join('\n'),
    'Which room uses which, by the real imports. No arrows lead to the rooms that everybody uses (`core`, `service/process`, `service/config`).',
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
  if (missing.length > 0) throw new Error(`the architecture page names files that do not exist: ${missing.join(', ')}`);
  return files.map((file) => `[\`${file}\`](../${file})`).join(' and ');
}
