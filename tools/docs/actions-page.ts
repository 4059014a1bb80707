import type { ActionDeclaration } from '../../core/action/action.ts';
import { actions } from '../../core/actions/index.ts';
import { fieldsOf } from '../../service/commands/action-fields.ts';

function rightsOf({ rights }: ActionDeclaration): string {
  if (rights.length === 0) return 'No rights in the cluster.';
  const rows = rights.map(
    ({ apiGroup, resource, verbs, in: where }) =>
      `| \`${apiGroup || 'core'}\` | \`${resource}\`${where ? `, in its ${where} only` : ''} | ${verbs.join(', ')} |`,
  );
  return ['| API group | resource | verbs |', '|---|---|---|', ...rows].join('\n');
}

function inputOf(action: ActionDeclaration): string {
  const rows = fieldsOf(action).map(
    ({ field, kind, required, description }) => `| \`${field}\` | ${kind}${required ? '' : ', optional'} | ${description} |`,
  );
  return ['| field | what it is | |', '|---|---|---|', ...rows].join('\n');
}

function section(action: ActionDeclaration): string {
  const { planMs, applyMs, verifyMs } = action.timeouts;
  const facts = [
    `- **Effect** ${action.effect}, **reach** ${action.reach}, done by the pool **${action.pool}**`,
    ...(action.optIn
      ? ['- **Off by default**: `actions.optIn` of the configuration turns it on, and its rights are in a separate manifest']
      : []),
    `- **Needs from the alert** ${action.requires.join(', ') || 'nothing'}`,
    `- **Verified by** ${action.verifiedBy}`,
    `- **Undo** ${action.undo}`,
    ...(action.outcomes
      ? [
          `- **Events** ${Object.values(action.outcomes)
            .map((word) => `\`${word}\``)
            .join(', ')}`,
        ]
      : []),
    `- **Time for one attempt** plan ${planMs / 1_000} s, apply ${applyMs / 1_000} s, verify ${verifyMs / 1_000} s`,
  ].join('\n');
  const example = `\`\`\`ts\nsteps.${action.name}(${JSON.stringify(action.example, null, 2)})\n\`\`\``;
  return [`## ${action.name}`, `${action.title}.`, facts, inputOf(action), example, rightsOf(action)].join('\n\n');
}

/** Generates `docs/actions.md` from the declarations. */
export function actionsPage(): string {
  const rows = actions.map(
    (action) => `| [\`${action.name}\`](#${action.name.toLowerCase()}) | ${action.title} | ${action.effect} | ${action.reach} |`,
  );
  return [
    '# Actions',
    'What a playbook can do. A `destructive` action needs the approval of people for exactly its plan; a `reversible` one lasts as long as its lease; `read` stops nothing and changes nothing that runs.',
    ['| action | what it does | effect | reach |', '|---|---|---|---|', ...rows].join('\n'),
    ...actions.map(section),
  ].join('\n\n');
}
