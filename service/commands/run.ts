import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { enabledAmong } from '../../core/playbook/pack.ts';
import { refuseUnfinishedRestore } from '../backup/unfinished.ts';
import type { RampingVersions } from '../cell/builds/incident-versions.ts';
import { rampedFolder } from '../config/complete.ts';
import { configToRun } from '../config/left-out.ts';
import { type Config, type ConfigSource, loadConfig } from '../config/load.ts';
import { playbooksOf } from '../config/packs.ts';
import { quorumProblems } from '../config/playbook-problems.ts';
import { type Role, roles } from '../config/secrets.ts';
import { unchosenMode } from '../config/sections/response-section.ts';
import { unknownRules, unknownRuleText } from '../config/unknown-rules.ts';
import { createLog, type Logger, reasonOf } from '../process/log.ts';
import { installLastNet } from '../process/unhandled-rejections.ts';
import { startFirebreak } from '../run.ts';
import { workflowBuild } from '../temporal/bundle/pack-build.ts';
import { type ConfiguredOptions, withConfig, withExamples } from './options.ts';
import { roleList } from './role-list.ts';
import { keepAsAccepted, ReadyForSaves, requireLocal, savedPacks } from './watched-packs.ts';

interface RunCommandOptions extends ConfiguredOptions {
  readonly role: readonly Role[];
  readonly watch?: readonly string[];
}

/** `firebreak run`: the service, until it is stopped. */
export function registerRunCommand(program: Command): void {
  const command = program
    .command('run')
    .description('run the service: one or more roles')
    .option('--role <roles>', `what this process does: ${roles.join(', ')}, separated by commas`, roleList, [...roles])
    .option(
      '--watch <folders...>',
      'packs under development: used without a pin, and reloaded on each save; only if Temporal and the cluster are on this machine',
    );
  withExamples(withConfig(command), [
    'firebreak run --config firebreak.yaml',
    'firebreak run --role cell --config cell.yaml',
    'firebreak run --role desk --config desk.yaml',
    'firebreak run --watch our-playbooks --config firebreak.yaml',
  ]).action(async ({ config: path, role, watch = [] }: RunCommandOptions) => {
    const stopping = new Promise<'signal'>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve('signal'));
    });
    const source = { path, env: process.env, watched: watch.map((folder) => resolve(folder)) };
    const ready = watch.length > 0 ? new ReadyForSaves() : undefined;
    try {
      for (let isFirst = true; ; isFirst = false) {
        // Under development, a mistake is for the developer to see at once.
        const config = watch.length > 0 ? loadConfig(source) : configToRun(source, role);
        refuseUnfinishedRestore(config);
        if (watch.length > 0) await requireLocal(config);
        const log = createLog(config);
        if (watch.length > 0 || role.includes('cell')) keepAsAccepted(config, source.watched);
        if (isFirst) installLastNet(log);
        for (const { part, problem, remedy } of config.leftOut ?? [])
          log.error({ part, problem, remedy }, 'a part of the configuration cannot work: the service runs without it');
        warnOfPlaybooks(config, log);
        if (role.includes('cell') && !config.response.isModeChosen)
          log.warn({ remedy: unchosenMode.remedy }, unchosenMode.problem);
        // Only the cell runs workflows.
        const build = await workflowBuild({ ...config, packs: role.includes('cell') ? config.packs : [] });
        const ramping = await rampingVersions(source, config, { roles: role, log });
        const firebreak = await startFirebreak({ config, env: process.env, roles: role, build, ramping, source, log });
        const promoted = firebreak.promoted.then(() => 'promoted' as const);
        const ended = new AbortController();
        const saved =
          ready &&
          savedPacks({ source, running: config, ready, adopt: (next) => firebreak.adopt(next), log, signal: ended.signal });
        const end = await Promise.race([
          stopping,
          firebreak.failed,
          promoted,
          ...(saved ? [saved.then(() => 'saved' as const)] : []),
        ]);
        ended.abort();
        if (end instanceof Error) log.error({ reason: reasonOf(end) }, 'a worker stopped unexpectedly');
        else log.info({}, 'stopping: finishing the work in progress first');
        await firebreak.stop();
        // In the same process: a supervisor sees no exit, and the intake is closed only for a moment.
        if (end === 'promoted' || end === 'saved') continue;
        process.exitCode = end instanceof Error ? 1 : 0;
        return;
      }
    } finally {
      ready?.close();
    }
  });
}

/** The versions that some incidents start with, as the last order left them here. The cell decides by the orders whether any do. */
async function rampingVersions(
  source: ConfigSource,
  current: Config,
  { roles, log }: { readonly roles: readonly Role[]; readonly log: Logger },
): Promise<RampingVersions | undefined> {
  const promoted = rampedFolder(current.stateDir);
  if (!existsSync(promoted)) return undefined;
  try {
    const config = configToRun({ ...source, promoted }, roles, current);
    const differs = config.packs.find(
      ({ name, integrity }) => !current.packs.some((one) => one.name === name && one.integrity === integrity),
    );
    if (!differs) return undefined;
    const { name: pack, integrity } = differs;
    return {
      config,
      build: await workflowBuild({ ...config, packs: roles.includes('cell') ? config.packs : [] }),
      pack,
      integrity,
    };
  } catch (error) {
    log.error({ reason: reasonOf(error) }, 'cannot run the partly promoted version of a pack; no incident starts with it');
    return undefined;
  }
}

/** Only a warning, no reason not to start: containment needs nobody's answer. */
function warnOfPlaybooks(config: Config, log: Logger): void {
  for (const { problem, remedy } of quorumProblems(config, playbooksOf(config)))
    log.error({ problem, remedy }, 'some questions can never reach their quorum');
  const named = Object.values(config.sensors).flatMap(({ severities }) => Object.keys(severities));
  // For the shipped playbooks, a test checks this.
  const ofPacks = enabledAmong(
    config.packs.flatMap(({ playbooks }) => playbooks),
    config.playbooks.enabled,
  );
  for (const unknown of unknownRules(ofPacks, named))
    log.warn(
      { playbook: unknown.playbook, problem: unknownRuleText(unknown) },
      'a playbook matches a rule that no known rule set has',
    );
}
