import { canonicalJson } from '../text/digest.ts';
import { isObject } from '../text/plain-json.ts';

const shownText = 200;

/** Names of fields whose values are shown; all others may hold a secret, and are only named. */
const shown: ReadonlySet<string> = new Set([
  ...['image', 'serviceAccountName', 'privileged', 'runAsUser', 'hostNetwork', 'hostPID', 'hostUsers', 'runAsNonRoot'],
  ...['automountServiceAccountToken', 'allowPrivilegeEscalation', 'readOnlyRootFilesystem', 'drop'],
]);

/**
 * Returns the differences between two pod templates in words, one field a line, sorted. Values are shown for images and rights only: environment, commands and
 * annotations can hold secrets.
 */
export function templateDifference(from: unknown, to: unknown): readonly string[] {
  return differences(from, to, '').sort();
}

function differences(from: unknown, to: unknown, path: string): string[] {
  if (canonicalJson(from ?? null) === canonicalJson(to ?? null)) return [];
  if (isNamedList(from) && isNamedList(to)) return byName(from, to, path);
  // A container or variable that is added or removed is one line; a section is expanded into its fields.
  const whole = path.endsWith(']') && (from === undefined || to === undefined);
  const [before, after] = [from ?? {}, to ?? {}];
  if (!whole && isObject(before) && isObject(after)) return ofRecords(before, after, path);
  if (from === undefined) return [`${path} is added${said(path, to)}`];
  if (to === undefined) return [`${path} is removed${said(path, from)}`];
  return [isShown(path) ? `${path}: ${text(from)} becomes ${text(to)}` : `${path} changes`];
}

function ofRecords(from: Readonly<Record<string, unknown>>, to: Readonly<Record<string, unknown>>, path: string): string[] {
  const keys = [...new Set([...Object.keys(from), ...Object.keys(to)])];
  return keys.flatMap((key) => differences(from[key], to[key], path === '' ? key : `${path}.${key}`));
}

function byName(from: readonly Named[], to: readonly Named[], path: string): string[] {
  const names = [...new Set([...from, ...to].map(({ name }) => name))];
  return names.flatMap((name) =>
    differences(
      from.find((one) => one.name === name),
      to.find((one) => one.name === name),
      `${path}[${name}]`,
    ),
  );
}

interface Named {
  readonly name: string;
}

function isNamedList(value: unknown): value is readonly Named[] {
  return Array.isArray(value) && value.every((one) => isObject(one) && typeof one.name === 'string');
}

function isShown(path: string): boolean {
  const [section, name = section] = path.split('.').slice(-2);
  return shown.has(name ?? path) || (name === 'type' && /^(?:seccomp|appArmor)Profile$/.test(section ?? ''));
}

function said(path: string, value: unknown): string {
  if (isObject(value)) return typeof value.image === 'string' ? `, with the image ${text(value.image)}` : '';
  return isShown(path) ? `: ${text(value)}` : '';
}

function text(value: unknown): string {
  return String(value).slice(0, shownText);
}
