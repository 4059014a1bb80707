import { InvalidArgumentError, Option } from 'commander';
import { problemOfReason, reasonToSign } from '../../core/text/reason.ts';

/** `--reason`: limited to the same length as everywhere else, and with secrets removed that people may paste along with their findings. */
export function reasonOption(description: string): Option {
  return new Option('--reason <text>', description).argParser((text: string) => {
    const problem = problemOfReason(text);
    if (problem !== undefined) throw new InvalidArgumentError(problem);
    return reasonToSign(text.trim());
  });
}
