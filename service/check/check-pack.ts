import type { Alert } from '../../core/alert/alert.ts';
import type { KnownRule } from '../../core/rules/known-rules.ts';
import type { Config } from '../config/load.ts';
import { enabledPlaybooks } from '../config/packs.ts';
import { unknownRules, unknownRuleText } from '../config/unknown-rules.ts';
import { type DescribedPack, describePack } from '../packs/describe.ts';
import type { PackFiles } from '../packs/pack-files.ts';
import { runPackProgram } from '../packs/pack-program.ts';
import { packFaults } from '../packs/pack-rules.ts';
import { checkTypes } from '../packs/pack-types.ts';
import { faultsOfHistories } from '../trial/recorded.ts';
import { configurationFindings, groupFindings } from './configured.ts';
import type { CheckFinding } from './finding.ts';
import { PackPlaces } from './places.ts';
import { rightsFindings } from './rights.ts';
import type { Trial, TriedPlaybook } from './try-main.ts';

interface PackToCheck {
  readonly files: PackFiles;
  /** Folder of the pack, for its installed types; absent: it comes from a tarball. */
  readonly folder?: string;
  /** How a command refers to it: `--pack our-playbooks`, or the configuration that contains it. */
  readonly named: string;
  /** The alerts to try it with. */
  readonly alerts: readonly Alert[];
}

interface CheckSettings {
  /** The configuration it will run with. */
  readonly config?: Config;
  /** The existing rules; absent: those of the public rule sets. */
  readonly rules?: readonly KnownRule[];
  readonly depth?: CheckDepth;
}

/** `quick`: what is written, without running a body. `answers`: each body, too. `all`: also the recorded histories. */
export type CheckDepth = 'quick' | 'answers' | 'all';

export interface CheckedPack {
  /** Absent if it cannot be read. */
  readonly pack?: DescribedPack;
  readonly findings: readonly CheckFinding[];
}

/** Checks everything that can be known about a pack before it is live, without a cluster. Takes some seconds at most. */
export async function checkPack(
  { files, folder, named, alerts }: PackToCheck,
  { config, rules, depth = 'all' }: CheckSettings,
): Promise<CheckedPack> {
  const code = packFaults(files);
  if (code.length > 0) return { findings: code.map((fault) => ({ severity: 'error', check: 'code', ...fault })) };
  let pack: DescribedPack;
  try {
    ({ pack } = describePack(files));
  } catch (error) {
    return { findings: [...typeFindings(files, folder), thrown(error, files, 'envelope')] };
  }
  const places = new PackPlaces(files);
  // In a separate process, while the compiler runs.
  const trying = depth === 'quick' ? [] : tryFindings(files, pack, places, { named, alerts, config });
  const types = typeFindings(files, folder);
  return {
    pack,
    findings: [
      ...types,
      ...versionFindings(pack, files),
      ...listFindings(pack, places),
      ...ruleFindings(pack, places, rules, config),
      ...(config ? configurationFindings(pack, places, config) : groupFindings(pack, places)),
      ...rightsFindings(pack, places, config),
      ...(await trying),
      ...(depth === 'all' && folder !== undefined ? await historyFindings(folder, files) : []),
    ],
  };
}

async function historyFindings(folder: string, files: PackFiles): Promise<readonly CheckFinding[]> {
  try {
    const faults = await faultsOfHistories(folder, files);
    return faults.map(({ file, problem, remedy }) => ({
      severity: 'error',
      check: 'histories',
      file,
      problem,
      remedy: `${remedy}.`,
    }));
  } catch (error) {
    return [thrown(error, files, 'histories')];
  }
}

function typeFindings(files: PackFiles, folder: string | undefined): readonly CheckFinding[] {
  const types = checkTypes(files, folder);
  if ('faults' in types) return types.faults.map((fault) => ({ severity: 'error', check: 'types', ...fault }));
  return [
    {
      severity: 'warning',
      check: 'types',
      problem: `its types, and whether each step is awaited, were not checked: ${types.notChecked}`,
      remedy: 'Check it where TypeScript is installed.',
    },
  ];
}

/** In the format of `runPackProgram`: `playbooks/miner.ts:12: TypeError: …`. */
function thrown(error: unknown, { main }: PackFiles, check: CheckFinding['check']): CheckFinding {
  const text = error instanceof Error ? error.message : 'it cannot be read';
  const {
    file = main,
    line,
    problem = text,
  } = /^(?<file>[\w./-]+\.[jt]s):(?:(?<line>\d+): )?\s*(?<problem>.*)$/s.exec(text)?.groups ?? {};
  return {
    severity: 'error',
    check,
    file,
    ...(line !== undefined && { line: Number(line) }),
    problem,
    remedy: 'Correct it there: until then, nothing in the pack can be used.',
  };
}

async function tryFindings(
  files: PackFiles,
  pack: DescribedPack,
  places: PackPlaces,
  { named, alerts, config }: Pick<PackToCheck, 'named' | 'alerts'> & { readonly config: Config | undefined },
): Promise<readonly CheckFinding[]> {
  const texts = [...files.files.values()].map(String);
  const shipped = enabledPlaybooks({ playbooks: { enabled: config?.playbooks.enabled ?? 'all' } });
  const trial: Trial = {
    alerts,
    // Simulations get slower with each playbook: those that no file names cannot be called.
    shipped: shipped.flatMap(({ id }) => (texts.some((text) => text.includes(id)) ? [id] : [])),
    params: config?.playbooks.params ?? {},
    ...(config && { guardrails: { ...config.guardrails, ownNamespace: config.kubernetes.ownNamespace } }),
  };
  try {
    const tried: readonly TriedPlaybook[] = JSON.parse(await runPackProgram(files, 'service/check/try-main', trial));
    return tried.flatMap((one) => triedFindings(one, pack, places, named));
  } catch (error) {
    return [thrown(error, files, 'answers')];
  }
}

