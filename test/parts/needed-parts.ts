import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OnProgress } from '../../service/parts/cache.ts';
import { findOnPath } from '../../service/parts/command.ts';

/** Something that has to be built or fetched before tests can use it. What is in the cache already takes no time. */
export interface NeededPart {
  readonly name: string;
  /** About how many seconds two busy processors took to build it the first time, which decides the order; 0 if it is only fetched. */
  readonly seconds: number;
  /** All files of these suites need it. */
  readonly suites?: readonly string[];
  /** So do test files that import one of these, directly or through other files of `test`, or that are named here themselves. */
  readonly through: readonly string[];
  /** Programs without which it cannot be had on this machine. Then it is left out: the tests that use it say so, and most are skipped. */
  readonly with: readonly string[];
  /** Throws FB_ERR_PLATFORM_PART_MISSING. */
  readonly make: (onProgress: OnProgress) => Promise<unknown>;
}

/** The suites in which nearly every file runs on Temporal and Kubernetes. */
const onServers = ['journeys', 'platform', 'browser', 'cluster', 'node', 'servers'];

/** Everything that the tests build or fetch. Imported only when needed: this list is read before each run. */
export const neededParts: readonly NeededPart[] = [
  {
    name: "Temporal's dev server",
    seconds: 0,
    suites: onServers,
    through: ['tools/platform/temporal-server.ts', 'tools/platform/temporal-binary.ts', 'test/postgres/compose.test.ts'],
    with: [],
    make: async (say) => (await import('../../tools/platform/temporal-binary.ts')).temporalBinary(say),
  },
  {
    name: "Temporal's time-skipping server",
    seconds: 0,
    suites: ['packs'],
    through: [],
    with: [],
    make: async (say) => (await import('../../service/parts/time-skipping-server.ts')).timeSkippingServerPath(say),
  },
  {
    name: 'SeaweedFS',
    seconds: 0,
    through: ['tools/platform/s3-server.ts', 'test/postgres/compose.test.ts'],
    with: ['python3'],
    make: async (say) => (await import('../../tools/platform/s3-server.ts')).weedBinary(say),
  },
  {
    name: 'OpenBao',
    seconds: 0,
    through: ['test/vault-server.ts'],
    with: ['python3'],
    make: async (say) => (await import('../vault-server.ts')).baoBinary(say),
  },
  {
    name: 'Moto',
    seconds: 0,
    through: ['test/aws-server.ts'],
    with: ['python3'],
    make: async (say) => (await import('../aws-server.ts')).motoModules(say),
  },
  {
    name: 'DuckDB',
    seconds: 0,
    through: ['test/parts/duckdb.ts'],
    with: ['python3'],
    make: async (say) => (await import('./duckdb.ts')).duckDbModules(say),
  },
  {
    name: 'Kafka',
    seconds: 0,
    through: ['tools/platform/kafka-broker.ts'],
    with: ['java', 'mvn'],
    make: async (say) => (await import('../../tools/platform/kafka-broker.ts')).kafkaJars(say),
  },
  {
    name: 'the layers of the image',
    seconds: 0,
    through: ['test/node/chart.test.ts'],
    with: ['mmdebstrap', 'tar'],
    make: async (say) => {
      const [{ baseLayer }, { modulesLayer, nodeLayer }] = await Promise.all([
        import('../../tools/image/base.ts'),
        import('../../tools/image/modules.ts'),
      ]);
      const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
      await baseLayer({ architecture, fresh: false, onProgress: say });
      await nodeLayer(architecture, say);
      await modulesLayer(architecture, say);
    },
  },
  {
    name: 'the container registry',
    seconds: 5,
    through: ['tools/platform/registry-server.ts'],
    with: ['go'],
    make: async (say) => (await import('../../tools/platform/registry-server.ts')).registryBinary(say),
  },
  {
    name: 'the checker of transparency logs',
    seconds: 5,
    through: ['tools/platform/tlog-checker.ts'],
    with: ['go'],
    make: async (say) => (await import('../../tools/platform/tlog-checker.ts')).tlogChecker(say),
  },
  {
    name: 'the checker of compose files',
    seconds: 15,
    through: ['tools/platform/compose-checker.ts'],
    with: ['go'],
    make: async (say) => (await import('../../tools/platform/compose-checker.ts')).composeChecker(say),
  },
  {
    name: 'krew',
    seconds: 20,
    through: ['tools/platform/krew-binary.ts'],
    with: ['go'],
    make: async (say) => (await import('../../tools/platform/krew-binary.ts')).krewBinary(say),
  },
  {
    name: 'Kubernetes',
    seconds: 250,
    suites: onServers,
    through: ['tools/platform/kubernetes/kubernetes-server.ts', 'test/postgres/compose.test.ts'],
    with: ['go'],
    make: async (say) => (await import('../../tools/platform/kubernetes/kubelab-binary.ts')).kubernetesProgram('kubelab', say),
  },
  {
    name: 'kubectl',
    seconds: 30,
    through: ['tools/platform/kubernetes/kubelab-binary.ts'],
    with: ['go'],
    make: async (say) => (await import('../../tools/platform/kubernetes/kubelab-binary.ts')).kubernetesProgram('kubectl', say),
  },
  {
    name: 'Helm',
    seconds: 80,
    through: ['tools/platform/helm-binary.ts'],
    with: ['go'],
    make: async (say) => (await import('../../tools/platform/helm-binary.ts')).helmBinary(say),
  },
  {
    name: 'the programs of a real node',
    seconds: 550,
    suites: ['node'],
    through: [],
    with: ['go'],
    make: async (say) => (await import('../../tools/platform/nodes/programs.ts')).buildNodePrograms(say),
  },
  {
    name: 'VictoriaLogs',
    seconds: 40,
    through: ['tools/platform/log-servers.ts'],
    with: ['go'],
    make: async (say) => (await import('../../tools/platform/log-servers.ts')).victoriaLogsBinary(say),
  },
  {
    name: 'the OpenTelemetry collector',
    seconds: 400,
    through: ['tools/platform/collector-server.ts'],
    with: ['go'],
    make: async (say) => (await import('../../tools/platform/collector-server.ts')).collectorBinary(say),
  },
  {
    name: 'the Temporal server',
    seconds: 830,
    through: ['tools/platform/temporal-cluster.ts'],
    with: ['go'],
    make: async (say) => (await import('../../tools/platform/temporal-cluster.ts')).serverPrograms(say),
  },
  {
    name: 'Prometheus',
    seconds: 480,
    through: ['tools/platform/prometheus.ts'],
    with: ['go'],
    make: async (say) => (await import('../../tools/platform/prometheus.ts')).promtoolBinary(say),
  },
];

