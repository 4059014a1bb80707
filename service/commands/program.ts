import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Command, Help, type Option } from 'commander';
import { FirebreakError } from '../../core/errors.ts';

interface LazyCommand {
  readonly name: string;
  /** Another name that people type for it. */
  readonly alias?: string;
  readonly description: string;
  /** Loads the command's module only when it is needed: the Temporal and Kubernetes clients take half a second. */
  readonly register: (program: Command) => Promise<void>;
  /** Set if the command starts servers on this machine with parts that only a source checkout has. `instead`: what to do without one. */
  readonly needsCheckout?: { readonly instead: string };
}

/** Exists only in a source checkout: builds, packages and the image have no tools. */
const tools = join(import.meta.dirname, '../../tools/commands');

/** The groups of the help, in its order, with their commands. */
const groups: readonly { readonly title: string; readonly commands: readonly LazyCommand[] }[] = [
  {
    title: 'Respond',
    commands: [
      {
        name: 'quarantine',
        description: 'cut off a pod now; other people decide what happens next',
        register: async (program) => (await import('./incidents/start-incident.ts')).registerQuarantineCommand(program),
      },
      {
        name: 'answer',
        description: 'answer an open question',
        register: async (program) => (await import('./vote.ts')).registerAnswerCommand(program),
      },
      {
        name: 'containment',
        alias: 'lease',
        description: 'extend or release a containment, or make it permanent',
        register: async (program) => (await import('./lease.ts')).registerContainmentCommand(program),
      },
      {
        name: 'release',
        description: 'undo containments with nothing but a kubeconfig',
        register: async (program) => (await import('./release.ts')).registerReleaseCommand(program),
      },
    ],
  },
  {
    title: 'Look',
    commands: [
      {
        name: 'incidents',
        description: 'list, show and watch incidents; start or export one',
        register: async (program) => (await import('./incidents/incidents.ts')).registerIncidentsCommand(program),
      },
      {
        name: 'get',
        description: 'list incidents and containments with nothing but a kubeconfig',
        register: async (program) => (await import('./why.ts')).registerGetCommand(program),
      },
      {
        name: 'why',
        description: 'why a pod is cut off, and whom to ask',
        register: async (program) => (await import('./why.ts')).registerWhyCommand(program),
      },
      {
        name: 'explain',
        description: 'what would happen now if a rule fired, and why',
        register: async (program) => (await import('./assess/explain.ts')).registerExplainCommand(program),
      },
      {
        name: 'assess',
        description: "what would have been done about a sensor's log",
        register: async (program) => (await import('./assess/assess.ts')).registerAssessCommand(program),
      },
      {
        name: 'alerts',
        description: 'read, send and inspect alerts',
        register: async (program) => (await import('./alerts/alerts.ts')).registerAlertsCommand(program),
      },
      {
        name: 'tune',
        description: 'the noisiest rules and workloads, and what to do about them',
        register: async (program) => (await import('./records/tune.ts')).registerTuneCommand(program),
      },
    ],
  },
  {
    title: 'Hold back',
    commands: [
      {
        name: 'hold',
        description: 'freeze, observe or break glass for a time; list or end it',
        register: async (program) => (await import('./orders/restrain.ts')).registerHoldCommand(program),
      },
      {
        name: 'suppress',
        alias: 'suppressions',
        description: 'hide alerts for a time; a second person must agree',
        register: async (program) => (await import('./orders/suppress.ts')).registerSuppressCommand(program),
      },
    ],
  },
  {
    title: 'Playbooks',
    commands: [
      {
        name: 'playbooks',
        description: 'the playbooks, and the alerts that they answer',
        register: async (program) => (await import('./playbooks/playbooks.ts')).registerPlaybooksCommand(program),
      },
      {
        name: 'actions',
        description: 'the actions of playbooks, and the rights that they need',
        register: async (program) => (await import('./actions.ts')).registerActionsCommand(program),
      },
      {
        name: 'try',
        description: 'simulate, backtest or fork: what playbooks would do',
        register: async (program) => {
          const tried = await registerMerged(program, 'try', ['simulate', 'backtest', 'snapshot']);
          (await import('./incidents/fork-incident.ts')).registerForkCommand(tried);
        },
      },
      {
        name: 'pack',
        description: 'your own playbooks: create, check, publish and promote them',
        register: async (program) => (await import('./pack/pack.ts')).registerPackCommand(program),
      },
      {
        name: 'check',
        description: 'check a pack before it goes live',
        register: async (program) => (await import('./playbooks/check.ts')).registerCheck(program),
      },
      {
        name: 'builds',
        description: 'the builds that open incidents use',
        register: async (program) => (await import('./pack/builds.ts')).registerBuildsCommand(program),
      },
    ],
  },
  {
    title: 'Records',
    commands: [
      {
        name: 'audit',
        description: 'verify and inspect the audit records',
        register: async (program) => (await import('./records/audit.ts')).registerAuditCommand(program),
      },
      {
        name: 'evidence',
        description: 'list, verify and read the evidence',
        register: async (program) => (await import('./evidence/evidence.ts')).registerEvidenceCommand(program),
      },
      {
        name: 'records',
        description: 'retention of records, and legal holds',
        register: async (program) => (await import('./records/holds.ts')).registerRecordsCommand(program),
      },
      {
        name: 'report',
        description: 'how people decide, compliance, drafts for authorities',
        register: async (program) => (await import('./records/report.ts')).registerReportCommand(program),
      },
      {
        name: 'deadlines',
        description: 'deadlines for notifying authorities of incidents',
        register: async (program) => (await import('./records/deadlines.ts')).registerDeadlinesCommand(program),
      },
      {
        name: 'bundle',
        description: 'check an exported incident',
        register: async (program) => (await import('./records/bundle.ts')).registerBundleCommand(program),
      },
      {
        name: 'stream',
        description: 'send records to a SIEM or an event store',
        register: async (program) => (await import('./records/stream.ts')).registerStreamCommand(program),
      },
    ],
  },
  {
    title: 'Operate',
    commands: [
      {
        name: 'run',
        description: 'run the service: one or more roles',
        register: async (program) => (await import('./run.ts')).registerRunCommand(program),
      },
      {
        name: 'init',
        description: 'create a configuration, chart values, Secrets and the Slack app',
        register: async (program) => (await import('./installation/init.ts')).registerInitCommand(program),
      },
      {
        name: 'config',
        description: 'the configuration file',
        register: async (program) => (await import('./config/config.ts')).registerConfigCommand(program),
      },
      {
        name: 'doctor',
        description: 'check what an installation needs, and say what to do',
        register: async (program) => (await import('./installation/doctor.ts')).registerDoctorCommand(program),
      },
      {
        name: 'version',
        description: 'versions, and whether everything running is compatible',
        register: async (program) => (await import('./config/version.ts')).registerVersionCommand(program),
      },
      {
        name: 'admin',
        description: 'the database, backups, keys and rights in the cluster',
        register: async (program) => {
          await registerMerged(program, 'admin', ['database', 'backup', 'restore', 'keys', 'rbac']);
        },
      },
      {
        name: 'roster',
        description: 'who may decide, and who is on call',
        register: async (program) => (await import('./roster.ts')).registerRosterCommand(program),
      },
      {
        name: 'login',
        description: 'sign in to a desk, to look from your own machine with --desk',
        register: async (program) => (await import('./desk/sign-in.ts')).registerLoginCommand(program),
      },
      {
        name: 'logout',
        description: 'sign out of a desk',
        register: async (program) => (await import('./desk/sign-in.ts')).registerLogoutCommand(program),
      },
      {
        name: 'demo',
        needsCheckout: { instead: 'Get the source, then follow `firebreak docs quickstart`.' },
        description: 'one incident from alert to end (in a checkout)',
        register: (program) => registerTool(program, 'demo'),
      },
      {
        name: 'dev',
        needsCheckout: {
          instead:
            '`firebreak run --watch PACK` also watches a pack, with a Temporal and a Kubernetes API server of your own on this machine.',
        },
        description: 'servers on this machine, for development (in a checkout)',
        register: (program) => registerTool(program, 'dev'),
      },
      {
        name: 'docs',
        description: 'the pages of the documentation of this version',
        register: async (program) => (await import('./installation/docs.ts')).registerDocsCommand(program),
      },
      {
        name: 'completion',
        alias: 'complete',
        description: 'shell completion for bash, zsh and fish',
        register: async (program) => (await import('./installation/completion.ts')).registerCompletionCommand(program),
      },
    ],
  },
];

