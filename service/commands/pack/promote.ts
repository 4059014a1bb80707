import { randomBytes } from 'node:crypto';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { ControlState } from '../../../core/decide/control.ts';
import { type DecisionState, isPromotion } from '../../../core/decide/decision.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { approveChoice } from '../../../core/orders/order.ts';
import {
  longestObservedMs,
  longestPromotedMs,
  longestRampedMs,
  type PromotionTerms,
  type ProposePromotion,
  promotedOf,
  releaseText,
} from '../../../core/orders/promotion.ts';
import { durationMs, isDuration } from '../../../core/playbook/duration.ts';
import { packName, releaseVersion } from '../../../core/playbook/release.ts';
import { loadConfig } from '../../config/load.ts';
import { resolveReleaseSecrets } from '../../config/secrets.ts';
import { controlState, type Session } from '../../incidents/session.ts';
import { observedOf } from '../../packs/observed.ts';
import { type Releases, releaseOf, wideningOfRelease } from '../../packs/promotion.ts';
import { openPublishers, openReleases } from '../../process/releases.ts';
import { mustBeConfirmable, withConfirmation } from '../confirm.ts';
import { type ConfiguredOptions, withConfig, withExamples } from '../options.ts';
import {
  endAll,
  isOver,
  type ListOptions,
  type ProposeOptions,
  propose,
  proposing,
  registerApproval,
  registerEnd,
  requireReason,
} from '../orders/decide.ts';
import { print, printable, printJson, printTable } from '../output.ts';
import { withSession } from '../session.ts';
import { type VoterOptions, withVoter } from '../vote.ts';

interface Named {
  readonly pack: string;
  readonly version: string;
}

interface PromoteOptions extends ProposeOptions {
  readonly observe?: number;
  readonly percent?: number;
  readonly all?: true;
}

/** Share of new incidents. */
function percentOf(text: string): number {
  const percent = /^[1-9]\d?$/.test(text) ? Number(text) : 0;
  if (percent === 0) throw new InvalidArgumentError('Expected a whole number from 1 to 99; for all of them, use --all.');
  return percent;
}

const usuallyObservedMs = 48 * 3_600_000;

function namedVersion(text: string): Named {
  const [, pack = '', version = ''] = /^([^@]*)@(.*)$/.exec(text) ?? [];
  if (!packName.test(pack) || !releaseVersion.test(version))
    throw new InvalidArgumentError('Expected PACK@VERSION, such as acme@1.2.0.');
  return { pack, version };
}

/** @throws InvalidArgumentError */
export function namedPack(text: string): string {
  if (packName.test(text)) return text;
  const [name = ''] = text.split('@');
  throw new InvalidArgumentError(`Expected only the name of the pack: ${packName.test(name) ? name : 'acme'}.`);
}

function observedFor(text: string): number {
  const ms = isDuration(text) ? durationMs(text) : 0;
  if (ms <= 0 || ms > longestObservedMs)
    throw new InvalidArgumentError('Expected a duration such as 48h or 7d, at most 30 days.');
  return ms;
}

/** Adds `firebreak pack promote|approve|observed|rollback|promotions`. */
export function registerPromoting(pack: Command): void {
  withExamples(
    proposing(
      pack
        .command('promote')
        .description(
          'propose to observe a version of a pack, or to use it for some or all new incidents; one other person must agree',
        )
        .argument('<version>', 'PACK@VERSION', namedVersion),
    )
      .addOption(
        new Option('--observe <time>', 'observe for this long what it would do, without doing it (default: 48h)')
          .argParser(observedFor)
          .conflicts(['all', 'percent']),
      )
      .addOption(
        new Option('--percent <n>', 'use it for this percentage of new incidents, for at most 30 days')
          .argParser(percentOf)
          .conflicts('all'),
      )
      .option('--all', 'use it for every new incident'),
    [
      'firebreak pack promote acme@1.2.0 --reason "answers miners" --as ada --key ~/.firebreak/ada.pem',
      'firebreak pack promote acme@1.2.0 --percent 10 --reason "two days without a surprise" --as ada --key ~/.firebreak/ada.pem',
      'firebreak pack promote acme@1.2.0 --all --reason "a week on one in ten" --as ada --key ~/.firebreak/ada.pem',
      'firebreak pack approve 0123456789abcdef --reason "read it" --as ben --key ~/.firebreak/ben.pem',
    ],
  ).action(promote);
  registerApproval(pack, 'promotion');
  registerEnd(
    pack.command('withdraw').description('withdraw a proposal, or stop observing a version early; one person is enough'),
    'promotion',
    { problemOf: whyNotWithdrawn },
  );
  withExamples(
    withConfig(
      pack
        .command('observed')
        .description('show what an observed version would have done about the alerts so far')
        .argument('<version>', 'PACK@VERSION', namedVersion),
    ),
    ['firebreak pack observed acme@1.2.0'],
  ).action(observed);
  withExamples(
    withConfirmation(
      requireReason(
        withVoter(
          pack
            .command('rollback')
            .description(
              'end a partial promotion, or else the newest promotion: the previous version runs again; one person is enough',
            )
            .argument('<pack>', 'name of the pack', namedPack),
        ),
      ),
    ),
    ['firebreak pack rollback acme --reason "cuts off the wrong pods" --as ada --key ~/.firebreak/ada.pem'],
  ).action((name: string, options: VoterOptions) => {
    mustBeConfirmable(options, name);
    return withSession(options, (session) => rollback(session, name, options));
  });
  withExamples(
    withConfig(
      pack
        .command('promotions')
        .description('list which versions run, are observed, or are proposed')
        .option('--all', 'also show those that have ended'),
    ),
    ['firebreak pack promotions'],
  ).action((options: ListOptions) => withSession(options, (session) => list(session, options)));
}

