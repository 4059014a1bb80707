import { randomBytes } from 'node:crypto';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Severity, severities } from '../../../core/alert/severity.ts';
import type { ProposeSuppression, SuppressionMatch } from '../../../core/orders/suppression.ts';
import { glob } from '../../../core/playbook/match.ts';
import type { Session } from '../../incidents/session.ts';
import { withConfig, withExamples } from '../options.ts';
import { withSession } from '../session.ts';
import { type ProposeOptions, propose, proposing, registerApproval, registerEnd, registerList } from './decide.ts';
import { listSuppressions, showSuppression } from './suppress-text.ts';

const dayMs = 86_400_000;

interface AddOptions extends ProposeOptions {
  readonly rule: string;
  readonly workload: Pick<SuppressionMatch, 'namespace' | 'workload'>;
  readonly digest: string;
  readonly sensor?: string;
  readonly exe?: string;
  readonly arguments?: string;
  readonly upTo: Severity;
  readonly days: number;
}

function workload(text: string): AddOptions['workload'] {
  const [namespace, kind, name, ...rest] = text.split('/');
  if (!namespace || !kind || !name || rest.length > 0) throw new InvalidArgumentError('Expected NAMESPACE/Kind/NAME.');
  return { namespace, workload: { kind, name } };
}

function digest(text: string): string {
  if (!/^sha256:[0-9a-f]{64}$/.test(text)) throw new InvalidArgumentError('Expected sha256: and 64 hex digits.');
  return text;
}

function days(text: string): number {
  const number = Number(text);
  if (!(number > 0 && number <= 30)) throw new InvalidArgumentError('Expected a number of days, at most 30.');
  return number;
}

/** Adds `firebreak suppress add|approve|list|show|end`. */
export function registerSuppressCommand(program: Command): void {
  const suppress = program
    .command('suppress')
    .alias('suppressions')
    .description('hide alerts for a time: one person proposes it, another approves it');

  const add = proposing(suppress.command('add').description('propose to hide alerts; somebody else must approve it'))
    .requiredOption('--rule <name>', 'the rule, exactly')
    .addOption(new Option('--workload <namespace/Kind/name>', 'the one workload').argParser(workload).makeOptionMandatory())
    .addOption(new Option('--digest <sha256:…>', 'digest of the one image').argParser(digest).makeOptionMandatory())
    .addOption(
      new Option('--up-to <severity>', 'the highest severity to hide; critical takes two approvals')
        .choices(severities)
        .default('medium'),
    )
    .option('--days <number>', 'for how long, 30 at most', days, 7)
    .option('--sensor <name>', 'only from this sensor')
    .option('--exe <path>', 'only for this executable')
    .option('--arguments <pattern>', 'only for command lines like this: * stands for any text, ? for one character');
  withExamples(add, [
    'firebreak suppress add --rule "Terminal shell in container" --workload shop/Deployment/debug --digest sha256:… --days 14 --reason "our own debug pod" --as ada --key ~/.firebreak/ada.pem',
  ]).action((options: AddOptions) => {
    const make = ({ config: { cluster } }: Session, at: string): ProposeSuppression => {
      const { rule, workload, digest, sensor, exe, arguments: like, upTo, days, reason, as: person, owner = person } = options;
      const process = { ...(exe !== undefined && { path: exe }), ...(like !== undefined && { arguments: glob(like) }) };
      const match = {
        rule,
        ...workload,
        image: { digest },
        ...(sensor !== undefined && { sensor }),
        ...((exe ?? like) !== undefined && { process }),
      };
      const until = new Date(Date.parse(at) + days * dayMs).toISOString();
      const id = randomBytes(8).toString('hex');
      const terms = { version: 1, id, cluster, match, upTo, owner, reason, from: at, until } as const;
      return { version: 1, kind: 'suppression.propose', person, at, terms };
    };
    return propose(options, make, options.workload.workload.name);
  });
  registerApproval(suppress, 'suppression');
  registerEnd(
    suppress.command('end').description('end a suppression or withdraw a proposal; one person is enough'),
    'suppression',
  );
  registerList(
    suppress,
    { name: 'suppress', description: 'list what is hidden and what is proposed; with --desk, only what is hidden' },
    {
      here: listSuppressions,
      atDesk: async (at, options) => (await import('../desk/desk-in-force.ts')).listSuppressionsAtDesk(at, options),
    },
  );
  withExamples(
    withConfig(
      suppress
        .command('show')
        .description('show one suppression, and which alerts it has hidden')
        .argument('<id>', 'id of the suppression'),
    ),
    ['firebreak suppress show 0123456789abcdef'],
  ).action((id: string, options: { readonly config: string; readonly json?: true }) =>
    withSession(options, (session) => showSuppression(session, id, options)),
  );
}