/** Names by which people knew a command before it was merged into another: they keep working, and the help does not list them. */
const earlier: readonly LazyCommand[] = [
  {
    name: 'approve',
    description: 'answer an open question with a choice that makes changes',
    register: async (program) => (await import('./vote.ts')).registerApproveCommand(program),
  },
  {
    name: 'deny',
    description: 'answer an open question with a choice that destroys nothing',
    register: async (program) => (await import('./vote.ts')).registerDenyCommand(program),
  },
  {
    name: 'freeze',
    description: 'freeze: for a time nothing is automatic, and each step becomes a question',
    register: async (program) => (await import('./orders/restrain.ts')).registerFreezeCommand(program),
  },
  {
    name: 'observe',
    description: 'observe mode: for a time nothing is done, and each step becomes a recorded plan',
    register: async (program) => (await import('./orders/restrain.ts')).registerObserveCommand(program),
  },
  {
    name: 'break-glass',
    description: 'lift caps, freezes and change windows for a short time, for one incident or namespace',
    register: async (program) => (await import('./orders/restrain.ts')).registerBreakGlassCommand(program),
  },
  {
    name: 'unfreeze',
    description: 'end a freeze, an observe mode or a break-glass session',
    register: async (program) => (await import('./orders/restrain.ts')).registerUnfreezeCommand(program),
  },
  {
    name: 'restraints',
    description: 'freezes, observe modes and break-glass sessions, in force and proposed',
    register: async (program) => (await import('./orders/restrain.ts')).registerRestraintsCommand(program),
  },
  {
    name: 'simulate',
    description: 'show what playbooks would do about alerts, without a cluster',
    register: async (program) => (await import('./playbooks/simulate.ts')).registerSimulateCommand(program),
  },
  {
    name: 'backtest',
    description: 'show what playbooks would have done about recorded alerts',
    register: async (program) => (await import('./playbooks/backtest.ts')).registerBacktestCommand(program),
  },
  {
    name: 'snapshot',
    description: 'record a cluster, to make plans without it',
    register: async (program) => (await import('./playbooks/snapshot.ts')).registerSnapshotCommand(program),
  },
  {
    name: 'database',
    description: 'the schema of the database with the records',
    register: async (program) => (await import('./records/database.ts')).registerDatabaseCommand(program),
  },
  {
    name: 'backup',
    description: 'back up everything that cannot be recreated',
    register: async (program) => (await import('./records/backup.ts')).registerBackupCommand(program),
  },
  {
    name: 'restore',
    description: 'restore a backup',
    register: async (program) => (await import('./records/backup.ts')).registerRestoreCommand(program),
  },
  {
    name: 'keys',
    description: 'the keys of an installation whose roles run separately',
    register: async (program) => (await import('./installation/keys.ts')).registerKeysCommand(program),
  },
  {
    name: 'rbac',
    description: 'the rights in the cluster: what is needed, and what is missing',
    register: async (program) => (await import('./rbac.ts')).registerRbacCommand(program),
  },
];

