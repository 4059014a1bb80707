/**
 * How Node is started for the service. Left to itself V8 lets the heaps of both threads grow to several times what lives in them before it
 * collects: after a hundred incidents 649 MB were resident in place of 335 (one run each).
 */
export const serviceNodeFlags = ['--max-semi-space-size=4', '--max-old-space-size=1024'];
