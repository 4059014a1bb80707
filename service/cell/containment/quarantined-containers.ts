import { isDeepStrictEqual } from 'node:util';
import { tools } from '../../../core/actions/in-container-rights.ts';
import type { PodRecord } from '../../../core/cluster/pod-record.ts';
import type { ContainedPods, ReportedRestarts } from '../contained-pods.ts';
import { type Changed, onlyLine, type Tell } from './fights.ts';

interface QuarantinedContainersParts {
  readonly pods: Pick<ContainedPods, 'get' | 'nowSays'>;
  /** The image that our own ephemeral containers are of. Absent: there are none. */
  readonly toolsImage: string | undefined;
  readonly tell: Tell;
  /** Stores what is known of a pod from now on. */
  readonly keep: (uid: string, kept: Promise<void>) => void;
}

/**
 * What becomes of the containers of a quarantined pod, told once each. A quarantine denies traffic and keeps nobody from ending, changing or adding a container:
 * what was in its memory is lost then, and who decides has to know it.
 */
export class QuarantinedContainers {
  readonly #parts: QuarantinedContainersParts;

  constructor(parts: QuarantinedContainersParts) {
    this.#parts = parts;
  }

  async look(pod: PodRecord, incident: string): Promise<void> {
    await this.#otherContainers(pod, incident);
    await this.#restarted(pod, incident);
    await this.#ended(pod, incident);
  }

  /**
   * What it did is lost with it: whoever may delete pods can do that, and people hear of it. They may also say how long its containers get, so it is
   * held on until it is gone.
   */
  async ending(pod: {
    readonly uid: string;
    readonly name: string;
    readonly incident: string;
    readonly ends: string | undefined;
  }): Promise<void> {
    const { uid, name, incident, ends } = pod;
    const { pods, keep, tell } = this.#parts;
    if (pods.get(uid)?.held?.isEnding) return;
    keep(uid, pods.nowSays(uid, { isEnding: true }));
    const until = ends === undefined ? '' : `; its containers may run until ${ends}`;
    await tell(
      { uid, about: `pod/${name}`, incident },
      { kind: 'containment.gone', text: `pod/${name} is being deleted, or is gone, while it is quarantined${until}` },
      onlyLine(uid),
    );
  }