const commands: readonly LazyCommand[] = [...earlier, ...groups.flatMap((group) => group.commands)];

/** The name of the command that these arguments ask for; undefined if they name none, or only ask for help. */
function wanted(args: readonly string[]): string | undefined {
  return args.find((arg) => !arg.startsWith('-') && arg !== 'help');
}

interface ProgramOptions {
  readonly version: string;
  readonly args: readonly string[];
}

/** The program with the one command that `args` ask for; the others have only a name and a description. */
export async function createProgram({ version, args }: ProgramOptions): Promise<Command> {
  // Also considers what a shell asks to complete, as in `complete -- incidents sh`.
  const completed = args[0] === 'complete' ? [wanted(args.slice(1))] : [];
  const names = [wanted(args), ...completed].filter((name) => name !== undefined);
  const program = await programWith(
    version,
    ({ name, alias }) => names.includes(name) || (alias !== undefined && names.includes(alias)),
  );
  if (args.some((arg) => /^--desk(=|$)/.test(arg))) (await import('./desk/desk-options.ts')).refuseDesk(program);
  return program;
}

/** The program with all its commands, for inspection: this loads everything. */
export function createWholeProgram({ version }: Pick<ProgramOptions, 'version'>): Promise<Command> {
  return programWith(version, () => true);
}

async function programWith(version: string, isLoaded: (command: LazyCommand) => boolean): Promise<Command> {
  const inCheckout = existsSync(tools);
  const program = new CommandLine('firebreak')
    .description(
      'Contains the workload named in a runtime alert, asks people before anything destructive, and keeps a record of it all.',
    )
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .addHelpText('after', '\nBegin with `firebreak incidents list`; `firebreak help COMMAND` has examples.')
    .exitOverride();
  for (const command of commands) {
    if (program.commands.some((known) => known.name() === command.name)) continue;
    const { name, description, needsCheckout } = command;
    const without = inCheckout ? undefined : needsCheckout;
    if (isLoaded(command) && without) withoutCheckout(program, command, without);
    else if (isLoaded(command)) await command.register(program);
    else if (!earlier.includes(command)) program.command(name).description(description);
  }
  return program;
}

/** Adds a command with these earlier ones as its subcommands. */
async function registerMerged(program: Command, name: string, names: readonly string[]): Promise<Command> {
  const description = commands.find((command) => command.name === name)?.description ?? '';
  const merged = program.command(name).description(description);
  for (const { register } of earlier.filter((command) => names.includes(command.name))) await register(merged);
  return merged;
}

