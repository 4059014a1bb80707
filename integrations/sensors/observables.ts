import { isIP } from 'node:net';
import type { Observable } from '../../core/alert.ts';
import { sensorText } from '../../core/sensor-text.ts';

const atMost = 32;
const deepest = 8;
const looksAtMost = 512;

/** Each once, 32 at most, in their order. */
export function distinct(...found: readonly (readonly Observable[])[]): readonly Observable[] {
  const once = new Map(found.flat().map((observable) => [`${observable.type} ${observable.value}`, observable]));
  return [...once.values()].slice(0, atMost);
}

export function ipOf(value: unknown): readonly Observable[] {
  if (typeof value !== 'string' || value.length > 64) return [];
  const bare = value.trim().replace(/^\[([^\]]+)\](?::\d+)?$/, '$1');
  const address = isIP(bare) === 0 ? bare.replace(/:\d+$/, '') : bare;
  return isIP(address) === 0 ? [] : [{ type: 'ip', value: address }];
}

export function domainOf(value: unknown): readonly Observable[] {
  const text = sensorText(value, 253)?.replace(/\.$/, '').toLowerCase();
  if (text === undefined || isIP(text) !== 0 || !/^[\w-]{1,63}(?:\.[\w-]{1,63})+$/.test(text)) return [];
  return [{ type: 'domain', value: text }];
}

export function pathOf(value: unknown): readonly Observable[] {
  const text = sensorText(value, 512);
  return text !== undefined && (/^\/[^/\s]/.test(text) || text.startsWith('memfd:')) ? [{ type: 'path', value: text }] : [];
}

export function hashOf(value: unknown): readonly Observable[] {
  const text = typeof value === 'string' ? value.replace(/^(?:sha\d*|md5):/i, '') : '';
  return /^[0-9a-f]{32,128}$/i.test(text) ? [{ type: 'hash', value: text.toLowerCase() }] : [];
}

export function userOf(value: unknown): readonly Observable[] {
  const text = sensorText(value, 256);
  return text === undefined ? [] : [{ type: 'user', value: text }];
}

/** Addresses, absolute paths and hashes anywhere in a value that a sensor gives as an event's arguments. */
export function observablesIn(value: unknown): readonly Observable[] {
  const found: Observable[] = [];
  let looks = 0;
  const look = (part: unknown, depth: number): void => {
    looks += 1;
    if (looks > looksAtMost || depth > deepest || found.length >= atMost) return;
    if (typeof part === 'string') found.push(...first(ipOf(part), hashOf(part), pathOf(part)));
    else if (typeof part === 'object' && part !== null) for (const inner of Object.values(part)) look(inner, depth + 1);
  };
  look(value, 0);
  return found;
}

/** Endings that are both a country and a common file's ending (`run.sh`, `build.rs`) are not taken for domains. */
const endings =
  'com|net|org|io|dev|app|info|biz|xyz|top|onion|site|online|club|cloud|ru|cn|de|uk|fr|nl|eu|us|co|me|cc|tk|su|in|br|jp|kr|pw|ws|link|live|shop';
const domainInText = new RegExp(`^(?:[a-z0-9_-]{1,63}\\.)+(?:${endings})$`, 'i');

/** Addresses, hosts of URLs, domains and absolute paths among the words of a command line. */
export function observablesInCommand(commandLine: string | undefined): readonly Observable[] {
  if (commandLine === undefined) return [];
  const words = commandLine.slice(0, 4_096).split(/[\s"'`,;|&<>()=]+/, looksAtMost);
  return words.flatMap((word) => {
    const host = /^[a-z][a-z0-9+.-]{0,30}:\/\/(?:[^/@]{0,256}@)?(\[[^\]]{1,64}\]|[^/:?#]{1,253})/i.exec(word)?.[1];
    if (host !== undefined) return first(ipOf(host), domainOf(host));
    const bare = word.replace(/^[^@]{1,64}@/, '').replace(/:[^/]{0,256}$/, (rest) => (bareIp(word) ? rest : ''));
    if (domainInText.test(bare)) return domainOf(bare);
    return first(ipOf(word), ipOf(bare), pathOf(word));
  });
}

function bareIp(word: string): boolean {
  return isIP(word) !== 0;
}

function first(...choices: readonly (readonly Observable[])[]): readonly Observable[] {
  return choices.find((choice) => choice.length > 0) ?? [];
}
