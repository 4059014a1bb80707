import { afterAll, afterEach, beforeAll } from '@jest/globals';
import { type Lab, type Script, startLab } from './harness.ts';

/** One lab for all tests of a file, with its script: anything a test writes into the script is reset after that test. */
export function useLab(
  workflowsPath?: string,
  others?: Parameters<typeof startLab>[3],
): { readonly lab: Pick<Lab, 'env' | 'seen' | 'start'>; readonly script: Script } {
  const script: Script = {};
  let lab: Lab;
  beforeAll(async () => {
    lab = await startLab(script, 100, undefined, others, undefined, workflowsPath);
  });
  afterEach(() => {
    for (const name of Object.keys(script)) delete script[name];
  });
  afterAll(() => lab.stop());
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
