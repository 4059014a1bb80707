import { InvalidArgumentError, Option } from 'commander';
import { problemOfReason, reasonToSign } from '../../core/text/reason.ts';

/** `--reason`: as long as in every other way in, and without the secrets that people paste with what they have seen. */
export function reasonOption(description: string): Option {
  return new Option('--reason <text>', description).argParser((text: string) => {
    const problem = problemOfReason(text);
    if (problem !== undefined) throw new InvalidArgumentError(problem);
    return reasonToSign(text.trim());
  });
}
