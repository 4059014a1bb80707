import { accessSync, constants, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { FirebreakError } from '../../../core/errors.ts';
import type { ReleaseStatement } from '../../../core/playbook/release.ts';
import { rightsOf } from '../../../core/playbook/widening.ts';
import { systemErrorCode } from '../../../core/system-error.ts';
import { counted } from '../../../core/text/counted.ts';
import { ensureFolderSync } from '../../../integrations/ensure-folder.ts';
import { createFolderShelf } from '../../../integrations/evidence/folder-shelf.ts';
import { declarationsIn, describePack } from '../../packs/describe.ts';
import { type PackFiles, packOf, packSourceAt, readPackAt } from '../../packs/pack-files.ts';
import { longestReason, mostChanged, provenRelease, ReleaseStore, signedRelease } from '../../packs/release-store.ts';
import { firebreakVersion } from '../../process/project-root.ts';
import { workflowBuild } from '../../temporal/bundle/pack-build.ts';
import { type CommonOptions, durationOption, positive, withConfig, withExamples } from '../options.ts';
import { print, printable, printJson, printTable } from '../output.ts';
import { findingText } from '../playbooks/check.ts';
import { namedPack } from './promote.ts';
import { type ReplayOptions, replayAll, whyNotReplayed } from './replay.ts';

interface StoreOptions extends CommonOptions {
  readonly config: string;
  readonly store?: string;
}

interface PublishOptions extends StoreOptions, ReplayOptions {
  readonly key: string;
  readonly rules?: string;
  readonly despite?: string;
}

function withStore(command: Command): Command {
  return withConfig(command).option(
    '--store <folder>',
    'a folder to use as the store, instead of the one that the configuration names',
  );
}

/** Adds `firebreak pack publish|releases`. */
export function registerPublishing(pack: Command): void {
  withExamples(
    withStore(
      pack
        .command('publish')
        .description(
          'check, build and sign this version of a pack, replay its histories and recent incidents on it, and add it to the store of releases, where it never changes',
        )
        .argument('[where]', 'folder, or tarball from `npm pack`', '.')
        .requiredOption('--key <file>', 'the publisher’s Ed25519 private key (PEM); releases.publishers names its public half')
        .option(
          '--incidents <number>',
          'how many of the newest incidents to read, of those that Temporal still has',
          positive,
          50,
        )
        .addOption(durationOption('--within <duration>', 'how long that may take', '1m'))
        .option(
          '--allow-changed <reason>',
          'publish even though some histories now take another path; the reason is also signed',
          signedReason,
        )
        .option('--rules <folder>', 'your rule files: rule names are looked up there')
        .option(
          '--despite <reason>',
          'publish even though the check finds something, or incidents could not be replayed; the reason is also signed',
          signedReason,
        ),
    ),
    [
      'firebreak pack publish --config firebreak.yaml --key ~/.firebreak/platform-team.pem',
      'firebreak pack publish --key platform-team.pem --allow-changed "asks before it deletes"',
      'firebreak pack publish our-playbooks-1.1.0.tgz --store /srv/releases --key platform-team.pem',
    ],
  )
    .addHelpText(
      'after',
      '\nIt is checked as by `firebreak check --strict`. Incidents are those of the configuration’s Temporal in which a playbook of this pack ran, sealed and verified as everywhere else; with --store, none are read.' +
        '\nOpen incidents finish with the build that they started with, whatever is published. A change is reported so that nobody makes one unknowingly.',
    )
    .action(publish);
  withExamples(
    withStore(
      pack
        .command('releases')
        .description('list the versions of a pack in the store')
        .argument('<pack>', 'name of the pack', namedPack),
    ),
    ['firebreak pack releases our-playbooks'],
  ).action(list);
}

function signedReason(text: string): string {
  const reason = text.trim();
  if (reason === '' || reason.length > longestReason)
    throw new InvalidArgumentError(`Expected a reason for those who read it later, of at most ${longestReason} characters.`);
  return reason;
}

async function publish(where: string, options: PublishOptions): Promise<void> {
  const { files } = readPackAt(where);
  // Also for a tarball: the signature covers its code, not how it was packed.
  const pack = packOf(files, where);
  if (options.store !== undefined) mustTakeFiles(resolve(options.store));
  const store = await storeIn(options);
  // Each before what takes longer: the check, then the build and the replay.
  const inTheWay = await whyNotReplayed(options);
  acceptedIn(inTheWay === undefined ? [] : [inTheWay], options.despite);
  const found = await foundIn(where, options);
  acceptedIn(found, options.despite);
  const statement = await statementOf({ pack, where, found, inTheWay }, options);
  // Only needed to publish or list.
  const { personalSigner } = await import('../../incidents/orders.ts');
  const release = await signedRelease(statement, pack, await personalSigner(options.key));
  const outcome = await store.publish(release);
  const { pack: name, version, integrity, builtWith, replayed, changed, despite } = statement;
  if (options.json)
    return printJson({
      pack: name,
      version,
      integrity,
      build: builtWith.build,
      outcome,
      keyId: release.keyId,
      replayed,
      ...(changed && { changed }),
      ...(despite && { despite }),
    });
  print(`${outcome === 'known' ? 'Already published' : 'Published'}: ${name}@${version}, integrity ${integrity}`);
  print(
    `Replayed: ${replayed.golden} of its own histories, ${replayed.incidents} of incidents; ${changed?.count ?? 0} take another path.`,
  );
  print(`It does not run anywhere yet: firebreak pack promote ${name}@${version} --reason WHY`);
}

/** @throws FB_ERR_REFUSED if the pack cannot be published. */
async function statementOf(
  {
    pack,
    where,
    found,
    inTheWay,
  }: {
    readonly pack: PackFiles;
    readonly where: string;
    readonly found: readonly string[];
    readonly inTheWay: string | undefined;
  },
  options: PublishOptions,
): Promise<ReleaseStatement> {
  const described = saidBy(() => describePack(pack));
  const { name, version, playbooks } = described.pack;
  const stateDir = mkdtempSync(join(tmpdir(), 'firebreak-publish-'));
  try {
    const { integrity } = pack;
    const { id, path: bundle } = await workflowBuild({ packs: [{ name, integrity, source: { release: pack } }], stateDir });
    const { notReplayed, ...replayed } = await replayAll({ name, where, bundle, playbooks }, options, inTheWay);
    return {
      format: 1,
      pack: name,
      version,
      integrity,
      main: pack.main,
      builtWith: { firebreak: firebreakVersion(), build: id },
      ...declarationsIn(described.raw),
      rights: rightsOf(playbooks),
      ...replayed,
      ...acceptedIn([...found, ...notReplayed], options.despite),
      at: new Date().toISOString(),
    };
  } finally {
    rmSync(stateDir, { recursive: true, force: true });
  }
}

/** What the same check finds as `firebreak check --strict`. @throws FB_ERR_REFUSED for code that could not run */
async function foundIn(where: string, { store, config: path, rules: folder }: PublishOptions): Promise<readonly string[]> {
  // The check imports the compiler and the simulation, which listing does not need.
  const { checkPacks } = await import('../../check/check-packs.ts');
  const { ruleSetInFolder } = await import('../../coverage/rule-files.ts');
  const config = store === undefined ? (await configured(path)).config : undefined;
  // Its histories are replayed on the build that is signed.
  const { findings } = await checkPacks({
    sources: [packSourceAt(where)],
    depth: 'answers',
    ...(config && { config }),
    ...(folder !== undefined && { rules: ruleSetInFolder(folder) }),
  });
  const found = findings.filter(({ severity }) => severity !== 'notice');
  const broken = found.find(({ severity, check }) => severity === 'error' && unusable.has(check));
  if (broken) throw new FirebreakError('FB_ERR_REFUSED', `${findingText(broken)} firebreak check ${where} lists all problems`);
  return found.map(findingText);
}

/** No reason makes up for these. */
const unusable: ReadonlySet<string> = new Set(['code', 'types', 'envelope']);

/** @throws FB_ERR_REFUSED if something was found and nobody has accepted it. */
function acceptedIn(found: readonly string[], because: string | undefined): Pick<ReleaseStatement, 'despite'> {
  const [first] = found;
  if (first === undefined) return {};
  if (because === undefined) {
    for (const text of found) process.stderr.write(`${printable(text)}\n`);
    throw new FirebreakError(
      'FB_ERR_REFUSED',
      `${counted(found.length, 'finding')} against it: ${first} If it is to be published nevertheless, give the reason with --despite "…"`,
    );
  }
  return { despite: { count: found.length, findings: found.slice(0, mostChanged).map((text) => text.slice(0, 1_000)), because } };
}

function saidBy<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new FirebreakError('FB_ERR_REFUSED', error instanceof Error ? error.message : 'the pack cannot be read');
  }
}