function triedFindings(
  { playbook, alert, problems, notices, unsteady, alwaysRefused, cutAfter, runsBeside }: TriedPlaybook,
  pack: DescribedPack,
  places: PackPlaces,
  named: string,
): readonly CheckFinding[] {
  const at = { playbook, ...places.of(playbook) };
  if (alert === undefined)
    return [
      {
        severity: 'warning',
        check: 'answers',
        ...at,
        problem: 'it was not tried: no alert could be made up that it answers',
        remedy: 'Put one, as its sensor sends it, into the folder alerts of the pack.',
      },
    ];
  const refused = alwaysRefused.map(({ action, reason }): CheckFinding => {
    const name = Object.entries(pack.playbooks.find(({ id }) => id === playbook)?.uses ?? {}).find(
      ([, use]) => use.name === action,
    )?.[0];
    return {
      severity: 'error',
      check: 'guardrails',
      ...at,
      ...(name !== undefined && places.of(playbook, name)),
      problem: `${action} would be refused each time: ${reason}`,
      remedy:
        'Have the envelope leave out the alerts about which nothing may be done, or call the action within what the guardrails allow.',
    };
  });
  const isRefused = (text: string): boolean => alwaysRefused.some(({ action }) => text.startsWith(`${action} is refused: `));
  const said = (severity: 'error' | 'notice', texts: readonly string[]): readonly CheckFinding[] =>
    texts
      .filter((text) => !isRefused(text))
      .map((text) => ({
        severity,
        check: 'answers',
        ...at,
        ...placeIn(text),
        problem: text.replace(stackPlace, ''),
        remedy: `See the path that it takes: firebreak simulate ${named} --playbook ${playbook} --every.`,
      }));
  return [
    ...(unsteady === undefined
      ? []
      : [
          {
            severity: 'error' as const,
            check: 'replay' as const,
            ...at,
            problem: `it behaves differently when it is replayed: ${unsteady}`,
            remedy: 'Keep no state outside the body: use alert, incident, params and the results of steps.',
          },
        ]),
    ...refused,
    ...(cutAfter === undefined
      ? []
      : [
          {
            severity: 'warning' as const,
            check: 'answers' as const,
            ...at,
            problem: `it has more paths than are tried: only ${cutAfter} were, and not every answer with every step that fails`,
            remedy:
              'Ask fewer questions in one playbook: move a part into another one (runPlaybook), whose paths are tried separately.',
          },
        ]),
    ...(runsBeside === undefined
      ? []
      : [
          {
            severity: 'warning' as const,
            check: 'envelope' as const,
            ...at,
            problem: `it is exclusive and so is ${runsBeside}: an alert that both answer gets both, since they have the same priority`,
            remedy: 'Give one of them a higher priority, or have one leave out what the other answers.',
          },
        ]),
    ...said('error', problems),
    ...said('notice', notices),
  ];
}

/** `, at run (file:///tmp/firebreak-pack-x/playbooks/miner.ts:12:5)`, as Node writes it for a thrown error. */
const stackPlace = /, at [^,()]*\(?(?:file:\/\/)?[^()\s]*\/firebreak-pack-\w+\/(?<file>[^\s:]+):(?<line>\d+):\d+\)?/;
/** The engine's wording for a loop. */
const turnPlace = / at (?<file>[\w./-]+\.[jt]s):(?<line>\d+)/;

function placeIn(text: string): { readonly file?: string; readonly line?: number } {
  const { file, line } = (stackPlace.exec(text) ?? turnPlace.exec(text))?.groups ?? {};
  return file === undefined || line === undefined ? {} : { file, line: Number(line) };
}

/** Whoever installs the package and whoever promotes the pack would speak of different versions. */
function versionFindings({ version }: DescribedPack, { packageVersion, main }: PackFiles): readonly CheckFinding[] {
  if (packageVersion === undefined || packageVersion === version) return [];
  return [
    {
      severity: 'error',
      check: 'envelope',
      file: main,
      problem: `the pack has the version ${version}, and its package.json has ${packageVersion}`,
      remedy: `Give both the same: npm pkg set version=${version}, or change the version in ${main}.`,
    },
  ];
}

/** Playbooks that are written but in no list: they answer nothing, without any warning. */
function listFindings({ playbooks, name }: DescribedPack, places: PackPlaces): readonly CheckFinding[] {
  return places
    .written()
    .filter(({ id }) => !playbooks.some((one) => one.id === `${name}/${id}`))
    .map(({ id, file, line }) => ({
      severity: 'warning',
      check: 'envelope',
      file,
      line,
      problem: `the playbook ${id} is not in the list of the pack: it answers no alert`,
      remedy: 'Import it in firebreak.pack.ts, and add it to playbooks: […].',
    }));
}

function ruleFindings(
  { playbooks }: DescribedPack,
  places: PackPlaces,
  rules: readonly KnownRule[] | undefined,
  config: Config | undefined,
): readonly CheckFinding[] {
  const named = Object.values(config?.sensors ?? {}).flatMap(({ severities }) => Object.keys(severities));
  return unknownRules(playbooks, named, rules).map(({ nearest, ...unknown }) => ({
    severity: 'warning',
    check: 'rules',
    playbook: unknown.playbook,
    ...places.of(unknown.playbook, unknown.rule),
    problem: rules === undefined ? unknownRuleText(unknown) : `the rule files have no “${unknown.rule}”: it never matches`,
    remedy: nearest === undefined ? 'Write the name as its rule file has it.' : `Did you mean “${nearest}”?`,
  }));
}
