/**
 * How Node is started for the service. Left to itself V8 lets the heaps of both threads grow to several times what lives in them before it
 * collects: after a hundred incidents 649 MB were resident in place of 335 (one run each). A storm's alerts wait for the disk together: in a
 * nursery of 4 MB most are copied twice, and collecting took a fifth of the processor's time; in one of 16 MB it took a seventh. By default
 * four threads mark the old ones together: on two cores the main one gets a third of a processor meanwhile, and each time every answer
 * waited for 20 to 50 ms; with one it is hardly noticed.
 */
export const serviceNodeFlags = ['--max-semi-space-size=16', '--v8-pool-size=1', '--max-old-space-size=1024'];

/**
 * How Node is started to check all records. What is read of the database is rubbish a moment later. Left to itself V8 took three times 16 MB for that in each thread, and kept it: with a million records 546 MB were
 * resident, in place of 389 (one run each, with the environment below), and the processor worked as long.
 */
export const auditNodeFlags = ['--max-semi-space-size=8'];

/**
 * The C library's allocator keeps freed memory in an arena for each of many threads (Temporal's core, LMDB, libuv), and, once something large
 * was freed, keeps ever larger pieces: with two arenas and fixed thresholds its share of 400 open incidents was 57 MB.
 */
export const serviceEnvironment = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: '131072',
  MALLOC_TRIM_THRESHOLD_: '131072',
};