/** A part, and the test files that cannot run without it. */
export interface PartOfRun {
  readonly part: NeededPart;
  readonly files: readonly string[];
}

/** The parts that these test files need, cheapest first. */
export function partsFor(options: {
  readonly root: string;
  readonly wanted: readonly { readonly suite: { readonly name: string }; readonly files: readonly string[] }[];
  readonly parts?: readonly NeededPart[];
}): readonly PartOfRun[] {
  const { root, wanted, parts = neededParts } = options;
  const read = importsOf(root);
  const files = wanted.flatMap(({ suite, files: of }) =>
    of.map((file) => ({ file, suite: suite.name, uses: usedBy(file, read) })),
  );
  return parts
    .map((part) => ({
      part,
      files: files
        .filter(({ suite, uses }) => part.suites?.includes(suite) || part.through.some((path) => uses.has(path)))
        .map(({ file }) => file),
    }))
    .filter(({ files: of }) => of.length > 0)
    .sort((a, b) => a.part.seconds - b.part.seconds);
}

/**
 * Makes the parts, and returns why each file whose part could not be had cannot run. Fetches one after the other, and builds one after the other beside that:
 * Go uses all processors by itself. `until`: milliseconds since 1970.
 */
export async function prepareParts(options: {
  readonly parts: readonly PartOfRun[];
  readonly say: (line: string) => void;
  readonly until: number;
  readonly signal: AbortSignal;
}): Promise<ReadonlyMap<string, string>> {
  const { parts, say, until, signal } = options;
  const failures = new Map<string, string>();
  const over = new AbortController();
  const ended = Promise.race([
    sleep(Math.max(0, until - Date.now()), 'the time for the whole run was over', { signal: over.signal, ref: false }),
    new Promise<string>((resolve) => {
      if (signal.aborted) resolve('the run was interrupted');
      signal.addEventListener('abort', () => resolve('the run was interrupted'), { once: true });
    }),
  ]).catch(() => undefined);
  const inTurn = async (some: readonly PartOfRun[]): Promise<void> => {
    for (const one of some) {
      const why = await made(one, `part ${parts.indexOf(one) + 1} of ${parts.length}`);
      for (const file of why === undefined ? [] : one.files) failures.set(file, `${one.part.name} could not be had: ${why}`);
    }
  };
  const made = async ({ part }: PartOfRun, place: string): Promise<string | undefined> => {
    if (signal.aborted) return 'the run was interrupted';
    const missing = part.with.find((program) => findOnPath(program) === undefined);
    if (missing !== undefined) {
      say(`${place}: ${part.name}: left to its tests, since ${missing} is not on PATH`);
      return undefined;
    }
    const work = part
      .make((message) => say(`${place}: ${message}`))
      .then(
        () => undefined,
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      );
    const why = await Promise.race([work, ended]);
    if (why !== undefined) say(`${place}: ${part.name} could not be had: ${why}`);
    return why;
  };
  const isBuilt = ({ part }: PartOfRun): boolean => part.seconds > 0;
  await Promise.all([inTurn(parts.filter((one) => !isBuilt(one))), inTurn(parts.filter(isBuilt))]);
  over.abort();
  return failures;
}

/** This file, the files of `test` that it imports directly or through others, and what all of these import from elsewhere. */
function usedBy(file: string, read: (file: string) => readonly string[]): ReadonlySet<string> {
  const seen = new Set<string>();
  const visit = (one: string): void => {
    if (seen.has(one)) return;
    seen.add(one);
    // This module names all of them, and uses none itself.
    if (one.startsWith('test/') && one !== 'test/parts/needed-parts.ts') for (const next of read(one)) visit(next);
  };
  visit(file);
  return seen;
}

/** By their text: parsing all test files would take longer than most of them do. A type costs nothing, and needs no part. */
function importsOf(root: string): (file: string) => readonly string[] {
  const known = new Map<string, readonly string[]>();
  return (file) => {
    const before = known.get(file);
    if (before) return before;
    const path = join(root, file);
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    const found = text.matchAll(/^(?:import|export)\s(?!type\s)[^;']*?'(\.[^']+)'|\bimport\('(\.[^']+)'\)/gms);
    const imports = [...found].map(([, fixed, dynamic = '']) => posix.join(dirname(file), fixed ?? dynamic));
    known.set(file, imports);
    return imports;
  };
}
