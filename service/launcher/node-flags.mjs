/**
 * For every Node that Firebreak starts. By default SIGUSR1 opens an inspector, and whoever may send it (each process of the same user, also one under
 * `--permission`) then runs code in the process.
 */
export const noInspector = '--disable-sigusr1';

/**
 * Node flags for the service. By default V8 lets the heaps of both threads grow to several times their live size before it collects: after a hundred incidents
 * 649 MB were resident instead of 335 (one run each). A storm's alerts wait for the disk together: in a nursery of 4 MB most of them are copied twice, and
 * collecting took a fifth of the processor's time; with 16 MB it took a seventh. By default four threads mark old objects together: on two cores the main
 * thread then gets a third of a processor, and each time every answer waited for 20 to 50 ms; with one thread it is hardly noticeable.
 *
 * Alerts come in bursts, after hours of rest. At rest V8 drops code that nothing has run lately, and shrinks both generations to what lives. The burst then
 * compiles its code again, copies most of its alerts to the old generation, and has that collected while pods are still open. Left as they were, the generations
 * take 60 MB more at rest.
 *
 * Node 22.19 knows all of these, too: `firebreak dev` runs on the Node that is there, and one that does not know a flag does not start.
 */
export const serviceNodeFlags = [
  noInspector,
  '--max-semi-space-size=16',
  '--min-semi-space-size=16',
  '--v8-pool-size=1',
  '--max-old-space-size=1024',
  '--no-flush-bytecode',
  '--no-memory-reducer',
];

/**
 * Node flags for checking all records. What is read from the database is garbage a moment later. By default V8 took three times 16 MB for it in each thread,
 * and kept it: with a million records 546 MB were resident instead of 389 (one run each, with the environment below), at the same processor time.
 */
export const auditNodeFlags = ['--max-semi-space-size=8'];

/**
 * The C library's allocator keeps freed memory in an arena for each of many threads (Temporal's core, LMDB, libuv) and, once something large was freed, keeps
 * ever larger pieces: with two arenas and fixed thresholds its share for 400 open incidents was 57 MB.
 */
export const serviceEnvironment = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: '131072',
  MALLOC_TRIM_THRESHOLD_: '131072',
};
