import { randomBytes } from 'node:crypto';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { isRestraint } from '../../../core/decide/decision.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { fullIncidentId, subjectOfIncident } from '../../../core/incident/incident.ts';
import {
  type HoldingMode,
  longestBrokenGlassMs,
  longestRestraintMs,
  type ProposeRestraint,
  type RestraintMode,
  type RestraintScope,
  scopeText,
} from '../../../core/orders/restraint.ts';
import { unknownName } from '../../config/nearest.ts';
import { playbooksOf } from '../../config/packs.ts';
import { namesWithIds } from '../../incidents/names.ts';
import { controlState, type Session } from '../../incidents/session.ts';
import { suggestion } from '../incidents/incident-name.ts';
import { withExamples } from '../options.ts';
import { print, printJson, printTable } from '../output.ts';
import {
  isOver,
  type ListOptions,
  type ProposeOptions,
  propose,
  proposing,
  registerApproval,
  registerEnd,
  registerList,
} from './decide.ts';

const hourMs = 3_600_000;

interface RestrainOptions extends ProposeOptions {
  readonly namespace?: string;
  readonly playbook?: string;
  readonly incident?: string;
  readonly hours: number;
}

function hoursUpTo(most: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (!(number > 0 && number <= most)) throw new InvalidArgumentError(`Expected a number of hours, at most ${most}.`);
    return number;
  };
}

function registerProposal(program: Command, mode: HoldingMode, description: string): void {
  const command = proposing(program.command(mode).description(description))
    .addOption(new Option('--namespace <name>', 'only this namespace (default: the whole cluster)').conflicts('playbook'))
    .option('--playbook <id>', 'only steps of this playbook')
    .option('--hours <number>', 'for how long, 720 at most', hoursUpTo(longestRestraintMs / hourMs), 4);
  withExamples(command, [
    `firebreak hold ${mode} --reason "maintenance of the shop" --namespace shop --hours 2 --as ada --key ~/.firebreak/ada.pem`,
    'firebreak hold approve 0123456789abcdef --reason "agreed" --as ben --key ~/.firebreak/ben.pem',
  ]).action((options: RestrainOptions) => restrain(mode, options));
}

/** Adds `firebreak hold freeze|observe|break-glass|end|list|approve`. */
export function registerHoldCommand(program: Command): void {
  const hold = program.command('hold').description('hold the response back for a time, or lift what holds it');
  registerFreezeCommand(hold);
  registerObserveCommand(hold);
  registerBreakGlassCommand(hold);
  registerUnfreezeCommand(hold, 'end');
  registerRestraints(hold);
}

/** Adds `firebreak freeze`: proposes that everything automatic becomes a question. */
export function registerFreezeCommand(program: Command): void {
  registerProposal(
    program,
    'freeze',
    'propose a freeze: for a time nothing is automatic, and each step becomes a question; one other person must agree',
  );
}

/** Adds `firebreak observe`: proposes that steps are only planned and nothing is done. */
export function registerObserveCommand(program: Command): void {
  registerProposal(
    program,
    'observe',
    'propose observe mode: for a time nothing is done, and each step becomes a recorded plan; two other people must agree',
  );
}

/** Adds `firebreak break-glass`: proposes that caps, freezes and change windows do not apply to one incident or one namespace. */
export function registerBreakGlassCommand(program: Command): void {
  const command = proposing(
    program
      .command('break-glass')
      .description(
        'propose to lift caps, freezes and change windows for one incident or namespace; one other person must agree, and everybody is told',
      ),
  )
    .addOption(new Option('--namespace <name>', 'only for steps in this namespace').conflicts('incident'))
    .option('--incident <name>', 'only for steps of this incident: NAMESPACE/KIND/NAME')
    .option('--hours <number>', 'for how long, 24 at most', hoursUpTo(longestBrokenGlassMs / hourMs), 1);
  withExamples(command, [
    'firebreak hold break-glass --incident shop/Deployment/cart --reason "spreads faster than the caps allow" --as ada --key ~/.firebreak/ada.pem',
    'firebreak hold approve 0123456789abcdef --reason "agreed" --as ben --key ~/.firebreak/ben.pem',
    'firebreak hold end 0123456789abcdef --reason "over" --as ben --key ~/.firebreak/ben.pem',
  ]).action((options: RestrainOptions) => restrain('break-glass', options));
}

