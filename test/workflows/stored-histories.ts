import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import proto from '@temporalio/proto';
import { createBox } from '../../integrations/crypto-box/box.ts';
import { testCodecKeys } from './speakers.ts';

const { Payload } = proto.temporal.api.common.v1;
const { History } = proto.temporal.api.history.v1;

/** One history for each shipped playbook. */
const file = join(import.meta.dirname, '..', 'fixtures', 'histories', 'playbooks.ndjson.gz');
const box = createBox({ keys: testCodecKeys });
const sealing = 'binary/encrypted';

export interface StoredHistory {
  readonly name: string;
  readonly workflowId: string;
  readonly history: proto.temporal.api.history.v1.IHistory;
}

interface Written {
  readonly metadata: Readonly<Record<string, string>>;
  readonly data?: string;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const text = (written: string | undefined): string => Buffer.from(written ?? '', 'base64').toString();

function isPayload(value: unknown): value is Written {
  if (typeof value !== 'object' || value === null || !('metadata' in value)) return false;
  const { metadata } = value;
  return typeof metadata === 'object' && metadata !== null && 'encoding' in metadata;
}

/** The string by which the codec binds a payload to its workflow, in the lab's namespace. */
const boundTo = (workflow: string): string => JSON.stringify(['temporal', 'default', workflow]);

/** Sealed bytes cannot be compressed, and the tests' key is in the tree, so the plaintext is stored. */
function opened(value: Written): unknown {
  if (text(value.metadata.encoding) !== sealing) return value;
  const workflow = text(value.metadata['encryption-workflow']);
  const inner = Payload.decode(box.open(Buffer.from(value.data ?? '', 'base64'), boundTo(workflow)));
  const metadata = Object.fromEntries(
    Object.entries(inner.metadata ?? {}).map(([key, bytes]) => [key, Buffer.from(bytes).toString('base64')]),
  );
  return { sealedFor: workflow, metadata, json: Buffer.from(inner.data ?? []).toString() };
}

interface Opened {
  readonly sealedFor: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly json: string;
}

function isOpened(value: unknown): value is Opened {
  return typeof value === 'object' && value !== null && 'sealedFor' in value && 'json' in value;
}

function sealedAgain({ sealedFor, metadata, json }: Opened): Written {
  const bytes = Payload.encode({
    metadata: Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, Buffer.from(value, 'base64')])),
    data: Buffer.from(json),
  }).finish();
  return {
    metadata: {
      encoding: base64(sealing),
      'encryption-key-id': base64(box.activeKeyId),
      'encryption-workflow': base64(sealedFor),
    },
    data: Buffer.from(box.seal(bytes, boundTo(sealedFor))).toString('base64'),
  };
}

function throughout(value: unknown, change: (value: unknown) => unknown): unknown {
  const changed = change(value);
  if (changed !== value) return changed;
  if (Array.isArray(value)) return value.map((one) => throughout(one, change));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, throughout(one, change)]));
}

export function writeHistories(histories: readonly StoredHistory[]): number {
  const lines = histories.map(({ history, ...named }) => {
    const plain = History.toObject(History.fromObject(history), { bytes: String, longs: String, enums: String });
    return JSON.stringify({ ...named, history: throughout(plain, (value) => (isPayload(value) ? opened(value) : value)) });
  });
  const bytes = gzipSync(lines.join('\n'), { level: 9 });
  writeFileSync(file, bytes);
  return bytes.length;
}

export function readHistories(): readonly StoredHistory[] {
  return gunzipSync(readFileSync(file))
    .toString()
    .split('\n')
    .map((line) => {
      const { history, ...named } = JSON.parse(line);
      return {
        ...named,
        history: History.fromObject(throughout(history, (value) => (isOpened(value) ? sealedAgain(value) : value)) as object),
      };
    });
}
