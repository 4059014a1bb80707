import type { ProcessRef } from '../../../core/alert/alert.ts';
import { type Fields, objectOf, sensorText, wholeNumber } from '../../../core/alert/sensor-text.ts';
import { present } from '../present.ts';

/** Binary and arguments, as a shell would show them. */
export function commandLineOf(process: Fields): string | undefined {
  const binary = sensorText(process.binary);
  if (binary === undefined) return undefined;
  const words = typeof process.arguments === 'string' && process.arguments !== '' ? ` ${process.arguments}` : '';
  // Redacted together: `mysql` and `-pSECRET` only mean something side by side.
  return sensorText(`${typeof process.binary === 'string' ? process.binary.trim() : ''}${words}`, 4_096);
}

export function processRef(parts: { readonly process: Fields; readonly parent: Fields | undefined }): ProcessRef | undefined {
  const { process, parent } = parts;
  const exe = sensorText(process.binary);
  return present({
    name: baseName(exe),
    exe,
    commandLine: commandLineOf(process),
    parent: baseName(sensorText(parent?.binary)),
    user: sensorText(objectOf(process.user)?.name, 256),
    pid: wholeNumber(process.pid),
  });
}

export function baseName(path: string | undefined): string | undefined {
  const name = path?.split('/').at(-1)?.slice(0, 256);
  return name === '' ? undefined : name;
}
