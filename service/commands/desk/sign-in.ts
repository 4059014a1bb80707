import type { Command } from 'commander';
import { type CommonOptions, withExamples, withJson } from '../options.ts';
import { type DeskPlace, placeOf, withDeskAlone } from './desk-options.ts';

interface SignInOptions extends CommonOptions {
  readonly desk: string;
  readonly ca?: string;
}

const where = ({ desk, ca }: SignInOptions): DeskPlace => placeOf({ desk, ca });

/** `firebreak login`: the sign-in that `--desk` uses. */
export function registerLoginCommand(program: Command): void {
  withExamples(
    withJson(
      withDeskAlone(
        program
          .command('login')
          .description('sign in to a desk in a browser, here or on your phone, to read with --desk; it cannot decide anything'),
      ),
    ),
    ['firebreak login --desk https://firebreak.example.com', 'FIREBREAK_DESK=https://firebreak.example.com firebreak login'],
  ).action(async (options: SignInOptions) => (await import('./sign-in-run.ts')).login(where(options), options));
}

/** `firebreak logout`. */
export function registerLogoutCommand(program: Command): void {
  withExamples(
    withJson(
      withDeskAlone(
        program.command('logout').description('sign out of a desk: delete the token here and revoke it at the identity provider'),
      ),
    ),
    ['firebreak logout --desk https://firebreak.example.com'],
  ).action(async (options: SignInOptions) => (await import('./sign-in-run.ts')).logout(where(options), options));
}
