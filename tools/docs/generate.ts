/** Writes the generated pages of `docs/`; with `--check` only reports which are out of date, with exit code 1. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { actions } from '../../core/actions/index.ts';
import { openApiDescription } from '../../core/console/open-api.schema.ts';
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
import { namesIn, temporalCalls } from '../../core/messages/temporal-calls.ts';
import { playbooks } from '../../playbooks/index.ts';
import { usualNamespace } from '../../service/config/fields.ts';
import { configInValues, configJsonSchema } from '../../service/config/json-schema.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { rbacManifests } from '../../service/rbac/manifests.ts';
import { pausers } from '../../service/rbac/pausing-manifests.ts';
import { risksOf } from '../../service/rbac/risks.ts';
import { writeGenerated } from '../generated.ts';
import { actionsPage } from './actions-page.ts';
import { architecturePage } from './architecture-page.ts';
import { configurationPage } from './configuration-page.ts';
import { pageName, playbookDrawings, playbookPage, playbooksPage } from './playbook-pages.ts';
import { rulesPage } from './rules-page.ts';
import { valuesPage } from './values-page.ts';

const strangers: readonly Outsider[] = ['temporal', 'payload-key', 'person'];

const pages: readonly { readonly name: string; readonly source: string; readonly make: () => string }[] = [
  { name: 'actions.md', source: 'core/actions', make: actionsPage },
  { name: 'architecture.md', source: 'the imports of all files', make: architecturePage },
  { name: 'configuration.md', source: 'service/config', make: configurationPage },
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
    source: 'the playbooks and what their tests pin down',
    make: () => playbookPage(playbook),
  })),
  { name: 'rule-confidence.md', source: 'core/assessment', make: rulesPage },
  { name: 'rights.md', source: 'service/rbac', make: rightsPage },
];

function textOf({ source, make }: (typeof pages)[number]): string {
  return `<!-- Generated from ${source} by \`node tools/docs/generate.ts\`. Do not edit. -->\n\n${make()}\n`;
}

function chartFile(name: string): string {
  return readFileSync(join(projectRoot(), 'deploy', 'helm', 'firebreak', name), 'utf8');
}

/** Generates `docs/errors.md` from the catalogue. */
function errorsPage(): string {
  const rows = Object.entries(errorCatalogue).map(
    ([code, { summary, retryable, remedy }]) => `| \`${code}\` | ${summary} | ${retryable ? 'yes' : 'no'} | ${remedy} |`,
  );
  return [
    '# Errors',
    'Every error that Firebreak raises on purpose has one of these codes. *Retried* says whether the same call may succeed later; the engine retries those automatically. No error holds a secret, a response body or a header.',
    ['| code | what is wrong | retried | what to do |', '|---|---|---|---|', ...rows].join('\n'),
  ].join('\n\n');
}

