import { InvalidArgumentError } from 'commander';
import { type Role, roles } from '../config/secrets.ts';

/** Parses `cell,desk` as roles, for Commander's options. */
export function roleList(text: string): readonly Role[] {
  const names = text.split(',').map((name) => name.trim());
  const known = roles.filter((role) => names.includes(role));
  if (known.length === 0 || names.some((name) => !roles.some((role) => role === name)))
    throw new InvalidArgumentError(`Expected one or more of ${roles.join(', ')}, separated by commas.`);
  return known;
}
