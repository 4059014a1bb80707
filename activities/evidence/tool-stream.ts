import type { z } from 'zod';
import { FirebreakError } from '../../core/errors.ts';
import type { PodCommand } from '../../integrations/kubernetes/pods/pod-command.ts';
import { mustHaveEnded } from './in-container.ts';
import type { StreamDigest } from './sealed-evidence.ts';

/**
 * The output of a streaming command of the tools, as it comes. At its end, `whole` checks whether the tools ended well, and whether what came is what they
 * report having sent, in the last line on standard error.
 */
export function wholeStream<Summary extends StreamDigest>(
  command: PodCommand,
  schema: z.ZodType<Summary>,
): { readonly data: AsyncIterable<Uint8Array>; whole(came: StreamDigest): void; summary(): Summary } {
  let summary: Summary | undefined;
  return {
    data: command.stdout,
    whole({ sha256, bytes }) {
      mustHaveEnded(command);
      const said = schema.safeParse(parsed(command.end().stderr.trimEnd().split('\n').at(-1) ?? ''));
      if (!said.success) throw new FirebreakError('FB_ERR_REFUSED', 'the tools did not report what they sent');
      if (sha256 !== said.data.sha256 || bytes !== said.data.bytes)
        throw new FirebreakError('FB_ERR_UNAVAILABLE', `${bytes} bytes arrived of the ${said.data.bytes} that the tools sent`);
      summary = said.data;
    },
    summary() {
      if (!summary) throw new TypeError('the stream has not ended');
      return summary;
    },
  };
}

/** Parsed JSON, or undefined if it is not JSON. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
