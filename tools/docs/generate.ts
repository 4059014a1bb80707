/** Writes the generated pages of `docs/`; with `--check` only says which are not up to date, with exit code 1. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { actions } from '../../core/actions/index.ts';
import { errorCatalogue } from '../../core/errors.ts';
import {
  activitiesOrderedBy,
  activityTable,
  type Outsider,
  outcomeOf,
  outcomeTexts,
  playedBack,
  type StartedBy,
  sentOrders,
  workflowTable,
} from '../../core/messages/message-table.ts';
import { playbooks } from '../../playbooks/index.ts';
import { usualNamespace } from '../../service/config/fields.ts';
import { configJsonSchema } from '../../service/config/json-schema.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { rbacManifests } from '../../service/rbac/manifests.ts';
import { pausers } from '../../service/rbac/pausing-manifests.ts';
import { risksOf } from '../../service/rbac/risks.ts';
import { writeGenerated } from '../generated.ts';
import { actionsPage } from './actions-page.ts';
import { architecturePage } from './architecture-page.ts';
import { configurationPage } from './configuration-page.ts';
import { coveragePage } from './coverage-page.ts';
import { pageName, playbookPage, playbooksPage } from './playbook-pages.ts';
import { valuesPage } from './values-page.ts';

const strangers: readonly Outsider[] = ['temporal', 'payload-key', 'person'];

const pages: readonly { readonly name: string; readonly source: string; readonly make: () => string }[] = [
  { name: 'actions.md', source: 'core/actions', make: actionsPage },
  { name: 'architecture.md', source: 'the imports of all files', make: architecturePage },
  { name: 'configuration.md', source: 'service/config', make: configurationPage },
  { name: 'coverage.md', source: 'core/rules and playbooks', make: coveragePage },
  { name: 'errors.md', source: 'core/errors.ts', make: errorsPage },
  {
    name: 'helm-values.md',
    source: 'deploy/helm/firebreak',
    make: () => valuesPage({ schema: chartFile('values.schema.json'), values: chartFile('values.yaml') }),
  },
  { name: 'hostile-bus.md', source: 'core/messages/message-table.ts', make: hostileBusPage },
  { name: 'playbooks/README.md', source: 'playbooks', make: playbooksPage },
  ...playbooks.map((playbook) => ({
    name: `playbooks/${pageName(playbook)}.md`,
    source: 'playbooks and what their tests hold fast',
    make: () => playbookPage(playbook),
  })),
  { name: 'rights.md', source: 'service/rbac', make: rightsPage },
];

function textOf({ source, make }: (typeof pages)[number]): string {
  return `<!-- Generated from ${source} by \`node tools/docs/generate.ts\`. Do not edit. -->\n\n${make()}\n`;
}

function chartFile(name: string): string {
  return readFileSync(join(projectRoot(), 'deploy', 'helm', 'firebreak', name), 'utf8');
}

/** `docs/errors.md`, from the catalogue. */
function errorsPage(): string {
  const rows = Object.entries(errorCatalogue).map(
    ([code, { summary, retryable, remedy }]) => `| \`${code}\` | ${summary} | ${retryable ? 'yes' : 'no'} | ${remedy} |`,
  );
  return [
    '# Errors',
    'Every error that Firebreak raises on purpose has one of these codes. *Retried* says whether the same call may succeed later; the engine retries those by itself. No error holds a secret, a response body or a header.',
    ['| code | what is wrong | retried | what to do |', '|---|---|---|---|', ...rows].join('\n'),
  ].join('\n\n');
}

