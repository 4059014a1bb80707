import { randomBytes } from 'node:crypto';
import { modalView } from './block-schema.ts';
import { type Args, type Method, required, SlackRefusal, structured, text } from './method.ts';
import type { FakeView, SlackWorld } from './world.ts';

const stackMax = 3;
const viewMax = 250_000;

/** Modals: https://docs.slack.dev/surfaces/modals. A trigger is good for 3 s and once; a view changes only under its newest hash. */
export const viewMethods: Readonly<Record<string, Method>> = {
  'views.open': {
    run: (args, world) => {
      const user = useTrigger(args, world);
      for (const [id, open] of world.views) if (open.user === user) world.views.delete(id);
      return { view: store({ args, world, user }) };
    },
  },
  'views.push': {
    run: (args, world) => {
      const user = useTrigger(args, world);
      const stack = [...world.views.values()].filter((open) => open.user === user);
      const root = stack[0];
      if (root === undefined) throw new SlackRefusal('not_found');
      if (stack.length >= stackMax) throw new SlackRefusal('push_limit_reached');
      return { view: store({ args, world, user, rootId: root.rootId }) };
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
      return { view: store({ args, world, user: old.user, rootId: old.rootId, id: old.id }) };
    },
  },
};

function useTrigger(args: Args, world: SlackWorld): string {
  const trigger = world.triggers.get(required(args, 'trigger_id'));
  if (trigger === undefined) throw new SlackRefusal('invalid_trigger_id');
  if (trigger.used) throw new SlackRefusal('exchanged_trigger_id');
  if (trigger.expires < Date.now()) throw new SlackRefusal('expired_trigger_id');
  trigger.used = true;
  return trigger.user;
}

function store({
  args,
  world,
  user,
  rootId,
  id = world.nextId('V'),
}: {
  readonly args: Args;
  readonly world: SlackWorld;
  readonly user: string;
  readonly rootId?: string;
  readonly id?: string;
}) {
  const parsed = modalView.safeParse(structured(args, 'view', 'invalid_arguments'));
  if (!parsed.success) {
    const messages = parsed.error.issues.map((issue) => `[ERROR] ${issue.message} [json-pointer:/view/${issue.path.join('/')}]`);
    throw new SlackRefusal('invalid_arguments', { response_metadata: { messages } });
  }
  if (JSON.stringify(parsed.data).length > viewMax) throw new SlackRefusal('view_too_large');
  const needsSubmit = parsed.data.blocks.some((block) => block.type === 'input');
  if (needsSubmit && parsed.data.submit === undefined) {
    throw new SlackRefusal('invalid_arguments', {
      response_metadata: { messages: ['[ERROR] submit is needed with input blocks'] },
    });
  }
  const hash = `${Math.floor(Date.now() / 1_000)}.${randomBytes(4).toString('hex')}`;
  const stored: FakeView = { id, user, hash, rootId: rootId ?? id, view: parsed.data };
  world.views.set(id, stored);
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