  /**
   * Whoever gives a container another image has the one before ended, with what is in its memory and its files; so may who gives it other resources or the pod a
   * deadline. Who adds a container can change what is evidence. It holds all the same.
   */
  async #otherContainers(pod: PodRecord, incident: string): Promise<void> {
    const { pods, keep, tell } = this.#parts;
    const before = pods.get(pod.uid)?.held?.runs ?? {};
    const runs = runsIn(pod);
    if (isDeepStrictEqual(before, runs)) return;
    keep(pod.uid, pods.nowSays(pod.uid, { runs }));
    const about = `pod/${pod.namespace}/${pod.name}`;
    const changed = [...new Set([...Object.keys(before), ...Object.keys(runs)])].filter((name) => runs[name] !== before[name]);
    const containers = new Set(pod.containers.map(({ name }) => name));
    const other = changed.filter((name) => before[name] !== undefined && !isTerm(name));
    const added = changed.filter(
      (name) => before[name] === undefined && containers.has(name) && !this.#isTools(name, runs[name]),
    );
    const terms = changed.filter(isTerm);
    const texts = [
      other.length > 0 &&
        `somebody changed what runs in ${about} while it is quarantined, and what was in its memory and files is lost: ${other.map((name) => `container ${name} was ${before[name]}, and is ${runs[name] ?? 'not there any more'}`).join('; ')}`,
      added.length > 0 &&
        `somebody added a container to ${about} while it is quarantined, which can read and change what is in it: ${added.map((name) => `${name} (${runs[name]})`).join(', ')}`,
      terms.length > 0 &&
        `somebody changed ${about} while it is quarantined, so that its node may end what runs in it: ${terms.map((name) => `${name} was ${before[name] ?? 'not set'}, and is ${runs[name] ?? 'not set'}`).join('; ')}`,
    ];
    for (const text of texts) if (text !== false) await tell(toTell(pod, incident), { kind: 'containment.changed', text });
  }

  /** Our own tools come into a pod as ephemeral containers. Of their image nobody can run anything but them. */
  #isTools(name: string, image: string | undefined): boolean {
    const { toolsImage } = this.#parts;
    return toolsImage !== undefined && image === toolsImage && name.startsWith(tools.namePrefix);
  }

  /**
   * What was in its memory is lost, and its processes are other ones. Whoever is cut off may also end by itself again and again: of each container people hear
   * once, and then of ten, a hundred and so on.
   */
  async #restarted(pod: PodRecord, incident: string): Promise<void> {
    const { pods, keep, tell } = this.#parts;
    const known = pods.get(pod.uid)?.held?.restarts;
    const containers = new Set(pod.containers.map(({ name }) => name));
    const due = Object.entries(pod.restarted ?? {}).filter(
      ([name, { times }]) => containers.has(name) && isNewsOf(times, known?.[name]),
    );
    if (!known || due.length === 0) return;
    const told = due.map(([name, { times }]) => [name, { before: known[name]?.before ?? 0, told: times }] as const);
    keep(pod.uid, pods.nowSays(pod.uid, { restarts: { ...known, ...Object.fromEntries(told) } }));
    const texts = due.map(([name, { times, ended }]) => {
      const since = times - (known[name]?.before ?? 0);
      return `${name}${since === 1 ? '' : `, ${since} times`}${ended === undefined ? '' : ` (${ended})`}`;
    });
    const text = `a container of pod/${pod.namespace}/${pod.name} has ended and was started again while it is quarantined, and what was in its memory is lost: ${texts.join('; ')}`;
    await tell(toTell(pod, incident), { kind: 'containment.changed', text }, onlyLine(pod.uid, 'restart'));
  }

  /** By a deadline, by its node that is short of something, or by itself: what was in its memory is lost, however it came. */
  async #ended(pod: PodRecord, incident: string): Promise<void> {
    const { uid, namespace, name, phase } = pod;
    const { pods, keep, tell } = this.#parts;
    const { held } = pods.get(uid) ?? {};
    if ((phase !== 'Failed' && phase !== 'Succeeded') || !held || held.hasEnded) return;
    keep(uid, pods.nowSays(uid, { hasEnded: true }));
    await tell(
      toTell(pod, incident),
      {
        kind: 'containment.gone',
        text: `all containers of pod/${namespace}/${name} have ended (${phase}) while it is quarantined: what was in their memory is lost`,
      },
      onlyLine(uid),
    );
  }
}

/** As they are when the pod is quarantined. */
export function containersNow(pod: PodRecord) {
  return { runs: runsIn(pod), restarts: restartsBefore(pod) };
}

export function toTell({ uid, namespace, name }: PodRecord, incident: string): Changed {
  return { uid, about: `pod/${namespace}/${name}`, incident };
}

function restartsBefore({ restarted = {} }: PodRecord): Readonly<Record<string, ReportedRestarts>> {
  return Object.fromEntries(Object.entries(restarted).map(([name, { times }]) => [name, { before: times, told: times }]));
}

function isNewsOf(times: number, { before, told }: ReportedRestarts = { before: 0, told: 0 }): boolean {
  return told === before ? times > before : times - before >= 10 * (told - before);
}

/** Images by container, of those that its kubelet starts anew when the image is another one, and what else its node may end them for. */
function runsIn({ containers, endsBy }: PodRecord): Readonly<Record<string, string>> {
  return { ...Object.fromEntries(containers.map(({ name, image }) => [name, image])), ...endsBy };
}

/** Names of containers have no blank. */
function isTerm(name: string): boolean {
  return name.includes(' ');
}
