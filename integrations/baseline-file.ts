import { readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import type { Baseline } from '../core/assessment/stories.ts';
import { FirebreakError } from '../core/errors.ts';
import { fileProblem } from '../core/system-error.ts';

const baseline = z.strictObject({
  version: z.literal(1),
  from: z.string().optional(),
  to: z.string().optional(),
  alerts: z.number().int().nonnegative(),
  known: z.array(z.string().max(2_000)).max(200_000),
});

/** @throws FB_ERR_FILE_MISSING if there is no such file, or it is no baseline */
export function readBaseline(file: string): Baseline {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new FirebreakError('FB_ERR_FILE_MISSING', `${file}: ${fileProblem(error)}`);
  }
  const read = baseline.safeParse(jsonIn(text));
  if (!read.success)
    throw new FirebreakError('FB_ERR_FILE_MISSING', `${file} is not a baseline`, {
      remedy: 'Write one with `firebreak assess LOG --learn FILE`.',
    });
  const { from, to, ...rest } = read.data;
  return { ...rest, ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
}

export function writeBaseline(file: string, learned: Baseline): void {
  writeFileSync(file, `${JSON.stringify(learned, null, 1)}\n`);
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
