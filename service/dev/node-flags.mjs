/**
 * How Node is started for the service. Left to itself V8 lets the heaps of both threads grow to several times what lives in them before it
 * collects: after a hundred incidents 649 MB were resident in place of 335 (one run each).
 */
export const serviceNodeFlags = ['--max-semi-space-size=4', '--max-old-space-size=1024'];

/**
 * The C library's allocator keeps freed memory in an arena for each of many threads (Temporal's core, LMDB, libuv). With two of them 300 open
 * incidents took 326 to 440 MB (three runs, the machine loaded).
 */
export const serviceEnvironment = { MALLOC_ARENA_MAX: '2' };
