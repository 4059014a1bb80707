import { isDeepStrictEqual } from 'node:util';
import { tools } from '../../../core/actions/in-container-rights.ts';
import type { PodRecord } from '../../../core/cluster/pod-record.ts';
import type { ContainedPods, ReportedRestarts } from '../contained-pods.ts';
import { type Changed, onlyLine, type Tell } from './fights.ts';

interface QuarantinedContainersParts {
  readonly pods: Pick<ContainedPods, 'get' | 'nowSays'>;
  /** Image of our own ephemeral containers. Absent: there are none. */
  readonly toolsImage: string | undefined;
  readonly tell: Tell;
  /** Stores what is known about a pod from now on. */
  readonly keep: (uid: string, kept: Promise<void>) => void;
}

/**
 * Reports what becomes of the containers of a quarantined pod, once each. A quarantine denies traffic but stops nobody from ending, changing or adding a
 * container: its memory is lost then, and the people deciding have to know.
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
   * A deleted pod takes its evidence with it: anyone who may delete pods can do that, and people are told. The deleter may also set the containers' grace
   * period, so the pod is held until it is gone.
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
   * Changing a container's image ends the previous container, with its memory and files; changing its resources or setting a deadline for the pod may do so
   * too. An added container can alter evidence. The quarantine holds anyway.
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
        `somebody changed what runs in ${about} while it is quarantined, and what was in its memory and files is lost: ${other.map((name) => `container ${name} was ${before[name]} and is now ${runs[name] ?? 'gone'}`).join('; ')}`,
      added.length > 0 &&
        `somebody added a container to ${about} while it is quarantined, and that container can read and change what is in the pod: ${added.map((name) => `${name} (${runs[name]})`).join(', ')}`,
      terms.length > 0 &&
        `somebody changed ${about} while it is quarantined, so that its node may stop what runs in it: ${terms.map((name) => `${name} was ${before[name] ?? 'not set'} and is now ${runs[name] ?? 'not set'}`).join('; ')}`,
    ];
    for (const text of texts) if (text !== false) await tell(toTell(pod, incident), { kind: 'containment.changed', text });
  }

  /** Our own tools enter a pod as ephemeral containers. Nothing but the tools can run from their image. */
  #isTools(name: string, image: string | undefined): boolean {
    const { toolsImage } = this.#parts;
    return toolsImage !== undefined && image === toolsImage && name.startsWith(tools.namePrefix);
  }

  /**
   * A restart loses the container's memory and replaces its processes. A container that is cut off may also crash repeatedly: people are told once per
   * container, and then at ten, a hundred and so on.
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
    const text = `a container of pod/${pod.namespace}/${pod.name} exited and was restarted while the pod is quarantined, and what was in its memory is lost: ${texts.join('; ')}`;
    await tell(toTell(pod, incident), { kind: 'containment.changed', text }, onlyLine(pod.uid, 'restart'));
  }

  /** Ended by a deadline, by its node running short of something, or by itself: in each case its memory is lost. */
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
        text: `all containers of pod/${namespace}/${name} have exited (${phase}) while it is quarantined: what was in their memory is lost`,
      },
      onlyLine(uid),
    );
  }
}

/** The containers at the time of quarantine. */
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

/** Images by container, for those that the kubelet restarts if the image changes, and what else its node may end them for. */
function runsIn({ containers, endsBy }: PodRecord): Readonly<Record<string, string>> {
  return { ...Object.fromEntries(containers.map(({ name, image }) => [name, image])), ...endsBy };
}

/** Container names contain no blank. */
function isTerm(name: string): boolean {
  return name.includes(' ');
}
