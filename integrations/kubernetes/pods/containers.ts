import { FirebreakError } from '../../../core/errors.ts';
import type { PodJson } from '../watch/projection.ts';

/** Distinguishes one run of a container from the next under the same name. */
export interface RunningContainer {
  readonly name: string;
  /** 64 hex digits, without the `containerd://` before them. */
  readonly id: string;
  readonly imageId: string;
  readonly restartCount: number;
  readonly startedAt: string;
}

/** A container as an alert names it: often the first 12 digits of its id, sometimes only its name, or neither. */
export interface WantedContainer {
  readonly id?: string | undefined;
  readonly name?: string | undefined;
}

/**
 * The one running container of the pod that is meant. The id takes precedence if there is one, since a name has many runs.
 * @throws FB_ERR_CONTAINER_REPLACED if it no longer runs, FB_ERR_REFUSED if nothing says which one is meant.
 */
export function runningContainer(pod: PodJson, { id, name }: WantedContainer): RunningContainer {
  const target = `pod/${pod.metadata?.namespace}/${pod.metadata?.name}`;
  const running = containersOf(pod);
  if (id !== undefined) {
    const found = running.filter((one) => one.id.startsWith(id.replace(/^[a-z-]+:\/\//, '')));
    const [only] = found;
    if (only === undefined || found.length > 1)
      throw new FirebreakError('FB_ERR_CONTAINER_REPLACED', `container replaced: ${id.slice(0, 12)} no longer runs in ${target}`);
    return only;
  }
  const named = name === undefined ? running : running.filter((one) => one.name === name);
  const [only] = named;
  if (name !== undefined && only === undefined)
    throw new FirebreakError('FB_ERR_CONTAINER_REPLACED', `container replaced: ${name} does not run in ${target}`);
  if (only === undefined || named.length > 1)
    throw new FirebreakError(
      'FB_ERR_REFUSED',
      `the alert names no container, and ${running.length} run in ${target}: name one of them`,
    );
  return only;
}

/** Sidecars are init containers that keep running. */
function containersOf({ status }: PodJson): readonly RunningContainer[] {
  return [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])].flatMap(
    ({ name, containerID, imageID, restartCount, state }) =>
      state?.running && containerID
        ? [
            {
              name,
              id: containerID.replace(/^[a-z-]+:\/\//, ''),
              imageId: imageID,
              restartCount,
              startedAt: state.running.startedAt ?? '',
            },
          ]
        : [],
  );
}
