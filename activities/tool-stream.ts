import type { z } from 'zod';
import { FirebreakError } from '../core/errors.ts';
import type { PodCommand } from '../integrations/kubernetes/pod-command.ts';
import { mustHaveEnded } from './in-container.ts';
import { hashing } from './sealed-evidence.ts';

/** What the tools say of a stream at its end: hash and size where it was written. */
interface StreamSummary {
  readonly sha256: string;
  readonly bytes: number;
}

/**
 * What a streaming command of the tools writes, as it comes. It ends only where they have ended well, and what came is what they say they
 * sent, in the last line on standard error.
 */
export function wholeStream<Summary extends StreamSummary>(
  command: PodCommand,
  schema: z.ZodType<Summary>,
): { readonly data: AsyncIterable<Uint8Array>; summary(): Summary } {
  const came = hashing(command.stdout);
  let summary: Summary | undefined;
  return {
    data: (async function* () {
      yield* came.data;
      mustHaveEnded(command);
      const said = schema.safeParse(parsed(command.end().stderr.trimEnd().split('\n').at(-1) ?? ''));
      if (!said.success) throw new FirebreakError('FB_ERR_REFUSED', 'the tools did not say what they have sent');
      const { sha256, bytes } = came.result();
      if (sha256 !== said.data.sha256 || bytes !== said.data.bytes)
        throw new FirebreakError('FB_ERR_UNAVAILABLE', `${bytes} bytes came of the ${said.data.bytes} that the tools sent`);
      summary = said.data;
    })(),
    summary: () => {
      if (!summary) throw new TypeError('the stream has not ended');
      return summary;
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
