import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OnProgress } from '../../service/parts/cache.ts';
import { findOnPath } from '../../service/parts/command.ts';
import { goProgram } from './go-program.ts';
import { freePorts } from './ports.ts';
import { ServerGroup, waitUntilReady } from './server-group.ts';

/**
 * One of Prometheus' programs: from PATH, otherwise both are built with Go from its module, once. Undefined if there is no Go either. Throws
 * FB_ERR_PLATFORM_PART_MISSING if the build fails.
 */
async function prometheusProgram(name: 'prometheus' | 'promtool', onProgress: OnProgress): Promise<string | undefined> {
  const onPath = findOnPath(name);
  if (onPath) return onPath;
  const program = {
    name: 'prometheus',
    module: join('tools', 'platform', 'prometheus'),
    target: 'tool',
    linked: {},
    // Leaves out the clients of all clouds, which nothing here uses.
    tags: ['remove_all_sd'],
    pinned: 1,
    title: 'Prometheus and its promtool',
  };
  const folder = await goProgram(program, onProgress);
  return folder && join(folder, name);
}

export const promtoolBinary = (onProgress: OnProgress): Promise<string | undefined> => prometheusProgram('promtool', onProgress);

export interface PrometheusServer {
  /** Returns the `data` of the response to an API call: `query`, with `{ query: 'up' }`. Throws any other response. */
  ask(call: string, parameters?: Readonly<Record<string, string>>): Promise<unknown>;
  stop(): Promise<void>;
}

/**
 * Starts a real Prometheus on this machine with a configuration in its own format. Undefined if it can neither be found nor built. Throws
 * FB_ERR_PLATFORM_PART_MISSING, FB_ERR_PLATFORM_START.
 */
export async function startPrometheus(options: {
  readonly stateDir: string;
  readonly config: object;
  readonly onProgress?: OnProgress;
}): Promise<PrometheusServer | undefined> {
  const { stateDir, config, onProgress = () => {} } = options;
  const command = await prometheusProgram('prometheus', onProgress);
  if (command === undefined) return undefined;
  mkdirSync(stateDir, { recursive: true });
  const configFile = join(stateDir, 'prometheus.yaml');
  writeFileSync(configFile, JSON.stringify(config));
  const { api } = await freePorts({ names: ['api'] });
  const url = `http://127.0.0.1:${api}`;
  const group = new ServerGroup();
  const data = `--storage.tsdb.path=${join(stateDir, 'data')}`;
  const args = [`--config.file=${configFile}`, data, `--web.listen-address=127.0.0.1:${api}`];
  const server = group.start({ name: 'prometheus', command, args, logFile: join(stateDir, 'prometheus.log') });
  const isReady = (): Promise<boolean> =>
    fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  await waitUntilReady({ server, timeoutMs: 60_000, ready: isReady });
  return {
    ask: async (call, parameters = {}) => {
      const response = await fetch(`${url}/api/v1/${call}?${new URLSearchParams(parameters)}`);
      const { data: answer, error }: { readonly data?: unknown; readonly error?: string } = JSON.parse(await response.text());
      if (!response.ok)
        throw new Error(`Prometheus returned ${response.status} for ${call} ${JSON.stringify(parameters)}: ${error}`);
      return answer;
    },
    stop: () => group.stop(),
  };
}
