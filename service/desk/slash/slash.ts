import type { OrderDraft } from '../../../core/cards/card-store.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { answerersOf, answersFor, type Person, personById, personBySlackId } from '../../../core/people/roster.ts';
import { code, inline, linesUpTo } from '../../../integrations/slack/views/text.ts';
import { incidentState, sessionOver } from '../../incidents/session.ts';
import { narrowedBy } from '../on-call.ts';
import { incidentNamed, type SlashOptions, type SlashReply, type SlashRequest, type TypedCommand } from './slash-asking.ts';
import { notify, sent } from './slash-deadlines.ts';
import { answerLease } from './slash-lease.ts';
import { incidentsText, incidentText, questionsText } from './slash-look.ts';
import { quarantine, suppress, unfreeze } from './slash-orders.ts';

const help = [
  '*/firebreak incidents*  the open incidents, newest first',
  '*/firebreak show ID*  one incident: what was done, what is asked, what happened last',
  '*/firebreak questions*  what is waiting for you',
  '*/firebreak quarantine NAMESPACE/POD REASON*  cut a pod off at once; others decide what becomes of it',
  '*/firebreak release ID*  release what is contained: a dialog shows what that does; on a critical incident two people must agree',
  '*/firebreak extend ID*  extend a containment by one more term; *keep ID*  make it permanent',
  '*/firebreak suppress ID*  propose to hide alerts of this kind for a time; somebody else must agree',
  '*/firebreak suppress list*  what is hidden and proposed; *suppress end ID REASON*  end one of them',
  '*/firebreak freeze*  propose that nothing is done at once for a time: each step becomes a question',
  '*/firebreak observe*  propose that nothing is done at all for a time: each step becomes a plan on record',
  '*/firebreak break-glass ID*  propose that caps, freezes and change windows do not apply to this incident, or to a namespace',
  '*/firebreak unfreeze ID REASON*  end a freeze, an observe mode or a break-glass session; without ID: what is in force',
  '*/firebreak notify ID LAW REASON*  decide that an authority has to be notified of an incident: its deadlines run; *sent ID LAW STAGE REFERENCE*  put on record that a notification was sent',
  '*/firebreak whoami*  who you are to Firebreak, and what you may answer now; *oncall*  who else may',
  `ID is the short name of the incident: ${code('shop/Deployment/cart', 40)}. If several containments of it are in force, add the id of the containment. Only you see the answers.`,
].join('\n');

/** The answer is escaped mrkdwn, or a dialog. */
type SlashAnswer = { readonly mrkdwn: string } | { readonly opens: OrderDraft };

/** What people ask and order in Slack without a card: works the same as on the command line. People who are not on the roster are refused. */
export function createSlash(options: SlashOptions): (command: TypedCommand) => Promise<SlashAnswer> {
  const { config, client, duty, refused, now = Date.now } = options;
  return async (command) => {
    const person = personBySlackId(config.roster, command.slackUser);
    if (!person) {
      refused({ reason: 'not on the roster', command });
      return { mrkdwn: 'You are not on the roster, so Firebreak tells you nothing here. It is on the record.' };
    }
    const connected = client();
    const [typed = 'help', ...rest] = command.text.split(/\s+/).filter((part) => part !== '');
    // Phones capitalise the first letter.
    const word = typed.toLowerCase();
    if (word === 'help') return { mrkdwn: help };
    if (word === 'whoami') return { mrkdwn: whoami(person, options, now()) };
    if (word === 'oncall') return { mrkdwn: onCall(options, now()) };
    if (!connected) return { mrkdwn: 'Temporal does not answer yet. Try again in a moment.' };
    const session = sessionOver(config, connected);
    const at = now();
    const asking: SlashRequest = { session, person, command, options, now: at, narrowed: narrowedBy(duty, at) };
    const answer = await answerTo(word, rest, asking);
    return typeof answer === 'string' ? { mrkdwn: answer } : answer;
  };
}

/** Commands whose first argument is an incident. */
const namesIncident: ReadonlySet<string> = new Set(['show', 'release', 'extend', 'keep', 'notify', 'sent']);

async function answerTo(word: string, rest: readonly string[], asking: SlashRequest): Promise<SlashReply> {
  try {
    switch (word) {
      case 'incidents':
        return await incidentsText(asking);
      case 'show':
        return await show(asking, rest);
      case 'questions':
        return await questionsText(asking);
      case 'release':
      case 'extend':
      case 'keep':
        return await answerLease(asking, word, rest);
      case 'suppress':
        return await suppress(asking, rest);
      case 'freeze':
      case 'observe':
        return { opens: asking.options.orders.restraintDraft(asking.person, word) };
      case 'break-glass':
        return { opens: asking.options.orders.restraintDraft(asking.person, word, rest[0]) };
      case 'quarantine':
        return await quarantine(asking, rest);
      case 'notify':
        return await notify(asking, rest);
      case 'sent':
        return await sent(asking, rest);
      case 'unfreeze':
        return await unfreeze(asking, rest);
      default:
        return `Firebreak does not know ${code(word, 40)}.\n${help}`;
    }
  } catch (error) {
    if (!(error instanceof FirebreakError)) throw error;
    const listed =
      error.code === 'FB_ERR_UNKNOWN_ID' && namesIncident.has(word)
        ? `\n${code('/firebreak incidents', 40)} lists the open ones.`
        : '';
    return `${inline(`${error.detail} (${error.code})`, 500)}${listed}`;
  }
}

function whoami(person: Person, { config: { roster }, duty }: SlashOptions, at: number): string {
  const groups = Object.keys(roster.groups);
  const narrowed = narrowedBy(duty, at);
  const may = groups.filter((group) => answersFor({ roster, person: person.id, groups: [group], at, narrowed }) !== undefined);
  return [
    `You are *${inline(person.name, 100)}* (${code(person.id, 60)}).`,
    may.length === 0
      ? 'You may not answer for any group now.'
      : `You may answer for ${may.map((group) => code(group, 60)).join(', ')} now.`,
    ...(person.keys.length === 0 ? ['You have no key for the command line.'] : []),
  ].join('\n');
}

/** Who may answer for each group now: according to the roster and, if one is followed, the outside on-call. */
function onCall({ config: { roster }, duty }: SlashOptions, at: number): string {
  const narrowed = narrowedBy(duty, at);
  const lines = Object.keys(roster.groups).map((group) => {
    const people = new Set(
      answerersOf(roster, group, at)
        .filter(({ person, standsInFor }) => narrowed(standsInFor?.person ?? person, group))
        .map(({ person }) => inline(personById(roster, person)?.name ?? person, 100)),
    );
    return `•  ${code(group, 60)}  ${people.size === 0 ? 'nobody: the next level is asked' : [...people].join(', ')}`;
  });
  return linesUpTo(['*Who may answer now*', ...lines], 8_000);
}

async function show(asking: SlashRequest, rest: readonly string[]): Promise<string> {
  const { session, options } = asking;
  const state = await incidentState(session, { id: incidentNamed(asking, rest) });
  return incidentText(state, session.config.roster, { deadlines: await options.deadlines(state.incident) });
}
