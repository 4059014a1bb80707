import { randomBytes } from 'node:crypto';
import type { FakeView, SlackWorld, Trigger } from '../world.ts';
import { type Block, modalView, repeatedId, type View, withIds } from './block-schema.ts';
import { type Args, type Method, required, SlackRefusal, structured, text } from './method.ts';

const stackMax = 3;
const viewMax = 250_000;

/** Modals: https://docs.slack.dev/surfaces/modals. A trigger is valid for 3 s and once; a view can be changed only with its newest hash. */
export const viewMethods: Readonly<Record<string, Method>> = {
  'views.open': {
    run: (args, world) => {
      const trigger = useTrigger(args, world);
      const { user } = trigger;
      const view = ownId(viewOf(structured(args, 'view', 'invalid_arguments')), world);
      for (const [id, open] of world.views) if (open.user === user) world.views.delete(id);
      return { view: store({ view, world, user, trigger }) };
    },
  },
  'views.push': {
    run: (args, world) => {
      const trigger = useTrigger(args, world);
      const { user } = trigger;
      const stack = [...world.views.values()].filter((open) => open.user === user);
      const root = stack[0];
      if (root === undefined) throw new SlackRefusal('not_found');
      if (stack.length >= stackMax) throw new SlackRefusal('push_limit_reached');
      const view = ownId(viewOf(structured(args, 'view', 'invalid_arguments')), world);
      return { view: store({ view, world, user, trigger, rootId: root.rootId }) };
    },
  },
  'views.update': {
    run: (args, world) => {
      const externalId = text(args, 'external_id');
      const old =
        externalId === undefined
          ? world.views.get(required(args, 'view_id'))
          : [...world.views.values()].find((open) => open.view.external_id === externalId);
      if (old === undefined) throw new SlackRefusal('not_found');
      const hash = text(args, 'hash');
      if (hash !== undefined && hash !== old.hash) throw new SlackRefusal('hash_conflict');
      const view = ownId(viewOf(structured(args, 'view', 'invalid_arguments')), world, old.id);
      return { view: store({ view, world, user: old.user, rootId: old.rootId, id: old.id }) };
    },
  },
};

function useTrigger(args: Args, world: SlackWorld): Trigger {
  const trigger = world.triggers.get(required(args, 'trigger_id'));
  if (trigger === undefined) throw new SlackRefusal('invalid_trigger_id');
  if (trigger.used) throw new SlackRefusal('exchanged_trigger_id');
  if (trigger.expires < Date.now()) throw new SlackRefusal('expired_trigger_id');
  trigger.used = true;
  return trigger;
}

/** “Must be unique for all views on a team.” */
function ownId(view: View, world: SlackWorld, own?: string): View {
  const { external_id: id = '' } = view;
  const taken = id !== '' && [...world.views.values()].some((open) => open.id !== own && open.view.external_id === id);
  if (taken) throw new SlackRefusal('duplicate_external_id');
  return view;
}

/** A view as Slack accepts it, with an id wherever it was sent without one. @throws SlackRefusal */
export function viewOf(given: unknown): View {
  const parsed = modalView.safeParse(given);
  if (!parsed.success) {
    throw refused(parsed.error.issues.map((issue) => `${issue.message} [json-pointer:/view/${issue.path.join('/')}]`));
  }
  const { blocks, submit } = parsed.data;
  if (JSON.stringify(parsed.data).length > viewMax) throw new SlackRefusal('view_too_large');
  const repeated = repeatedId(blocks);
  if (repeated !== undefined) throw refused([repeated]);
  if (submit === undefined && blocks.some(({ type }) => type === 'input')) throw refused(['submit is needed with input blocks']);
  if (blocks.filter(takesFocus).length > 1) throw refused(['only one element can have focus_on_load']);
  return { ...parsed.data, blocks: [...withIds(blocks)] };
}

function refused(problems: readonly string[]): SlackRefusal {
  return new SlackRefusal('invalid_arguments', { response_metadata: { messages: problems.map((one) => `[ERROR] ${one}`) } });
}

function takesFocus(block: Block): boolean {
  return block.type === 'input' && 'focus_on_load' in block.element && block.element.focus_on_load === true;
}

/** Shows it to its person, under a new hash. */
export function store({
  view,
  world,
  user,
  trigger,
  rootId,
  id = world.nextId('V'),
}: {
  readonly view: View;
  readonly world: SlackWorld;
  readonly user: string;
  readonly trigger?: Trigger;
  readonly rootId?: string;
  readonly id?: string;
}) {
  const hash = `${Math.floor(Date.now() / 1_000)}.${randomBytes(4).toString('hex')}`;
  const stored: FakeView = { id, user, hash, rootId: rootId ?? id, view };
  world.views.set(id, stored);
  if (trigger) trigger.viewId = id;
  world.changed();
  return viewObject(stored, world);
}

export function viewObject(stored: FakeView, world: SlackWorld): Readonly<Record<string, unknown>> {
  return {
    id: stored.id,
    team_id: world.teamId,
    app_id: world.appId,
    bot_id: world.botId,
    root_view_id: stored.rootId,
    hash: stored.hash,
    state: { values: {} },
    private_metadata: '',
    callback_id: '',
    ...stored.view,
  };
}
