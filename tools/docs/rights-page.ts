import { actions } from '../../core/actions/index.ts';
import { usualNamespace } from '../../service/config/fields.ts';
import { rbacManifests } from '../../service/rbac/manifests.ts';
import { risksOf } from '../../service/rbac/risks.ts';

/** What a thief of each account could do, with every action there is. */
export function rightsPage(): string {
  const risks = risksOf(rbacManifests({ actions, namespace: usualNamespace }));
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
