/** The workflows as they are, plus playbooks that no author may publish: they live outside the playbooks' folder. */
import { definePlaybook } from '../../../core/playbook/playbook.ts';
import { addPlaybooks } from '../../playbooks/added.ts';

const neverReturns = definePlaybook(
  {
    id: 'never-returns',
    title: 'Never returns',
    on: { match: { rule: 'Spin' }, minSeverity: 'low', requires: ['pod'] },
    uses: {},
  },
  async () => {
    for (;;);
  },
);

interface Activator {
  pushCommand(command: object): void;
}

/** Gives Temporal a command past the engine, as code that has left the sandbox could. */
const startsAnother = definePlaybook(
  {
    id: 'starts-another',
    title: 'Starts another workflow',
    on: { match: { rule: 'Start another' }, minSeverity: 'low', requires: ['pod'] },
    uses: {},
  },
  async ({ sleep }) => {
    const { __TEMPORAL_ACTIVATOR__: activator } = globalThis as unknown as { readonly __TEMPORAL_ACTIVATOR__: Activator };
    activator.pushCommand({ startChildWorkflowExecution: { seq: 1, workflowId: 'another', workflowType: 'incident' } });
    await sleep('1m');
  },
);

interface HostSignal {
  readonly signal: object & { readonly reason?: unknown };
  abort(reason?: unknown): void;
}

/** The way that once led out: ports of a signal, an error of the host that copies itself as a file handle, and the prototype of all emitters. */
const leavesSandbox = definePlaybook(
  {
    id: 'leaves-sandbox',
    title: 'Leaves the sandbox',
    on: { match: { rule: 'Leave' }, minSeverity: 'low', requires: ['pod'] },
    uses: {},
  },
  async ({ note }) => {
    const { AbortController: Controller } = globalThis as unknown as { readonly AbortController: new () => HostSignal };
    note('looks for a way out');
    const ports = Object.getOwnPropertySymbols(Object.getPrototypeOf(new Controller().signal));
    note(`has ports of the host: ${ports.length}`);
  },
);

type Way = readonly [name: string, object];

const isObject = (value: unknown): value is object =>
  (typeof value === 'object' && value !== null) || typeof value === 'function';

/** The last object above this one. */
function rootOf(value: object): object {
  const above: unknown = Object.getPrototypeOf(value);
  return isObject(above) ? rootOf(above) : value;
}

/** What a map or a set holds. */
function heldIn(one: object): readonly unknown[] {
  try {
    return one instanceof Map ? [...one].flat() : one instanceof Set ? [...one] : [];
  } catch {
    // The prototype of such a class.
    return [];
  }
}

/** Goes through all that a body can reach, also of the engine and the SDK, for an object that was not made in the sandbox. */
const looksAround = definePlaybook(
  {
    id: 'looks-around',
    title: 'Looks around',
    on: { match: { rule: 'Look around' }, minSeverity: 'low', requires: ['pod'] },
    uses: {},
  },
  async (body) => {
    const next: Way[] = [
      ['globalThis', globalThis],
      ['body', body],
    ];
    const seen = new Set<object>();
    const foreign: string[] = [];
    for (let found = next.pop(); found; found = next.pop()) {
      const [way, one] = found;
      if (seen.has(one) || seen.size > 30_000) continue;
      seen.add(one);
      const root = rootOf(one);
      if (root !== Object.prototype && root !== one) foreign.push(way);
      const held = heldIn(one);
      const parts = Reflect.ownKeys(one).map((key) => [String(key), Object.getOwnPropertyDescriptor(one, key)?.value] as const);
      for (const [name, part] of [
        ...parts,
        ...held.map((part) => ['held', part] as const),
        ['above', Object.getPrototypeOf(one)] as const,
      ])
        if (isObject(part)) next.push([`${way}.${name}`.slice(-200), part]);
    }
    body.note(`foreign: ${foreign.slice(0, 5).join(' ') || 'none'}; looked at ${seen.size > 1_000 ? 'a thousand' : seen.size}`);
  },
);
type Callable = (...given: readonly unknown[]) => unknown;

/** What the host has put into other sandboxes, by name. */
const host = (name: string): unknown => (globalThis as unknown as Readonly<Record<string, unknown>>)[name];
/** Has a function made from text, outside the sandbox if the thing is of the host. */
const processBy = (one: object): unknown => {
  const make = (one.constructor as unknown as { readonly constructor: (text: string) => Callable }).constructor;
  return make('return process')();
};

/** Siblings of that way. Each returns what it has got, or throws. */
const siblings: Readonly<Record<string, () => unknown>> = {
  'what is its own': () => host('Object'),
  'process by name': () => host('process'),
  'require by name': () => host('require'),
  'a copy by the host': () => (host('structuredClone') as Callable)({}),
  'an error of the host': () => new (host('DOMException') as new () => object)(),
  'a port of the host': () => new (host('MessageChannel') as new () => object)(),
  'an emitter of the host': () => new (host('EventTarget') as new () => object)(),
  'native code': () => host('WebAssembly'),
  'the maker of functions': () => processBy({}),
  'the maker of the console’s functions': () => processBy(console.log),
  'the maker of a timer’s functions': () => processBy(setTimeout),
  'the frames of a stack': () => {
    let frames: readonly { getThis?(): unknown; getFunction?(): unknown }[] = [];
    const stacks = Error as unknown as { prepareStackTrace: unknown };
    stacks.prepareStackTrace = (_: unknown, calls: typeof frames) => {
      frames = calls;
      return '';
    };
    void new Error('x').stack;
    return frames
      .map((frame) => frame.getThis?.() ?? frame.getFunction?.())
      .find((one) => isObject(one) && rootOf(one) !== Object.prototype);
  },
  'what the console asks of a value': () => {
    let given: readonly unknown[] = [];
    console.log({ [Symbol.for('nodejs.util.inspect.custom')]: (...all: readonly unknown[]) => (given = all) });
    return given.find((one) => isObject(one) && rootOf(one) !== Object.prototype);
  },
};

const triesSiblings = definePlaybook(
  {
    id: 'tries-siblings',
    title: 'Tries other ways out',
    on: { match: { rule: 'Siblings' }, minSeverity: 'low', requires: ['pod'] },
    uses: {},
  },
  async ({ note }) => {
    for (const [way, attempt] of Object.entries(siblings)) {
      let got: unknown;
      try {
        got = attempt();
      } catch {
        // It is refused.
      }
      note(`${way}: ${got === undefined ? 'nothing' : `got ${typeof got}`}`);
    }
  },
);
addPlaybooks(leavesSandbox);
addPlaybooks(triesSiblings);
addPlaybooks(looksAround);
addPlaybooks(neverReturns);
addPlaybooks(startsAnother);

export * from '../../../workflows/index.ts';
