import { implementAction, type OwnCall, refuse } from 'firebreak/actions';
import { closePort } from '../actions/close-port.ts';

interface Rule {
  readonly id: string;
  readonly port: number;
  readonly from: string;
  readonly note: string;
}

interface Group {
  /** Changes with each change of the group: a write with an older version is refused. */
  readonly version: number;
  readonly rules: readonly Rule[];
}

type Call = Pick<OwnCall<{ readonly group: string; readonly port: number }>, 'http' | 'secrets' | 'settings' | 'input'>;

const internet = ['0.0.0.0/0', '::/0'];

/** Reads the current state of the group. */
async function read({ http, secrets, settings, input }: Call): Promise<Group> {
  const { status, body } = await http({
    method: 'GET',
    url: `${settings.endpoint}/groups/${encodeURIComponent(input.group)}`,
    headers: { Authorization: `Bearer ${secrets.token}` },
  });
  if (status === 404) refuse(`security group ${input.group} not found`);
  if (status !== 200) refuse(`the cloud does not show the security group: HTTP ${status}`);
  return body as Group;
}

/** Replaces the rules. A repeated key returns the first answer, and changes nothing. */
async function write(call: Call & { readonly key: string }, rules: readonly Rule[], version: number): Promise<void> {
  const { http, secrets, settings, input, key } = call;
  const { status } = await http({
    method: 'PUT',
    url: `${settings.endpoint}/groups/${encodeURIComponent(input.group)}`,
    headers: { Authorization: `Bearer ${secrets.token}`, 'Idempotency-Key': key },
    body: { rules, version },
  });
  if (status === 409) refuse('somebody has changed the security group meanwhile');
  if (status !== 200) refuse(`the cloud does not change the security group: HTTP ${status}`);
}

const opens = ({ port, from }: Rule, input: Call['input']): boolean => port === input.port && internet.includes(from);

export default implementAction(closePort, {
  plan: async (call) => {
    const { rules, version } = await read(call);
    const target = `security-group/${call.input.group}`;
    const open = rules.filter((rule) => opens(rule, call.input));
    return {
      target,
      changes: open.map(({ id, port, from }) => ({ target, what: `removes the rule ${id}: port ${port} from ${from}` })),
      notes: ['Every instance behind the group loses the port.'],
      state: { version, removed: open.map((rule) => ({ ...rule })) },
    };
  },

  apply: async (call) => {
    const { removed, version } = call.state;
    const gone = new Set(removed.map(({ id }) => id));
    const now = await read(call);
    // The call was interrupted after the cloud had carried it out.
    if (!now.rules.some(({ id }) => gone.has(id))) return { removed: removed.length };
    const left = now.rules.filter(({ id }) => !gone.has(id));
    await write({ ...call, key: `${call.key}-close` }, left, version);
    return { removed: removed.length };
  },

  verify: async (call) => {
    const { rules } = await read(call);
    const open = rules.filter((rule) => opens(rule, call.input));
    return open.length === 0
      ? { state: 'applied', detail: `no rule opens port ${call.input.port} to the internet` }
      : {
          state: 'partial',
          detail: 'somebody has opened the port again',
          missing: open.map(({ id }) => `the rule ${id} is still there`),
        };
  },

  undo: async (call) => {
    const { removed } = call.state;
    const now = await read(call);
    const there = new Set(now.rules.map(({ id }) => id));
    if (removed.every(({ id }) => there.has(id))) return { state: 'already', detail: 'the rules are there' };
    const others = now.rules.filter((rule) => opens(rule, call.input));
    if (others.length > 0)
      return {
        state: 'drifted',
        detail: 'somebody has opened the port in another way; nothing was changed',
        difference: others.map(({ id, from }) => `the rule ${id} opens it from ${from}`),
      };
    await write({ ...call, key: `${call.key}-open` }, [...now.rules, ...removed], now.version);
    return { state: 'undone', detail: `${removed.length} rules were restored` };
  },
});