/** Adds `firebreak unfreeze`, or the same by another name. */
export function registerUnfreezeCommand(program: Command, name = 'unfreeze'): void {
  registerEnd(
    program
      .command(name)
      .description('end a freeze, an observe mode or a break-glass session, or withdraw a proposal; one person is enough'),
    'restraint',
  );
}

/** Adds `firebreak restraints list|approve`. */
export function registerRestraintsCommand(program: Command): void {
  const restraints = program
    .command('restraints')
    .description('freezes, observe modes and break-glass sessions, in force and proposed');
  registerRestraints(restraints);
}

function registerRestraints(restraints: Command): void {
  registerList(
    restraints,
    { name: 'hold', description: 'list what is in force and proposed; with --desk, only what is in force' },
    {
      here: list,
      atDesk: async (at, options) => (await import('../desk/desk-in-force.ts')).listRestraintsAtDesk(at, options),
    },
  );
  registerApproval(restraints, 'restraint');
}

function restrain(mode: RestraintMode, options: RestrainOptions): Promise<void> {
  const about = options.incident ?? options.namespace ?? options.playbook ?? 'the cluster’s name';
  const make = async (session: Session, at: string): Promise<ProposeRestraint> => {
    const { cluster } = session.config;
    const { hours, reason, as: person, owner = person } = options;
    const until = new Date(Date.parse(at) + hours * hourMs).toISOString();
    const id = randomBytes(8).toString('hex');
    const scope = await scopeOf(session, mode, options);
    const terms = { version: 1, id, cluster, mode, scope, owner, reason, from: at, until } as const;
    return { version: 1, kind: 'restraint.propose', person, at, terms };
  };
  return propose(options, make, about);
}

async function scopeOf(
  session: Session,
  mode: RestraintMode,
  { namespace, playbook, incident }: RestrainOptions,
): Promise<RestraintScope> {
  if (incident !== undefined) {
    const name = fullIncidentId(incident, session.config.cluster);
    if (subjectOfIncident(name)) return { kind: 'incident', name };
    const meant = await suggestion(session, incident);
    throw new FirebreakError('FB_ERR_UNKNOWN_ID', `${incident} is not an incident: use NAMESPACE/Kind/NAME${meant}`);
  }
  if (namespace !== undefined) return { kind: 'namespace', name: namespace };
  if (playbook === undefined && mode === 'break-glass')
    throw new FirebreakError(
      'FB_ERR_INCOMPLETE',
      'name --incident or --namespace: a break-glass session cannot be wider than that',
    );
  if (playbook === undefined) return { kind: 'cluster' };
  const ids = playbooksOf(session.config).map(({ id }) => id);
  if (!ids.includes(playbook))
    throw unknownName({ what: 'playbook', written: playbook, known: ids, listedBy: 'firebreak playbooks list' });
  return { kind: 'playbook', name: playbook };
}

async function list(session: Session, options: ListOptions): Promise<void> {
  const { decisions } = await controlState(session);
  const rows = decisions.filter(isRestraint).filter((one) => options.all || !isOver(one));
  if (options.json) {
    printJson(rows.map(({ proposal, status }) => ({ ...proposal.order.terms, proposer: proposal.order.person, status })));
    return;
  }
  if (rows.length === 0)
    return print(
      options.all ? 'No freezes, observe modes or break-glass sessions.' : 'Nothing is frozen, and nothing is proposed.',
    );
  const { person } = namesWithIds(session.config.roster);
  printTable(rows, [
    { title: 'ID', text: ({ proposal }) => proposal.order.terms.id },
    { title: 'MODE', text: ({ proposal }) => proposal.order.terms.mode },
    { title: 'STATE', text: ({ status }) => status.state },
    { title: 'UNTIL', text: ({ proposal }) => proposal.order.terms.until.replace('T', ' ').slice(0, 16) },
    { title: 'OWNER', text: ({ proposal }) => person(proposal.order.terms.owner) },
    { title: 'SCOPE', text: ({ proposal }) => scopeText(proposal.order.terms.scope) },
    { title: 'REASON', text: ({ proposal }) => proposal.order.terms.reason },
  ]);
}
