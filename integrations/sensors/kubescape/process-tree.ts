import type { ProcessRef } from '../../../core/alert/alert.ts';
import { firstKnown, objectOf, sensorText, wholeNumber } from '../../../core/alert/sensor-text.ts';
import { present } from '../present.ts';

type Fields = Readonly<Record<string, unknown>>;

const looksAtMost = 1_024;

/**
 * The process of that id in the tree of an alert, its children by their names and ids, to early 2025 as a list.
 * https://github.com/armosec/armoapi-go/blob/main/armotypes/processtree.go
 */
export function processIn(tree: unknown, pid: number | undefined): ProcessRef | undefined {
  const root = objectOf(tree)?.processTree;
  const waiting: unknown[] = [root];
  for (let looked = 0; waiting.length > 0 && looked < looksAtMost && pid !== undefined; looked += 1) {
    const process = objectOf(waiting.pop());
    if (process === undefined) continue;
    if (wholeNumber(process.pid) === pid) return processRef(process);
    const { childrenMap, children } = process;
    waiting.push(...Object.values(objectOf(childrenMap) ?? {}).slice(0, looksAtMost));
    if (Array.isArray(children)) waiting.push(...children.slice(0, looksAtMost));
  }
  return undefined;
}

function processRef(process: Fields): ProcessRef | undefined {
  return present({
    name: sensorText(process.comm, 256),
    exe: sensorText(firstKnown(process.path, process.hardlink)),
    commandLine: sensorText(process.cmdline, 4_096),
    parent: sensorText(process.pcomm, 256),
    user: sensorText(process.userName, 256),
    pid: wholeNumber(process.pid),
  });
}
