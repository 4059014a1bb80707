import { objectOf } from '../../core/alert/sensor-text.ts';
import { parseExactly } from '../../core/text/exact-json.ts';

/** The nesting depth that the intake allows for any body. */
const deepest = 64;

/** Fields in which forwarders put the line they read: Fluent Bit, Vector, Fluentd. */
const lineFields = ['log', 'message', 'log_processed', 'MESSAGE', 'event', 'body'] as const;

/**
 * The content of an envelope, or undefined if the value is not one: the `data` of a CloudEvent (structured, or `{ headers, body }` of a binary one), or the
 * line that a forwarder read, as a text or already parsed, next to the forwarder's own `kubernetes`, which describes only the sensor's pod.
 */
export function contentOf(value: unknown): unknown {
  const envelope = objectOf(value);
  if (envelope === undefined) return undefined;
  if (isCloudEvent(envelope)) return cloudEventData(envelope);
  if (isBinaryCloudEvent(envelope)) return parsedText(envelope.body) ?? envelope.body;
  for (const field of lineFields) {
    const line: unknown = envelope[field];
    const content = typeof line === 'string' ? parsedText(line) : objectOf(line);
    if (content !== undefined) return content;
  }
  return undefined;
}

/** https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md */
export function isCloudEvent(value: Readonly<Record<string, unknown>>): boolean {
  return typeof value.specversion === 'string' && typeof value.type === 'string' && typeof value.source === 'string';
}

/** How a binary CloudEvent is stored and passed on here: its HTTP headers, in lower case, next to its body. */
export function isBinaryCloudEvent(value: Readonly<Record<string, unknown>>): boolean {
  return 'body' in value && typeof objectOf(value.headers)?.['ce-specversion'] === 'string';
}

function cloudEventData(event: Readonly<Record<string, unknown>>): unknown {
  if (typeof event.data_base64 === 'string') return parsedText(Buffer.from(event.data_base64, 'base64').toString('utf8'));
  return typeof event.data === 'string' ? parsedText(event.data) : event.data;
}

/** The object or list in a text; a CRI prefix (`time stdout F`) is ignored. */
function parsedText(text: unknown): unknown {
  if (typeof text !== 'string') return undefined;
  const json = text.replace(/^\S{1,64} (?:stdout|stderr) [FP] /, '').trim();
  if ((!json.startsWith('{') && !json.startsWith('[')) || isTooDeep(json)) return undefined;
  try {
    return parseExactly(json);
  } catch {
    return undefined;
  }
}

function isTooDeep(json: string): boolean {
  let depth = 0;
  let inText = false;
  for (let at = 0; at < json.length; at += 1) {
    const char = json.charCodeAt(at);
    if (inText) {
      if (char === 0x5c) at += 1;
      else if (char === 0x22) inText = false;
    } else if (char === 0x22) inText = true;
    else if (char === 0x7b || char === 0x5b) {
      depth += 1;
      if (depth > deepest) return true;
    } else if (char === 0x7d || char === 0x5d) depth -= 1;
  }
  return false;
}
