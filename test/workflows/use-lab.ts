import { afterAll, afterEach, beforeAll } from '@jest/globals';
import { type LabOptions, type MemoryLab, startLab } from './harness.ts';
import type { Script } from './scripted.ts';

/** One lab for all tests of a file, with its script: anything a test writes into the script is reset after that test. */
export function useLab(options: Omit<LabOptions, 'script'> = {}): {
  readonly lab: Omit<MemoryLab, 'stop'>;
  readonly script: Script;
} {
  const script: Script = {};
  let lab: MemoryLab;
  beforeAll(async () => {
    lab = await startLab({ ...options, script });
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
      get server() {
        return lab.server;
      },
      get lines() {
        return lab.lines;
      },
      eventually: (...asked) => lab.eventually(...asked),
      run: (incident) => lab.run(incident),
      start: (...given) => lab.start(...given),
    },
  };
}
