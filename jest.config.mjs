/** Jest counts and tells; Node loads and runs the TypeScript as it stands. */
export default {
  rootDir: import.meta.dirname,
  // With how long each file took: the longest begin first.
  cacheDirectory: '<rootDir>/node_modules/.cache/jest',
  runtime: '<rootDir>/test/jest/runtime.mjs',
  testEnvironment: '<rootDir>/test/jest/environment.mjs',
  injectGlobals: false,
  extensionsToTreatAsEsm: ['.ts'],
  transform: {},
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/.build'],
  // A worker with nothing left to do ends by itself, which a used machine may put off. What does not end is ended with the run.
  workerGracefulExitTimeout: 60_000,
};
