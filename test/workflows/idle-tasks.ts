import proto from '@temporalio/proto';

const { History } = proto.temporal.api.history.v1;
type IHistory = proto.temporal.api.history.v1.IHistory;

type Plain = { readonly [key: string]: unknown };
interface PlainEvent extends Plain {
  readonly eventId: number;
  readonly eventTime: { readonly seconds: number; readonly nanos: number };
}

const asPlain = (history: IHistory): readonly PlainEvent[] =>
  History.toObject(History.fromObject(history), { longs: Number }).events ?? [];

const isTask = (event: PlainEvent | undefined, state: 'Scheduled' | 'Started' | 'Completed'): event is PlainEvent =>
  event?.[`workflowTask${state}EventAttributes`] !== undefined;

const attributesOf = (event: PlainEvent): Plain =>
  Object.entries(event).flatMap(([key, value]) => (key.endsWith('EventAttributes') ? [value as Plain] : []))[0] ?? {};

const millisOf = ({ eventTime }: PlainEvent): number => eventTime.seconds * 1_000 + Math.floor(eventTime.nanos / 1e6);

/** Attributes refer to earlier events by number. */
function renumbered(event: PlainEvent, eventId: number, ids: ReadonlyMap<number, number>): PlainEvent {
  const entries = Object.entries(event).map(([key, value]) => {
    if (!key.endsWith('EventAttributes')) return [key, value];
    const attributes = Object.entries(value as Plain).map(([name, held]) => [
      name,
      name.endsWith('EventId') && typeof held === 'number' ? (ids.get(held) ?? held) : held,
    ]);
    return [key, Object.fromEntries(attributes)];
  });
  return { ...Object.fromEntries(entries), eventId };
}

/**
 * The history with an additional workflow task after each one that requested nothing, at most `lateMs` later. Servers create such tasks (the time-skipping one
 * for queries, the real one when a build changes), and on replay the SDK merges them with the task before: code that decides by the clock instead of a timer
 * then decides differently.
 */
export function withIdleTasks(history: IHistory, lateMs: number): { readonly history: IHistory; readonly added: number } {
  const events = asPlain(history);
  const made: PlainEvent[] = [];
  const ids = new Map<number, number>();
  let added = 0;
  for (const [index, event] of events.entries()) {
    ids.set(event.eventId, made.length + 1);
    made.push(renumbered(event, made.length + 1, ids));
    const [scheduled, started, next] = [events[index - 2], events[index - 1], events[index + 1]];
    if (!isTask(event, 'Completed') || !isTask(started, 'Started') || !isTask(scheduled, 'Scheduled') || !next) continue;
    // Commands of a task follow it at once and name it.
    if (attributesOf(next).workflowTaskCompletedEventId) continue;
    const [following] = events.slice(index + 1).filter((one) => isTask(one, 'Scheduled'));
    if (!following) continue;
    const at = Math.min(millisOf(event) + lateMs, millisOf(following));
    const eventTime = { seconds: Math.floor(at / 1_000), nanos: (at % 1_000) * 1e6 };
    const own = new Map(ids);
    for (const task of [scheduled, started, event]) {
      own.set(task.eventId, made.length + 1);
      made.push(renumbered({ ...task, eventTime }, made.length + 1, own));
    }
    added += 1;
  }
  return { history: History.fromObject({ events: made }), added };
}