/** Checked before the work, not after it. @throws FB_ERR_REFUSED */
function mustTakeFiles(folder: string): void {
  try {
    ensureFolderSync(folder, 0o700);
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new FirebreakError('FB_ERR_REFUSED', `cannot write to ${folder}: ${systemErrorCode(error) ?? 'unknown error'}`, {
      remedy: 'With --store, name a folder that you may write to.',
    });
  }
}

async function storeIn({ config: path, store }: StoreOptions): Promise<ReleaseStore> {
  if (store !== undefined) return new ReleaseStore(createFolderShelf({ dir: resolve(store) }));
  if (!existsSync(path))
    throw new FirebreakError('FB_ERR_INCOMPLETE', `no store of releases is named, and there is no ${path} that names one`, {
      remedy: 'Name a folder with --store, or the configuration with --config FILE.',
    });
  const { config, secrets } = await configured(path);
  const { openReleases } = await import('../../process/releases.ts');
  return openReleases({ config, secrets });
}

async function configured(path: string) {
  const { loadConfig } = await import('../../config/load.ts');
  const { resolveReleaseSecrets } = await import('../../config/secrets.ts');
  const config = loadConfig({ path, env: process.env });
  return { config, secrets: resolveReleaseSecrets({ config, env: process.env }) };
}

