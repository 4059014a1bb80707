import { isIP } from 'node:net';
import type { Observable } from '../../../core/alert/alert.ts';
import { type Fields, sensorText } from '../../../core/alert/sensor-text.ts';
import { ipOf, observablesInCommand } from '../observables.ts';

/** Fields of system calls, and of the plugins for the API audit, CloudTrail, Okta and Google Cloud's audit. */
const addressFields = [
  'fd.sip',
  'fd.cip',
  'fd.rip',
  'fd.lip',
  'fd.ip',
  'ka.sourceips',
  'ka.auth.sourceips',
  'ct.srcip',
  'okta.client.ip',
  'gcp.callerIP',
];
const domainFields = ['fd.sip.name', 'fd.cip.name', 'fd.rip.name', 'fd.lip.name'];
const pathFields = [
  'fs.path.name',
  'fs.path.source',
  'fs.path.target',
  'fs.path.nameraw',
  'evt.arg.target',
  'evt.arg.linkpath',
  'evt.arg.path',
  'evt.arg.pathname',
  'evt.arg.oldpath',
  'evt.arg.newpath',
  'evt.arg.filename',
  'proc.exepath',
];
const userFields = [
  'user.name',
  'ka.user.name',
  'ka.impuser.name',
  'ct.user',
  'okta.actor.alternateid',
  'gcp.user',
  'github.user',
];
const hashFields = ['proc.exe.sha256', 'proc.hash.sha256', 'evt.arg.sha256'];
const atMost = 32;

/** Values that can be searched for elsewhere: addresses, domains, hashes, paths, users. Without duplicates, at most 32. */
export function observablesOf(fields: Fields, commandLine: string | undefined): readonly Observable[] {
  const found: Observable[] = [];
  const add = (type: Observable['type'], value: string): void => {
    if (!found.some((other) => other.value === value && other.type === type)) found.push({ type, value });
  };
  for (const { type, value } of fromDescriptor(fields['fd.name'])) add(type, value);
  for (const key of addressFields) {
    if (key in fields) for (const part of texts(fields[key])) for (const { value } of ipOf(part)) add('ip', value);
  }
  for (const key of domainFields) {
    if (!(key in fields)) continue;
    for (const part of texts(fields[key])) if (isIP(part) === 0 && /^[\w-]+(?:\.[\w-]+)+\.?$/.test(part)) add('domain', part);
  }
  for (const key of hashFields) {
    if (!(key in fields)) continue;
    for (const part of texts(fields[key])) if (/^[0-9a-f]{32,128}$/i.test(part)) add('hash', part.toLowerCase());
  }
  for (const key of pathFields) {
    if (key in fields) for (const part of texts(fields[key])) if (isPath(part)) add('path', part);
  }
  for (const key of userFields) {
    if (key in fields) for (const part of texts(fields[key])) add('user', part);
  }
  for (const { type, value } of observablesInCommand(commandLine)) add(type, value);
  return found.slice(0, atMost);
}

/** `fd.name` is a path, or both ends of a connection: `10.1.2.3:35662->198.51.100.7:65535`. */
function fromDescriptor(value: unknown): readonly Observable[] {
  const [name] = texts(value);
  if (name === undefined) return [];
  const ends = name.split('->');
  if (ends.length === 2 || !isPath(name)) {
    const addresses = ends.flatMap(ipOf);
    if (addresses.length > 0) return addresses;
  }
  return isPath(name) ? [{ type: 'path', value: name }] : [];
}

function isPath(text: string): boolean {
  return text.startsWith('/') || text.startsWith('memfd:');
}

const none: readonly string[] = [];

/** Called for each possible field: most are absent. */
function texts(value: unknown): readonly string[] {
  if (value === undefined || value === null) return none;
  if (Array.isArray(value)) return value.slice(0, 8).flatMap((item) => sensorText(item, 512) ?? []);
  const text = sensorText(value, 512);
  return text === undefined ? none : [text];
}