/** Generates `docs/hostile-bus.md` from the table of what can be sent over Temporal. */
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
    'Everything that can be sent to Firebreak over Temporal, and what happens if an outsider sends it: with access to Temporal alone; with the payload key too; with the payload key and the key of a person of the roster. Each row has a test on a real server (`test/platform/temporal/hostile-bus.test.ts`). The test also fails if something is registered that is missing here. The reasons are in [decisions/hostile-bus.md](decisions/hostile-bus.md).',
    [
      '| what | whose word it takes | Temporal alone | with the payload key | with a person’s key too |',
      '|---|---|---|---|---|',
      ...workflows,
      ...activities,
    ].join('\n'),
    '**A person’s own vote**, sent by that person with the payload key: alone it decides nothing if two are needed. Replayed it counts once, and not at all once its person has answered again. It is refused, on record, if it is for another question or asking, for another incident or for a choice that does not exist; if it is in another’s name or came another way; if it is dated into the future, or back into a time as a stand-in; or if it was changed after it was signed. This test checks votes and orders as a cell does.',
    'A person’s own **order** (a freeze, suppression, observe mode or break-glass session, the end of one, the start of an incident, or about evidence), sent to the control workflow by whoever reaches Temporal:',
    whatComesOf(Object.values(sentOrders)),
    'Old messages that were true once and are replayed, and runs that are set back or deleted, by whoever reaches Temporal, with whatever keys:',
    whatComesOf(Object.values(playedBack)),
    'Everything that can be asked of Temporal itself, by the names of its interface. A test (`test/platform/temporal/temporal-calls.test.ts`) fails if Temporal has a call that is missing here:',
    [
      '| calls | what happens |',
      '|---|---|',
      ...temporalCalls.map(
        (row) =>
          `| ${namesIn(row)
            .map((name) => `\`${name}\``)
            .join(', ')} | ${row.outcome} |`,
      ),
    ].join('\n'),
    'An **answer** (of an activity or a query) counts only if the pool or cell that was asked has signed it for exactly that call. Otherwise the workflow asks again, and whoever asked is told. What remains is delay: a workflow can be ended, reset or filled up, and messages can be withheld.',
  ].join('\n\n');
}

function whatComesOf(rows: readonly { readonly what: string; readonly outcome: string }[]): string {
  const lines = rows.map(({ what, outcome }) => `| ${what} | ${outcome} |`);
  return ['| what | what happens |', '|---|---|', ...lines].join('\n');
}

function row(what: string, kind: Parameters<typeof outcomeOf>[0], from: StartedBy): string {
  const whose = kind === 'query' ? '' : whoseWord(from);
  return `| ${[what, whose, ...strangers.map((stranger) => outcomeTexts[outcomeOf(kind, from, stranger)])].join(' | ')} |`;
}

function whoseWord(from: StartedBy): string {
  if (from === 'nobody') return 'nobody’s: it says nothing';
  return from === 'anybody' ? 'a person’s or a desk’s, signed' : from.join(', ');
}

/** What an attacker could do with each account, if every existing action is enabled. */
function rightsPage(): string {
  const risks = risksOf(rbacManifests({ actions, namespace: usualNamespace, gitops: pausers }));
  const accounts = [...new Set(risks.map(({ account }) => account))];
  const lines = [
    '# Impact of a compromised account',
    '',
    'Each pool has a ServiceAccount of its own. This page lists what an attacker with its token could do if **every** action were turned on: what the right alone would allow, and what the admission policies',
    'of the same manifest restrict it to. `firebreak rbac risks --config firebreak.yaml` prints the same for what you have turned on.',
    '',
    '- The policies are in the manifests of `firebreak rbac manifests` and [deploy/rbac](../deploy/rbac). They are in force only once you apply them.',
    '- With `--config firebreak.yaml` both commands pin the image of the tools to `forensics.toolsImage`, and keep the forensics pool out of `guardrails.protectedNamespaces`. Print and apply the manifests again',
    '  before you change either. Without it, any image by digest is allowed.',
    '- With `watch.namespaces` the secrets pool gets its rights to Secrets by a RoleBinding in each of these namespaces, and in no other. Apply the manifests again when the list changes. Without it, the pool can read',
    '  every Secret of the cluster, including Firebreak’s own and those of kube-system: admission judges writes and never reads, and RBAC cannot exclude a namespace. It can create and delete Secrets in neither of',
    '  the two, and nowhere a Secret of another type than those that it rotates.',
    '- Admission cannot tell a right step from a wrong one. Within what it allows, an attacker can contain, roll and end what they like.',
    '- A quarantined pod keeps its labels and Firebreak’s notes, and the policies of a quarantine stay as they are, whoever else may patch pods or write policies. Only the cell changes them, and whoever may `release`',
    '  `quarantines.firebreak.dev` (a right that a ClusterRole can name; administrators have it). Status, deletion and owners are not protected.',
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
  path: 'docs/console-api.json',
  // The version is that of the responding build.
  text: `${JSON.stringify(openApiDescription('1'), null, 2)}\n`,
  problem: ' is not up to date with core/console: run `node tools/docs/generate.ts`',
});
writeGenerated({
  path: 'console/drawings.json',
  text: playbookDrawings(),
  problem: ' is not up to date with the playbooks and what their tests pin down: run `node tools/docs/generate.ts`',
});
writeGenerated({
  path: 'docs/firebreak.schema.json',
  text: configJsonSchema(),
  problem: ' is not up to date with service/config: run `node tools/docs/generate.ts`',
});
const { properties, ...valuesSchema } = JSON.parse(chartFile('values.schema.json'));
writeGenerated({
  path: 'deploy/helm/firebreak/values.schema.json',
  // The handwritten part stays easy to read: the rest is one line.
  text: `${JSON.stringify({ ...valuesSchema, properties: { ...properties, config: null } }, null, 2).replace('"config": null', () => `"config": ${JSON.stringify(configInValues())}`)}\n`,
  problem: ' is not up to date with service/config below `config`: run `node tools/docs/generate.ts`',
});