async function registerTool(program: Command, name: string): Promise<void> {
  const { register }: { readonly register: (program: Command) => void } = await import(
    pathToFileURL(join(tools, `${name}.ts`)).href
  );
  register(program);
}

const onlyInCheckout = 'only in a checkout of the source';

function withoutCheckout(
  program: Command,
  { name, description }: LazyCommand,
  { instead }: NonNullable<LazyCommand['needsCheckout']>,
): void {
  program
    .command(name)
    .description(`${description}; ${onlyInCheckout}`)
    .allowUnknownOption()
    .allowExcessArguments()
    .action(() => {
      throw new FirebreakError(
        'FB_ERR_PLATFORM_PART_MISSING',
        `firebreak ${name} is not included in this build: run bin/firebreak.mjs ${name} in a checkout of the source`,
        { remedy: instead },
      );
    });
}

declare module 'commander' {
  interface Command {
    /** Commander calls this for an unknown option; its types omit it. */
    unknownOption(flag: string): never;
  }
}

/** Maximum number of commands to suggest for an option: one that most commands have tells nothing. */
const mostMeant = 2;

/** Help that omits empty defaults (`[]`, `{}` or `false`), and shows the commands of the program in groups, on one screen. */
class PlainHelp extends Help {
  override formatHelp(command: Command, help: Help): string {
    if (command.parent) return super.formatHelp(command, help);
    const width = Math.max(...groups.flatMap((group) => group.commands.map(({ name }) => name.length)));
    const lines = groups.flatMap(({ title, commands: own }) => [
      `${title}:`,
      ...own.flatMap(({ name }) => {
        const description = command.commands.find((one) => one.name() === name)?.description();
        return description === undefined ? [] : [`  ${name.padEnd(width)}  ${description}`];
      }),
    ]);
    return [`Usage: ${this.commandUsage(command)}`, '', ...lines, ''].join('\n');
  }

  override optionDescription(option: Option): string {
    const { defaultValue: usual } = option;
    const isNothing = usual === false || (typeof usual === 'object' && usual !== null && Object.keys(usual).length === 0);
    if (!isNothing) return super.optionDescription(option);
    const without: Option = Object.create(option, { defaultValue: { value: undefined } });
    return super.optionDescription(without);
  }
}

/** A Commander command whose errors name everything that is missing at once, and show the usage. */
class CommandLine extends Command {
  override createCommand(name?: string): CommandLine {
    return new CommandLine(name);
  }

  override createHelp(): Help {
    return Object.assign(new PlainHelp(), this.configureHelp());
  }

  override error(message: string, options?: Parameters<Command['error']>[1]): never {
    const path = this.#path();
    const way = this.commands.length > 0 ? `\`${path} --help\` lists its commands` : `Usage: ${path} ${this.usage()}`;
    return super.error(
      `${message.trimEnd()}\n→ ${way}${this.commands.length > 0 ? '' : `; \`${path} --help\` shows all options`}.`,
      options,
    );
  }

  /** For a group, suggests the commands that have the option. */
  override unknownOption(flag: string): never {
    const owners = this.commands.filter(({ options }) => options.some(({ long, short }) => long === flag || short === flag));
    if (owners.length > 0 && owners.length <= mostMeant) {
      const meant = owners.map((one) => `${this.#path()} ${one.name()}`).join(' or ');
      return this.error(`error: unknown option '${flag}'\n(Did you mean ${meant}?)`, { code: 'commander.unknownOption' });
    }
    return super.unknownOption(flag);
  }

  /** Commander calls this for the first missing option, and has no other hook to change the message. */
  missingMandatoryOptionValue(): never {
    return this.#missing('commander.missingMandatoryOptionValue');
  }

  /** The same for an argument. */
  missingArgument(): never {
    return this.#missing('commander.missingArgument');
  }

  #missing(code: string): never {
    const args = this.registeredArguments.flatMap((argument, index) =>
      argument.required && this.args[index] === undefined ? [`<${argument.name()}>`] : [],
    );
    const options = this.options.flatMap((option) =>
      option.mandatory && this.getOptionValue(option.attributeName()) === undefined
        ? [
            `${option.long ?? option.flags} ${option.flags.replace(/^[^<[]*/, '')}`.trim() +
              (option.envVar ? ` (or ${option.envVar})` : ''),
          ]
        : [],
    );
    return this.error(`error: missing ${[...args, ...options].join(', ')}`, { code });
  }

  #path(): string {
    const names: string[] = [];
    for (let command: Command | null = this; command !== null; command = command.parent) names.unshift(command.name());
    return names.join(' ');
  }
}
