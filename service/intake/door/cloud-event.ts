import type { IncomingHttpHeaders } from 'node:http';

/**
 * How a request carries CloudEvents. `batch` has to be asked for first: its content type begins with that of `structured`.
 * https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#3-http-message-mapping
 */
export type CloudEventMode = 'batch' | 'structured' | 'binary';

export function cloudEventMode(contentType: string | undefined, headers: IncomingHttpHeaders): CloudEventMode | undefined {
  const type = contentType?.trim().toLowerCase() ?? '';
  if (type.startsWith('application/cloudevents-batch')) return 'batch';
  if (type.startsWith('application/cloudevents')) return 'structured';
  return typeof headers['ce-specversion'] === 'string' ? 'binary' : undefined;
}

/** The attributes of a binary CloudEvent. */
export function cloudEventAttributes(headers: IncomingHttpHeaders): Readonly<Record<string, string>> {
  const attributes = Object.entries(headers).filter(([name, value]) => name.startsWith('ce-') && typeof value === 'string');
  return Object.fromEntries(attributes.map(([name, value]) => [name, String(value)]));
}