/** `docs/hostile-bus.md`, from the table of what can be sent over Temporal. */
function hostileBusPage(): string {
  const workflows = Object.entries(workflowTable).flatMap(([type, { startedBy, signals, queries }]) => [
    row(`start of \`${type}\``, 'start', startedBy),
    ...Object.entries(signals).map(([name, from]) => row(`signal \`${name}\` to \`${type}\``, 'signal', from)),
    ...queries.map((name) => row(`query \`${name}\` of \`${type}\``, 'query', 'anybody')),
  ]);
  const activities = Object.entries(activityTable).flatMap(([role, names]) =>
    names.map((name) => row(`activity \`${name}\` on the queue of \`${role}\``, 'activity', activitiesOrderedBy)),
  );
  return [
    '# What somebody with access to Temporal can do',
    'Everything that can be sent to Firebreak over Temporal, and what comes of it when somebody sends it who is none of us: with access to Temporal alone; with the payload key besides; with the payload key and the key of a person of the roster. Of each row there is a test on a real server (`test/platform/temporal/hostile-bus.test.ts`), which fails as well when something is registered that is not in here. Why it is so: [decisions/hostile-bus.md](decisions/hostile-bus.md).',
    [
      '| what | whose word it takes | Temporal alone | with the payload key | with a person’s key besides |',
      '|---|---|---|---|---|',
      ...workflows,
      ...activities,
    ].join('\n'),
    '**A person’s own vote**, sent by that person with the payload key: alone it decides nothing where two are needed. Played back it counts once, and it does not come back when its person has answered anew since. For another question or asking, another incident, a choice that is none, in another’s name, by another way in, dated into the future, or back into a time as a stand-in, or changed after it was signed, it is refused, and that is on record. Votes and orders are checked in this test as a cell checks them.',
    'A person’s own **order** (to freeze, suppress, observe or break the glass, to end these, to start an incident, about evidence), sent to the control workflow by whoever reaches Temporal:',
    whatComesOf(Object.values(sentOrders)),
    'What was true once, sent again or set back, by whoever reaches Temporal with whatever keys:',
    whatComesOf(Object.values(playedBack)),
    'An **answer** (of an activity or a query) that the pool or cell that was asked has not signed, for exactly that call, is no answer: the workflow asks again, and the asker is told. What is left is delay: a workflow can be ended, reset or filled up, and what was sent can be held back.',
  ].join('\n\n');
}

function whatComesOf(rows: readonly { readonly what: string; readonly outcome: string }[]): string {
  const lines = rows.map(({ what, outcome }) => `| ${what} | ${outcome} |`);
  return ['| what | what comes of it |', '|---|---|', ...lines].join('\n');
}

function row(what: string, kind: Parameters<typeof outcomeOf>[0], from: StartedBy): string {
  const whose = kind === 'query' ? '' : whoseWord(from);
  return `| ${[what, whose, ...strangers.map((stranger) => outcomeTexts[outcomeOf(kind, from, stranger)])].join(' | ')} |`;
}

function whoseWord(from: StartedBy): string {
  if (from === 'nobody') return 'nobody’s: it says nothing';
  return from === 'anybody' ? 'a person’s or a desk’s, signed' : from.join(', ');
}

/** What a thief of each account could do, with every action there is. */
function rightsPage(): string {
  const risks = risksOf(rbacManifests({ actions, namespace: usualNamespace, gitops: pausers }));
  const accounts = [...new Set(risks.map(({ account }) => account))];
  const lines = [
    '# What a thief of each account could do',
    '',
    'Each pool has a ServiceAccount of its own. This is what whoever has its token could do when **every** action is turned on: what the right alone would let them do,',
    'and what the admission policies of the same manifest hold them to. `firebreak rbac risks --config firebreak.yaml` prints the same for what you have turned on.',
    '',
    '- The policies are in the manifests of `firebreak rbac manifests` and [deploy/rbac](../deploy/rbac), and are in force only when you apply these.',
    '- With `--config firebreak.yaml` both commands pin the image of the tools to `forensics.toolsImage`, and keep the forensics pool out of `guardrails.protectedNamespaces`. Print',
    '  and apply the manifests again before you change either. Without it any image by digest will do.',
    '- With `watch.namespaces` the secrets pool gets its rights to Secrets by a RoleBinding in each of these, and none elsewhere: apply the manifests again when the list changes.',
    '  Without it it can read every Secret of the cluster, Firebreak’s own and those of kube-system too: admission looks at what is written, never at what is read, and RBAC can name',
    '  where something may be read, and not where it may not. It makes and deletes Secrets in neither of the two, and nowhere any of another type than those that it rotates.',
    '- Admission cannot tell a right step from a wrong one: within what it lets through, a thief can contain, roll and end what they like.',
    '- A quarantined pod keeps its labels and what Firebreak has noted on it, and the policies of a quarantine stay as they are, whoever else may patch pods or write policies: only the',
    '  cell changes them, and who may `release` `quarantines.firebreak.dev` (a right that a ClusterRole can name; administrators have it). Status, deletion and owners are not kept.',
  ];
  for (const account of accounts) {
    lines.push('', `## ${account}`, '', '| right | alone, they could | admission says |', '|---|---|---|');
    for (const risk of risks.filter((one) => one.account === account))
      lines.push(`| ${risk.right} | ${risk.alone} | ${risk.heldTo.length > 0 ? risk.heldTo.join('; ') : '(not narrowed)'} |`);
  }
  return lines.join('\n');
}

for (const page of pages) {
  const problem = ` is not up to date with ${page.source}: run \`node tools/docs/generate.ts\``;
  writeGenerated({ path: `docs/${page.name}`, text: textOf(page), problem });
}
writeGenerated({
  path: 'docs/firebreak.schema.json',
  text: configJsonSchema(),
  problem: ' is not up to date with service/config: run `node tools/docs/generate.ts`',
});
