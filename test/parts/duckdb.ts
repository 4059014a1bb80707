import { cachedPart, type OnProgress, withProgress } from '../../service/parts/cache.ts';
import { installWithPip } from '../../service/parts/python-package.ts';

/** The folder of DuckDB's modules for Python: from PyPI, once. Throws FB_ERR_PLATFORM_PART_MISSING. */
export function duckDbModules(onProgress: OnProgress): Promise<string> {
  const version = '2.0.1';
  const source = `PyPI: duckdb ${version}`;
  return cachedPart({
    name: 'duckdb',
    version,
    source,
    onProgress,
    install: (draft, run) =>
      withProgress({
        what: `installing duckdb ${version} from PyPI`,
        onProgress,
        work: () => installWithPip({ requirements: [`duckdb==${version}`], folder: draft, run }),
      }),
  });
}
