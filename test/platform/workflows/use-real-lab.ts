import { afterAll, afterEach, beforeAll } from '@jest/globals';
import { type RealLab, startLabOn } from '../../workflows/real-lab.ts';
import type { Script } from '../../workflows/scripted.ts';

/** The dev server of the run, in which this file has a queue of its own. */
interface Place {
  readonly temporalAddress: string;
  readonly temporalNamespace: string;
  readonly prefix: string;
}

/** One lab on the real Temporal for all tests of a file: anything a test writes into its script is reset after that test. */
export function useRealLab(
  { temporalAddress: address, temporalNamespace: namespace, prefix }: Place,
  options: Omit<Parameters<typeof startLabOn>[1] & object, 'script'> = {},
): { readonly lab: Pick<RealLab, 'env' | 'seen' | 'start'>; readonly script: Script } {
  const script: Script = {};
  let lab: RealLab;
  beforeAll(async () => {
    lab = await startLabOn({ address, namespace, taskQueue: `${prefix}-lab` }, { ...options, script });
  });
  afterEach(() => {
    for (const name of Object.keys(script)) delete script[name];
  });
  afterAll(() => lab?.stop());
  return {
    script,
    lab: {
      get env() {
        return lab.env;
      },
      get seen() {
        return lab.seen;
      },
      start: (...given) => lab.start(...given),
    },
  };
}
