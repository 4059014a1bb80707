import { InvalidArgumentError, Option } from 'commander';
import { type RetiredKey, retiredKeyFrom } from '../../records/retired-key.ts';

export interface RetiredKeysOption {
  readonly retiredKey?: readonly RetiredKey[];
}

export function retiredKeyOption(): Option {
  const what =
    'a public key (PEM) that signed records or votes and is no longer in the configuration: desk=FILE, cell/CLUSTER=FILE or person/ID=FILE; may be repeated';
  return new Option('--retired-key <who=file>', what).argParser(retiredKeys);
}

function retiredKeys(text: string, before: readonly RetiredKey[] = []): readonly RetiredKey[] {
  const key = retiredKeyFrom(text);
  if (!key) throw new InvalidArgumentError('Expected desk=FILE, cell/CLUSTER=FILE or person/ID=FILE.');
  return [...before, key];
}
