import { personById, type Roster } from '../../core/people/roster.ts';
import { createUserGroups } from '../../integrations/slack/user-groups.ts';
import type { Config } from '../config/load.ts';
import type { Secrets } from '../config/secrets.ts';
import { type Logger, reasonOf } from '../process/log.ts';
import { repeat } from '../process/repeat.ts';
import type { OutsideDuty } from './on-call.ts';

const everyMs = 60_000;
/** Maximum time that a person removed from a Slack group may still answer if Slack is not available. */
const heldForMs = 15 * 60_000;

/**
 * Roster groups whose people must also be in a Slack user group. Both must agree: unknown means no, unlike for an outside on-call, where the roster alone
 * decides if the on-call is unknown.
 */
export function followUserGroups(options: {
  readonly roster: Roster;
  /** Group of the roster → id of the user group. */
  readonly userGroups: Readonly<Record<string, string>>;
  readonly read: (userGroup: string) => Promise<readonly string[]>;
  readonly log: Logger;
  readonly now?: () => number;
}): OutsideDuty & { refresh(): Promise<void> } {
  const { roster, userGroups, read, log, now = Date.now } = options;
  const known = new Map<string, { readonly members: readonly string[]; readonly readAt: number }>();
  const stopping = new AbortController();
  const membersOf = (group: string, at: number): readonly string[] | undefined => {
    const last = known.get(group);
    return last && at - last.readAt <= heldForMs ? last.members : undefined;
  };

  const refresh = async (): Promise<void> => {
    for (const [group, userGroup] of Object.entries(userGroups)) {
      if (stopping.signal.aborted) return;
      try {
        known.set(group, { members: await read(userGroup), readAt: now() });
      } catch (error) {
        const last = known.get(group);
        log.warn(
          { group, userGroup, reason: reasonOf(error), ...(last && { ageSeconds: Math.round((now() - last.readAt) / 1_000) }) },
          'cannot read a Slack user group; its last members stay valid for 15 minutes, after that nobody can answer for the group in Slack',
        );
      }
    }
  };

  void repeat({ work: refresh, everyMs, signal: stopping.signal });

  return {
    refresh,
    // The page is for when Slack is down; there, the identity provider says who the person is.
    isOnCall: (person, group, at, via) => {
      if (via === 'page' || !Object.hasOwn(userGroups, group)) return true;
      const members = membersOf(group, at) ?? [];
      return personById(roster, person)?.slackIds.some((account) => members.includes(account)) === true;
    },
    whyNot: (groups, at) => {
      const narrowed = groups.filter((group) => Object.hasOwn(userGroups, group));
      if (narrowed.length === 0) return undefined;
      return narrowed.some((group) => !membersOf(group, at))
        ? `Firebreak could not ask Slack who is in the user group of ${narrowed.join(' or ')}. Nothing was decided; try again in a minute, or answer at the command line.`
        : `Only ${groups.join(' or ')} may answer this, while they are on call and in the user group in Slack. Your click is on the record.`;
    },
    stop: () => stopping.abort(),
  };
}

/** The user groups that the configuration requires, on the desk: only the desk can ask Slack. */
export function createUserGroupDuty({
  config: { slack, roster },
  secrets,
  log,
}: {
  readonly config: Pick<Config, 'slack' | 'roster'>;
  readonly secrets: Pick<Secrets, 'slack'>;
  readonly log: Logger;
}): OutsideDuty | undefined {
  if (!slack?.userGroups || !secrets.slack) return undefined;
  const { botToken } = secrets.slack;
  return followUserGroups({
    roster,
    userGroups: slack.userGroups,
    read: createUserGroups({ botToken, apiUrl: slack.apiUrl }),
    log,
  });
}