async function list(pack: string, options: StoreOptions): Promise<void> {
  if (options.store !== undefined && !existsSync(options.store))
    throw new FirebreakError('FB_ERR_FILE_MISSING', `there is no folder ${resolve(options.store)}`, {
      remedy: 'Name the folder that was used with `firebreak pack publish --store`.',
    });
  const store = await storeIn(options);
  const verify = options.store === undefined ? await publishersIn(options.config) : () => true;
  const rows: {
    readonly version: string;
    readonly at: string;
    readonly said: string;
    readonly changed?: string;
    readonly despite?: string;
  }[] = [];
  for (const version of await store.versions(pack)) {
    try {
      const { statement } = provenRelease(await store.release(pack, version), { verify }, { pack, version });
      const { at, integrity: said, changed, despite } = statement;
      rows.push({
        version,
        at,
        said,
        ...(changed && { changed: changed.because }),
        ...(despite && { despite: despite.because }),
      });
    } catch (error) {
      rows.push({ version, at: '', said: error instanceof Error ? error.message : 'it cannot be read' });
    }
  }
  if (options.json) return printJson(rows);
  if (rows.length === 0) {
    const others = await store.packs();
    return print(
      printable(`No version of ${pack} is in the store${others.length === 0 ? '' : `, only of: ${others.join(', ')}`}.`),
    );
  }
  printTable(rows, [
    { title: 'VERSION', text: (row) => row.version },
    { title: 'PUBLISHED', text: (row) => row.at },
    { title: options.store === undefined ? 'INTEGRITY' : 'INTEGRITY (signature not checked)', text: (row) => row.said },
    { title: 'TAKES ANOTHER PATH', text: ({ changed }) => changed ?? '-' },
    { title: 'PUBLISHED DESPITE FINDINGS', text: ({ despite }) => despite ?? '-' },
  ]);
}

async function publishersIn(path: string) {
  const { config } = await configured(path);
  const { openPublishers } = await import('../../process/releases.ts');
  const { verify } = await openPublishers(config);
  return verify;
}
