import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { BundleKey, KeyFingerprint } from '../../../core/bundle/bundle.ts';
import { type BundleVerdict, readBundle, verifyBundle } from '../../../core/bundle/verify-bundle.ts';
import { FirebreakError } from '../../../core/errors.ts';
import { sha256Hex } from '../../../core/text/digest.ts';
import { configToUse } from '../../config/left-out.ts';
import { resolveStoreSecrets } from '../../config/secrets.ts';
import { evidencePublicKeys } from '../../process/keys/evidence-keys.ts';
import { recordKeys } from '../../records/audit-trust.ts';
import { type CommonOptions, type ConfiguredOptions, withConfig, withExamples, withJson } from '../options.ts';
import { print, printable, printJson } from '../output.ts';
import { type RetiredKeysOption, retiredKeyOption } from './retired-key.ts';

interface VerifyBundleOptions extends CommonOptions {
  readonly trust?: string;
}

/** Adds `firebreak bundle verify|keys`. */
export function registerBundleCommand(program: Command): void {
  const bundle = program.command('bundle').description('check an exported incident');
  withExamples(
    withJson(
      bundle
        .command('verify')
        .description('check a bundle with nothing but the file; exit code 1 if it was changed')
        .argument('<file>', 'the bundle (.json) or its page (.html)')
        .option('--trust <file>', 'the trusted keys: one OWNER FINGERPRINT per line, as `firebreak bundle keys` prints them'),
    ),
    ['firebreak bundle verify cart.html', 'firebreak bundle verify cart.json --trust keys.txt'],
  ).action(async (file: string, { trust, json }: VerifyBundleOptions) => {
    const trusted = trust === undefined ? undefined : fingerprintsIn(await read(trust), trust);
    const verdict = await verifyBundle(await read(file), trusted);
    if (!verdict.ok) process.exitCode = 1;
    if (json) printJson(verdict);
    else for (const line of verdictLines(verdict)) print(printable(line));
  });

  withExamples(
    withConfig(
      bundle
        .command('keys')
        .description('print the fingerprints of the keys that sign records; pass them on separately from the bundle')
        .argument('[file]', 'those of a bundle (default: those of the configuration)')
        .addOption(retiredKeyOption()),
    ),
    ['firebreak bundle keys > keys.txt', 'firebreak bundle keys cart.html'],
  ).action(async (file: string | undefined, options: ConfiguredOptions & RetiredKeysOption) => {
    const keys = (file === undefined ? await configuredKeys(options) : await keysOf(file)).map(fingerprintOf);
    if (options.json) printJson(keys);
    else for (const { of, fingerprint } of keys) print(printable(`${of} ${fingerprint}`));
  });
}

async function configuredKeys({
  config: path,
  retiredKey = [],
}: ConfiguredOptions & RetiredKeysOption): Promise<readonly BundleKey[]> {
  const config = configToUse(path);
  const secrets = resolveStoreSecrets({ config, env: process.env });
  return recordKeys(config, retiredKey, await evidencePublicKeys({ config, secrets }));
}

async function keysOf(file: string): Promise<readonly BundleKey[]> {
  const bundle = readBundle(await read(file));
  if (!bundle) throw new FirebreakError('FB_ERR_BUNDLE_INVALID', `${file} is not a bundle`);
  return bundle.content.keys;
}

function fingerprintOf({ of, spki }: BundleKey): KeyFingerprint {
  return { of, fingerprint: sha256Hex(Buffer.from(spki, 'base64')) };
}

/** Parses lines of the form `OF FINGERPRINT`; lines that begin with `#` are comments. @throws FB_ERR_BUNDLE_INVALID for any other line. */
function fingerprintsIn(bytes: Uint8Array, file: string): readonly KeyFingerprint[] {
  const lines = Buffer.from(bytes)
    .toString('utf8')
    .split('\n')
    .map((line) => line.trim());
  return lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, of, fingerprint] = /^(.+) ([0-9a-f]{64})$/.exec(line) ?? [];
      if (of === undefined || fingerprint === undefined)
        throw new FirebreakError(
          'FB_ERR_BUNDLE_INVALID',
          `${file} has a line that is not a key: each line must be OWNER FINGERPRINT`,
        );
      return { of, fingerprint };
    });
}

async function read(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch {
    throw new FirebreakError('FB_ERR_FILE_MISSING', `${file} cannot be read`);
  }
}

function verdictLines(verdict: BundleVerdict): readonly string[] {
  if (!verdict.ok) return ['The bundle is REFUSED: do not rely on it.', `  ${verdict.code}: ${verdict.text}`];
  const { chain, records, removed, covered, lastCheckpoint, closed, exported, keys, compared, missingManifests } = verdict;
  const { number, digest, at } = lastCheckpoint;
  return [
    `The bundle is intact: ${records} records of ${chain}, exported by ${exported.person} at ${exported.at}.`,
    `It shows the incident as of ${at}, the time of its newest checkpoint ${number}:${digest}.`,
    ...(covered < records ? [`No checkpoint vouches for the records ${covered + 1} to ${records} yet.`] : []),
    ...(closed ? [] : ['The incident was still open.']),
    ...(removed.length === 0
      ? []
      : [
          `The content of these records was removed, by orders that two people signed: ${removed.join(', ')}. Decisions that depend on them are not checked.`,
        ]),
    ...missingManifests.map((sha256) => `Evidence manifest ${sha256} is referenced, but not included.`),
    compared
      ? 'All its keys are among those that you trust.'
      : 'Its keys come from the file itself: compare them with those that you received by another channel, or check with --trust.',
    ...keys.map(({ of, fingerprint }) => `  ${of} ${fingerprint}`),
  ];
}
