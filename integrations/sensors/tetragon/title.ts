import { type Fields, firstKnown, objectOf, sensorText, wholeNumber } from '../../../core/alert/sensor-text.ts';
import { commandLineOf } from './process.ts';

/** One sentence: the policy's own message, or what happened and who did it. */
export function titleOf(event: {
  readonly kind: string;
  readonly body: Fields;
  readonly process: Fields;
  /** Number of events that an aggregated event represents. */
  readonly count: unknown;
}): string {
  const times = wholeNumber(event.count);
  const said = sensorText(event.body.message, 200) ?? happened(event);
  const stopped = typeof event.body.action === 'string' && event.body.action.endsWith('_SIGKILL') ? ', killed by Tetragon' : '';
  return `${said}${stopped}${times !== undefined && times > 1 ? ` (${times} times)` : ''}`;
}

function happened({ kind, body, process }: { readonly kind: string; readonly body: Fields; readonly process: Fields }): string {
  const command = commandLineOf(process)?.slice(0, 160) ?? 'a process without a name';
  const binary = sensorText(process.binary, 160) ?? 'a process without a name';
  const hook = (value: unknown): string => sensorText(value, 80) ?? 'an unknown function';
  switch (kind) {
    case 'process_exec':
      return `Process started: ${command}`;
    case 'process_exit':
      return `Process ended: ${command}${endOf(body)}`;
    case 'process_tracepoint':
      return `${binary} hit ${hook(body.subsys)}/${hook(body.event)}`;
    case 'process_uprobe':
    case 'process_usdt':
      return `${binary} called ${hook(firstKnown(body.symbol, body.name))}${placeOf(body.path)}`;
    case 'process_loader':
      return `${binary} loaded ${sensorText(body.path, 80) ?? 'a library without a path'}`;
    case 'process_connect':
      return `${binary} connected to ${hook(body.destination_ip)}:${wholeNumber(body.destination_port) ?? '?'}`;
    case 'process_accept':
      return `${binary} accepted a connection from ${hook(body.destination_ip)}:${wholeNumber(body.destination_port) ?? '?'}`;
    case 'process_listen':
      return `${binary} listens on port ${wholeNumber(body.port) ?? wholeNumber(body.source_port) ?? '?'}`;
    case 'process_close':
      return `${binary} closed a connection to ${hook(body.destination_ip)}:${wholeNumber(body.destination_port) ?? '?'}`;
    default:
      return `${binary} called ${hook(body.function_name)}${targetOf(body.args)}`;
  }
}

/** The library or program; none if the probe was set by an offset alone. */
function placeOf(path: unknown): string {
  const place = sensorText(path, 80);
  return place === undefined ? '' : ` in ${place}`;
}

function endOf(body: Fields): string {
  const signal = sensorText(body.signal, 32);
  const status = wholeNumber(body.status);
  return signal !== undefined ? ` (${signal})` : status === undefined ? '' : ` (status ${status})`;
}

/** The first argument that a person would name: a file or a connection. */
function targetOf(args: unknown): string {
  if (!Array.isArray(args)) return '';
  for (const arg of args.slice(0, 16)) {
    const only = objectOf(Object.values(objectOf(arg) ?? {})[0]);
    const path = sensorText(only?.path, 120);
    if (path !== undefined) return ` on ${path}`;
    // From a socket, or from the argument of `connect`.
    const [address, port] = only && 'addr' in only ? [only.addr, only.port] : [only?.daddr, only?.dport];
    const named = sensorText(address, 64);
    if (named !== undefined) return ` to ${named}:${wholeNumber(port) ?? '?'}`;
  }
  return '';
}
