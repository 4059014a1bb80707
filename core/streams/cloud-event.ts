import { canonicalJson } from '../text/digest.ts';
import type { EventMaker, StreamEvent, StreamItem } from './stream.ts';

/**
 * A record as a CloudEvent: the data is the whole record with its maker's signature, so that any receiver can verify it.
 * https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
 */
export function cloudEventOf(item: StreamItem, maker: EventMaker): StreamEvent {
  if ('unproven' in item) {
    const { chain, place, problem, foundAt: at } = item.unproven;
    const id = `${chain}#${place}`;
    return event({ maker, id, chain, place, at, kind: 'record.unproven', data: { chain, place, problem } });
  }
  const { place, previous, hash, signed } = item.record;
  const { chain, at, kind } = signed.record;
  return event({ maker, id: hash, chain, place, at, kind, data: { ...signed, place, previous, hash } });
}

function event({
  maker,
  id,
  chain,
  place,
  at,
  kind,
  data,
}: Omit<StreamEvent, 'json'> & { readonly maker: EventMaker; readonly place: number; readonly data: object }): StreamEvent {
  const json = canonicalJson({
    specversion: '1.0',
    id,
    source: `/firebreak/${encodeURIComponent(maker.cluster)}`,
    type: `firebreak.${kind}`,
    subject: chain,
    time: at,
    datacontenttype: 'application/json',
    // CloudEvents extensions for grouping and order. https://github.com/cloudevents/spec/tree/v1.0.2/cloudevents/extensions
    partitionkey: chain,
    sequence: String(place).padStart(10, '0'),
    data,
  });
  return { id, chain, at, kind, json };
}