/** What a cell with this state directory has observed. */
async function observed({ pack, version }: Named, { config: path, json }: ConfiguredOptions): Promise<void> {
  const { stateDir } = loadConfig({ path, env: process.env });
  const rows = observedOf(stateDir, { pack, release: version });
  if (json) return printJson(rows);
  if (rows.length === 0) return print(`The cell whose state directory is here has observed nothing of ${pack}@${version}.`);
  printTable(rows, [
    { title: 'AT', text: ({ at }) => at },
    { title: 'INCIDENT', text: ({ incident }) => incident },
    { title: 'ALERT', text: ({ rule }) => rule },
    { title: 'PLAYBOOK', text: ({ playbook }) => playbook },
    { title: 'PEOPLE ANSWERED', text: ({ answered = [] }) => answered.join(', ') },
    { title: 'IT WOULD LEAD TO', text: ({ outcome }) => outcome },
  ]);
}

function promote({ pack, version }: Named, options: PromoteOptions): Promise<void> {
  return propose(
    options,
    async (session, at): Promise<ProposePromotion> => {
      const { cluster } = session.config;
      const { reason, as: person, owner = person, all, percent, observe = usuallyObservedMs } = options;
      const lastsMs = all ? longestPromotedMs : percent === undefined ? observe : longestRampedMs;
      const releases = await releasesOf(session);
      const state = await controlState(session);
      const live = liveIn(state, pack);
      try {
        const proven = await releaseOf(releases, pack, version);
        const terms: PromotionTerms = {
          version: 1,
          id: randomBytes(8).toString('hex'),
          cluster,
          pack,
          release: version,
          integrity: proven.statement.integrity,
          ...(all ? { stage: 'all' } : percent === undefined ? { stage: 'observe' } : { stage: 'percent', percent }),
          widens: await wideningOfRelease(releases, proven, live),
          owner,
          reason,
          from: at,
          until: new Date(Date.parse(at) + lastsMs).toISOString(),
        };
        const looked = terms.stage === 'observe' ? [] : [observedText(state, terms)];
        for (const what of [...terms.widens, ...looked]) process.stderr.write(`  ${printable(what)}\n`);
        return { version: 1, kind: 'promotion.propose', person, at, terms };
      } catch (error) {
        if (error instanceof FirebreakError || !(error instanceof Error)) throw error;
        throw new FirebreakError('FB_ERR_REFUSED', error.message);
      }
    },
    `${pack}@${version}`,
  );
}

/** Says, for the person who proposes it, whether people first observed what it would do: nothing else checks that. */
export function observedText(
  { decisions, questions }: Pick<ControlState, 'decisions' | 'questions'>,
  { pack, release, integrity }: PromotionTerms,
): string {
  const name = releaseText({ pack, release });
  const approved = new Set(
    questions.flatMap(({ question, status }) =>
      status.state === 'decided' && status.choice === approveChoice ? [question.id] : [],
    ),
  );
  const [looked] = decisions
    .filter(isPromotion)
    .filter(({ proposal: { order }, question }) => {
      const { terms } = order;
      return terms.integrity === integrity && terms.stage === 'observe' && approved.has(question);
    })
    .toSorted((one, other) => (one.proposal.order.terms.from < other.proposal.order.terms.from ? 1 : -1));
  if (!looked) return `${name} was not observed before, as far as is known`;
  const { from, until } = looked.proposal.order.terms;
  const time = looked.status.state === 'active' ? `is observed until ${until}` : `was observed from ${from}`;
  return `${name} ${time}: firebreak pack observed ${name} lists what it would have done`;
}

