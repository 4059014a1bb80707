import { isIP } from 'node:net';
import type { Observable } from '../../core/alert/alert.ts';
import { sensorText } from '../../core/alert/sensor-text.ts';

const atMost = 32;
const deepest = 8;
const looksAtMost = 512;

/** Without duplicates, at most 32, in their order. */
export function distinct(...found: readonly (readonly Observable[])[]): readonly Observable[] {
  const once = new Map(found.flat().map((observable) => [`${observable.type} ${observable.value}`, observable]));
  return [...once.values()].slice(0, atMost);
}

export function ipOf(value: unknown): readonly Observable[] {
  if (typeof value !== 'string' || value.length > 64) return [];
  const bare = value.trim().replace(/^\[([^\]]+)\](?::\d+)?$/, '$1');
  const address = isIP(bare) === 0 ? bare.replace(/:\d+$/, '') : bare;
  return isIP(address) === 0 ? [] : [{ type: 'ip', value: plainAddress(address) }];
}

/** IPv4 within IPv6 counts as IPv4, so that one address has one name. https://www.rfc-editor.org/rfc/rfc4291#section-2.5.5.2 */
const mappedAddress = /^(?:::|(?:0{1,4}:){5})ffff:(?:([\d.]+)|([0-9a-f]{1,4}):([0-9a-f]{1,4}))$/i;

