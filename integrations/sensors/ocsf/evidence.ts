import type { Observable, ProcessRef } from '../../../core/alert/alert.ts';
import { type Fields, firstKnown, objectOf, sensorText, wholeNumber } from '../../../core/alert/sensor-text.ts';
import { distinct, domainOf, hashOf, ipOf, observablesInCommand, pathOf, userOf } from '../observables.ts';
import { present } from '../present.ts';
import { listOf } from './place.ts';

/** The process in the evidence, or the user who did it. */
export function actorOf(event: Fields, evidences: readonly Fields[]): ProcessRef | undefined {
  const actors = [...evidences.map(({ actor }) => objectOf(actor)), objectOf(event.actor)];
  const process = [...evidences, event, ...actors]
    .map((holder) => objectOf(holder?.process))
    .find((found) => found !== undefined);
  const user = firstKnown(objectOf(process?.user)?.name, ...actors.map((actor) => objectOf(actor?.user)?.name));
  return present({
    name: sensorText(process?.name, 256),
    exe: sensorText(objectOf(process?.file)?.path),
    commandLine: sensorText(process?.cmd_line, 4_096),
    parent: sensorText(objectOf(process?.parent_process)?.name, 256),
    user: sensorText(user, 256),
    pid: wholeNumber(process?.pid),
  });
}

/** By `type_id`. https://schema.ocsf.io/objects/observable */
const readers: Readonly<Record<number, (value: unknown) => readonly Observable[]>> = {
  1: domainOf,
  2: ipOf,
  4: userOf,
  8: hashOf,
  45: pathOf,
};

export function observablesOf(
  event: Fields,
  evidences: readonly Fields[],
  process: ProcessRef | undefined,
): readonly Observable[] {
  const told = listOf(event.observables).flatMap(({ type_id, value }) => readers[wholeNumber(type_id) ?? 0]?.(value) ?? []);
  const ends = [...evidences, event].flatMap((holder) =>
    ['src_endpoint', 'dst_endpoint'].flatMap((end) => ipOf(objectOf(holder[end])?.ip)),
  );
  const files = [...evidences, ...listOf(event.malware)].flatMap((holder) => [
    ...pathOf(holder.path),
    ...pathOf(objectOf(holder.file)?.path),
    ...listOf(objectOf(holder.file)?.hashes).flatMap(({ value }) => hashOf(value)),
  ]);
  return distinct(told, ends, files, pathOf(process?.exe), observablesInCommand(process?.commandLine), userOf(process?.user));
}

/** Ids of the tactics and techniques that the finding names. */
export function tacticsOf(event: Fields, finding: Fields): readonly string[] {
  return [...listOf(event.attacks), ...listOf(finding.attacks)].flatMap((attack) =>
    [attack.technique, attack.sub_technique, attack.tactic, ...listOf(attack.tactics)].flatMap((named) => {
      const uid = objectOf(named)?.uid;
      return typeof uid === 'string' ? [uid] : [];
    }),
  );
}
