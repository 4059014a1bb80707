import { type Command, Option } from 'commander';
import { withExamples, withJson } from '../../service/commands/options.ts';
import { printJson } from '../../service/commands/output.ts';
import { type DemoOptions, runDemo } from '../demo/demo.ts';
import { Stage } from '../demo/stage.ts';

interface DemoCommandOptions {
  readonly yes?: true;
  readonly no?: true;
  readonly keep?: true;
  readonly state?: string;
  readonly json?: true;
}

/** Adds `firebreak demo`: starts everything on this machine, and runs one incident from the alert to its end. */
export function register(program: Command): void {
  const command = program
    .command('demo')
    .description(
      'start everything on this machine, send a real Falco alert, and show the response; exits with 0 only if the API server confirms that the cluster was changed as claimed',
    )
    .addOption(new Option('--yes', 'answer automatically: remove, as the approver, through Slack').conflicts('no'))
    .addOption(new Option('--no', 'answer automatically: release, which takes two people'))
    .option('--keep', 'keep everything running at the end, until Ctrl-C')
    .option('--state <dir>', 'a new folder for configuration, data and logs (default: a temporary one, removed at the end)');
  withExamples(withJson(command), [
    'firebreak demo                 # you answer, on a page like Slack',
    'firebreak demo --yes           # the pod is removed, its Secret rotated',
    'firebreak demo --no --json     # the pod is released; a summary for programs',
    'firebreak demo --keep --state ./demo',
  ]).action(async (options: DemoCommandOptions) => {
    const interrupted = new Promise<'interrupted'>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve('interrupted'));
    });
    // Operations under way fail as their servers end: the user who interrupted them expects that, and it must not change the exit code.
    void interrupted.then(() => process.on('unhandledRejection', () => {}));
    const answer: DemoOptions['answer'] = options.yes ? 'remove' : options.no ? 'release' : undefined;
    const end = await runDemo({
      keep: options.keep === true,
      // With --json only the summary goes to standard output.
      stage: new Stage(options.json ? process.stderr : process.stdout),
      interrupted,
      ...(answer && { answer }),
      ...(options.state !== undefined && { state: options.state }),
    });
    if (end === 'interrupted') process.exit(130);
    if (options.json) printJson(end);
    process.exitCode = end.ok ? 0 : 1;
  });
}