/** A version that is live is taken back to the previous one by a different order. */
function whyNotWithdrawn({ proposal: { order }, status }: DecisionState): string | undefined {
  if (order.kind !== 'promotion.propose' || status.state !== 'active' || order.terms.stage === 'observe') return undefined;
  return `${releaseText(order.terms)} was agreed to: firebreak pack rollback ${order.terms.pack} ends it`;
}

async function releasesOf({ config }: Session): Promise<Releases> {
  const secrets = resolveReleaseSecrets({ config, env: process.env });
  return { store: await openReleases({ config, secrets }), publishers: await openPublishers(config) };
}

function activeIn({ decisions }: ControlState): readonly PromotionTerms[] {
  return decisions
    .filter(isPromotion)
    .flatMap(({ proposal, status }) => (status.state === 'active' ? [proposal.order.terms] : []));
}

function liveIn(state: ControlState, pack: string): PromotionTerms | undefined {
  return promotedOf(pack, activeIn(state), Date.now()).live;
}

async function rollback(session: Session, pack: string, options: VoterOptions): Promise<void> {
  const active = activeIn(await controlState(session)).filter((one) => one.pack === pack);
  const { live, ramping } = promotedOf(pack, active, Date.now());
  if (!live && !ramping)
    throw new FirebreakError('FB_ERR_UNKNOWN_ID', `no version of ${pack} is promoted: firebreak pack promotions lists what is`);
  // Together with each earlier share, which would otherwise apply again.
  const shares = active.filter(({ stage }) => stage === 'percent').sort((a, b) => Date.parse(a.from) - Date.parse(b.from));
  const ends = ramping || !live ? shares : [...shares, live];
  const left = active.filter((one) => !ends.includes(one));
  const runs = promotedOf(pack, left, Date.now()).live;
  const how = ramping ? 'in every new incident' : 'again';
  const then = runs ? `Then ${releaseText(runs)} runs ${how}.` : `Then no version of ${pack} runs: there is no earlier one.`;
  const ordered = ramping ?? live;
  const what = ordered && `no new incident uses ${releaseText(ordered)} any more (promoted because: ${ordered.reason})`;
  await endAll(
    session,
    'promotion',
    ends.map(({ id }) => id),
    options,
    { lines: [`Order by ${options.as}: ${what}`, then], ends: pack },
  );
  if (!options.json) print(printable(then));
}

async function list(session: Session, options: ListOptions): Promise<void> {
  const { decisions } = await controlState(session);
  const rows = decisions.filter(isPromotion).filter((one) => options.all || !isOver(one));
  if (options.json)
    return printJson(rows.map(({ proposal, status }) => ({ ...proposal.order.terms, proposer: proposal.order.person, status })));
  if (rows.length === 0) return print('No version of a pack is promoted, and none is proposed.');
  const now = Date.now();
  const active = rows.flatMap(({ proposal, status }) => (status.state === 'active' ? [proposal.order.terms] : []));
  printTable(rows, [
    { title: 'ID', text: ({ proposal }) => proposal.order.terms.id },
    { title: 'VERSION', text: ({ proposal }) => releaseText(proposal.order.terms) },
    {
      title: 'STATE',
      text: ({ proposal: { order }, status }) => {
        if (status.state !== 'active') return status.state;
        const { live, ramping, observed } = promotedOf(order.terms.pack, active, now);
        if (order.terms.id === live?.id) return 'runs';
        if (order.terms.id === ramping?.id) return `runs in ${order.terms.percent} %`;
        if (order.terms.id === observed?.id) return 'observed';
        return order.terms.stage === 'observe' ? 'observed before' : 'ran before';
      },
    },
    { title: 'SINCE', text: ({ proposal }) => proposal.order.terms.from },
    { title: 'OWNER', text: ({ proposal }) => proposal.order.terms.owner },
    { title: 'REASON', text: ({ proposal }) => proposal.order.terms.reason },
  ]);
}
