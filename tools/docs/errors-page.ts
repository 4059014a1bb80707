import { errorCatalogue } from '../../core/errors.ts';

/** `docs/errors.md`, from the catalogue. */
export function errorsPage(): string {
  const rows = Object.entries(errorCatalogue).map(
    ([code, { summary, retryable, remedy }]) => `| \`${code}\` | ${summary} | ${retryable ? 'yes' : 'no'} | ${remedy} |`,
  );
  return [
    '# Errors',
    'Every error that Firebreak raises on purpose has one of these codes. *Retried* says whether the same call may succeed later; the engine retries those by itself. No error holds a secret, a response body or a header.',
    ['| code | what is wrong | retried | what to do |', '|---|---|---|---|', ...rows].join('\n'),
  ].join('\n\n');
}