function plainAddress(address: string): string {
  const [, dotted, high, low] = address.includes(':') ? (mappedAddress.exec(address) ?? []) : [];
  if (high === undefined || low === undefined) return dotted ?? address;
  return [high, low]
    .map((group) => Number.parseInt(group, 16))
    .map((group) => `${group >> 8}.${group & 255}`)
    .join('.');
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

/** Addresses, absolute paths, hashes and hosts anywhere in a value that a sensor sends as an event's arguments. */
export function observablesIn(value: unknown): readonly Observable[] {
  const found: Observable[] = [];
  let looks = 0;
  const look = (part: unknown, depth: number): void => {
    looks += 1;
    if (looks > looksAtMost || depth > deepest || found.length >= atMost) return;
    if (typeof part === 'string') found.push(...first(ipOf(part), hashOf(part), pathOf(part), observablesInCommand(part)));
    else if (isWords(part)) {
      for (const word of part) found.push(...first(ipOf(word), hashOf(word), pathOf(word)));
      // A path with blanks in it is complete only as a separate word.
      found.push(...observablesInCommand(part.filter((word) => !pathWithBlank.test(word)).join(' ')));
    } else if (typeof part === 'object' && part !== null)
      for (const [key, inner] of Object.entries(part)) {
        // A DNS query names a host, whatever it ends in.
        const asked = hostKeys.has(key) ? domainOf(inner) : [];
        if (asked.length > 0) found.push(...asked);
        else look(inner, depth + 1);
      }
  };
  look(value, 0);
  return found;
}

const hostKeys = new Set(['query', 'domain', 'hostname', 'fqdn', 'dnsName', 'dns_name']);
const pathWithBlank = /^\/.*\s/;

/** A command as a list of words: the first one determines their meaning. */
function isWords(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length > 1 && value.length <= 256 && value.every((word) => typeof word === 'string');
}

/** Separators between words; a colon, a slash and an at sign may be part of a word. */
const betweenWords = /[\s"'`,;|&<>(){}=]+/;
const anyMark = /[./:]/;

/** Programs whose arguments are hosts, whatever they end in, and their options that precede a file name. */
const reachesOut =
  /(?:^|[\s/;|&"'(])(?:curl|wget|aria2c|nc|ncat|netcat|socat|ssh|scp|sftp|rsync|t?ftp|telnet|ping6?|dig|nslookup|host|nmap)(?=\s|$)/;
const beforeFile = /^-(?:[oOiTPKE]|-(?:output|output-document|output-file|upload-file|key|cert|cacert|config))$/;

/**
 * Addresses, hosts and absolute paths among the words of a command line: in URLs, `user@host:/path`, `host:port`, `host/path`, and in what bash opens as
 * `/dev/tcp/host/port`. A word that may as well be a file, a version or a package does not count as a host.
 */
export function observablesInCommand(commandLine: string | undefined): readonly Observable[] {
  if (commandLine === undefined || !anyMark.test(commandLine)) return [];
  const text = commandLine.slice(0, 4_096);
  const outward = reachesOut.test(text);
  const words = text.split(betweenWords, looksAtMost);
  return words.flatMap((word, at) => {
    return anyMark.test(word) ? inWord(word, outward && !beforeFile.test(words[at - 1] ?? '')) : [];
  });
}

const ofUrl = /^[a-z][a-z0-9+.-]{0,30}:\/\/(?:[^/@]{0,256}@)?(\[[^\]]{1,64}\]|[^/:?#]{1,253})/i;
const ofBash = /^\/dev\/(?:tcp|udp)\/([^/]{1,253})\//;
const ofSocat = /^(?:tcp[46]?|udp[46]?|sctp[46]?|openssl|ssl)(?:-connect)?:(\[[^\]]{1,64}\]|[^@:[\]]{1,253})/i;
const ofNobody = /^\/dev\/(?:null|zero|stdin|stdout|stderr|tty|fd)(?:\/|$)/;
const parts = /^(?:([^@/:]{1,64})@)?(\[[0-9a-f:.]{2,64}\]|[^@/:]{1,253})(?::(\d{1,5})(?![^/]))?(.*)$/i;

function inWord(word: string, outward: boolean): readonly Observable[] {
  const url = ofUrl.exec(word)?.[1] ?? ofBash.exec(word)?.[1] ?? (outward ? ofSocat.exec(word)?.[1] : undefined);
  if (url !== undefined) return first(ipOf(url), domainOf(url));
  // The server that `dig` queries; anything else with that prefix is a file.
  if (outward && word.startsWith('@')) return ipOf(word.slice(1));
  if (word.startsWith('/')) return ofNobody.test(word) ? [] : pathOf(word);
  const [, user, host = word, port, rest = ''] = isIP(word) === 0 ? (parts.exec(word) ?? []) : [];
  const address = ipOf(host);
  if (address.length > 0) {
    // A number after the slash makes it a network; the wildcard address belongs to nobody.
    return /^\/\d{1,3}$/.test(rest) ? [] : address.filter(({ value }) => value !== '0.0.0.0' && value !== '::');
  }
  const isNamed = user !== undefined || port !== undefined || outward;
  // `host:file` of a copy; elsewhere, as in `app.wsgi:main`, nothing indicates a host.
  if (rest.startsWith(':') && !isNamed) return [];
  const name = host.replace(/\.$/, '');
  return isHost(name, { isNamed, outward, hasPath: rest.startsWith('/') }) ? domainOf(name) : [];
}

/** Endings that, after a name, almost never belong to a file. */
const endings = new Set(
  'com net org io dev app info biz xyz top onion site online club cloud ru cn de uk fr nl eu us co me tk su br jp kr pw ws link live shop'.split(
    ' ',
  ),
);
const fileEndings = new Set(
  'sh py rs pl md cc in so zip ps js ts go rb lua java jar war class php html htm css xml json yaml yml toml ini conf cfg env log txt csv sql db out err old orig bak tmp swp lock pid sock service socket timer gz tgz xz bz2 zst tar deb rpm apk whl egg iso img bin exe dll elf ko key pem crt cer csr pub der dat'.split(
    ' ',
  ),
);
/** Some of these are also endings of hosts. */
const alsoHosts = new Set('sh py rs pl md cc in so zip ps'.split(' '));
const hostName = /^[a-z0-9_][\w-]{0,62}(?:\.[a-z0-9_][\w-]{0,62})+$/i;
const packageName = /^(?:com|org|net|io|dev|edu)\.[^.]+\./i;

interface Surroundings {
  /** Something other than its ending shows that it is a host. */
  readonly isNamed: boolean;
  readonly outward: boolean;
  readonly hasPath: boolean;
}

function isHost(name: string, { isNamed, outward, hasPath }: Surroundings): boolean {
  if (!hostName.test(name)) return false;
  const ending = name.slice(name.lastIndexOf('.') + 1).toLowerCase();
  if (!isNamed) {
    // Files end in `.example`, too, but are not folders; class names contain capital letters.
    return (endings.has(ending) || (ending === 'example' && hasPath)) && !packageName.test(name) && !/[A-Z]/.test(name);
  }
  if (!/^(?:[a-z]{2,24}|xn--[a-z0-9-]{2,59})$/.test(ending)) return false;
  return !fileEndings.has(ending) || (outward && hasPath && alsoHosts.has(ending));
}

function first(...choices: readonly (readonly Observable[])[]): readonly Observable[] {
  return choices.find((choice) => choice.length > 0) ?? [];
}
