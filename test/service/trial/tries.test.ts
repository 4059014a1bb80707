import { describe, expect, test } from '@jest/globals';
import { inTries, type Progress, type Try } from '../../../service/trial/tries.ts';

const still: Progress = { events: 7, skippedMs: 3_600_000 };

/** What a server does at its nth look, from 1 on: says how far the trial is, says nothing, or ends it. */
type Course = (look: number) => Progress | 'silent' | 'refuses' | { readonly story: string };

/** Servers that follow these courses, one after another, on a clock that is moved by whoever waits for it. Each is used only while it runs, and ended once. */
class Servers {
  /** Real time, in seconds. */
  seconds = 0;
  readonly said: string[] = [];
  readonly #courses: Course[];
  #running = 0;

  constructor(...courses: readonly Course[]) {
    this.#courses = [...courses];
  }

  readonly wait = async (ms: number, signal?: AbortSignal): Promise<void> => {
    // Whoever has been answered goes first.
    await new Promise(setImmediate);
    if (signal?.aborted) throw signal.reason;
    this.seconds += ms / 1_000;
    if (this.seconds > 86_400) throw new Error('it waits for more than a day');
  };

  readonly begin = (end: AbortSignal): Try<string> => {
    const course = this.#courses.shift();
    if (!course) throw new Error('no other server was to be started');
    if (this.#running > 0) throw new Error('the server before this one still runs');
    this.#running += 1;
    this.said.push(`started at ${this.seconds} s`);
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const over = (): void => {
      this.#running -= 1;
      this.said.push(`ended at ${this.seconds} s`);
    };
    end.addEventListener('abort', () => {
      over();
      reject(new Error('the trial is over'));
    });
    let looks = 0;
    const progress = async (): Promise<Progress> => {
      if (end.aborted) throw new Error('a server was asked after its end');
      looks += 1;
      const now = course(looks);
      if (now === 'silent') return new Promise<never>(() => undefined);
      if (now === 'refuses') throw new Error('UNAVAILABLE');
      if (!('story' in now)) return now;
      over();
      resolve(now.story);
      return still;
    };
    return { result: promise, progress };
  };
}

const standsStill: Course = () => still;
const works: Course = () => ({ story: 'told' });

describe('a trial on a server', () => {
  test('that works is over with it', async () => {
    const servers = new Servers(works);
    expect(await inTries(servers.begin, servers.wait)).toBe('told');
    expect(servers.said).toEqual(['started at 0 s', 'ended at 0 s']);
  });

  const hanging: readonly (readonly [how: string, course: Course])[] = [
    ['stands still', standsStill],
    ['does not answer', () => 'silent'],
    ['is refused', () => 'refuses'],
    ['goes on for a while and then stands still', (look) => ({ events: Math.min(look, 5), skippedMs: 0 })],
    ['answers a look after the next one', (look) => (look === 1 ? still : { events: 3, skippedMs: 500 })],
  ];
  test.each(hanging)('that %s is ended, and it begins again on a new one', async (_how, course) => {
    const servers = new Servers(course, works);
    expect(await inTries(servers.begin, servers.wait)).toBe('told');
    const [first, ended, second] = servers.said;
    expect(first).toBe('started at 0 s');
    expect(ended).toMatch(/^ended at (30|35|55) s$/);
    expect(second).toBe(ended?.replace('ended', 'started'));
  });

  test('that stands still for half a minute, less one look, goes on', async () => {
    const servers = new Servers((look) => (look < 6 ? { events: 0, skippedMs: 0 } : { story: 'told late' }));
    expect(await inTries(servers.begin, servers.wait)).toBe('told late');
    expect(servers.said).toHaveLength(2);
  });

  test('that is ended and has not ended half a minute later is left to itself', async () => {
    const { begin, wait } = new Servers(works);
    let tries = 0;
    const begun = (end: AbortSignal): Try<string> => {
      tries += 1;
      return tries > 1 ? begin(end) : { result: new Promise(() => undefined), progress: async () => still };
    };
    expect(await inTries(begun, wait)).toBe('told');
  });
});

describe('three servers that stand still', () => {
  test('are an error that says what happened, that the playbook is not at fault, and what to do', async () => {
    const servers = new Servers(standsStill, standsStill, standsStill);
    const error = await inTries(servers.begin, servers.wait).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'FB_ERR_UNAVAILABLE',
      detail: expect.stringMatching(/stood still in 3 tries.*playbook is not at fault.*Run it again with less load/),
      remedy: expect.stringMatching(/^Run fewer tests at once/),
    });
    expect(servers.said.filter((line) => line.startsWith('ended'))).toHaveLength(3);
  });

  test('because the workflow’s task fails are an error that says why it fails', async () => {
    const fails: Course = () => ({ ...still, failure: 'this run has ended its playbook runner twice' });
    const servers = new Servers(fails, fails, fails);
    const failed = inTries(servers.begin, servers.wait);
    await expect(failed).rejects.toMatchObject({
      code: 'FB_ERR_UNAVAILABLE',
      detail: expect.stringMatching(/ended its playbook runner twice$/),
    });
    await expect(failed).rejects.not.toThrow('not at fault');
  });
});

describe('a body that waits is no hang', () => {
  const waiting: readonly (readonly [how: string, progress: (look: number) => Progress])[] = [
    ['for days, of which each look finds some skipped', (look) => ({ events: 9, skippedMs: look * 86_400_000 })],
    ['again and again, in a loop', (look) => ({ events: 20 * look, skippedMs: 60_000 * look })],
  ];
  test.each(waiting)('%s', async (_how, progress) => {
    const servers = new Servers((look) => (look > 1_000 ? { story: 'told' } : progress(look)));
    expect(await inTries(servers.begin, servers.wait)).toBe('told');
    expect(servers.said).toEqual(['started at 0 s', 'ended at 5000 s']);
  });

  test('but on a server that no longer skips time, its short sleeps do not count for more than five minutes', async () => {
    const atClockSpeed: Course = (look) => ({ events: 10 * look, skippedMs: 0 });
    const servers = new Servers(atClockSpeed, works);
    expect(await inTries(servers.begin, servers.wait)).toBe('told');
    expect(servers.said[1]).toBe('ended at 300 s');
  });
});

test('what a trial throws is thrown, and not tried again', async () => {
  const servers = new Servers();
  const begin = (): Try<string> => ({ result: Promise.reject(new TypeError('no such choice')), progress: async () => still });
  await expect(inTries(begin, servers.wait)).rejects.toThrow('no such choice');
  expect(servers.seconds).toBe(0);
});
