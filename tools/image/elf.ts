import { readFileSync } from 'node:fs';
import { FirebreakError } from '../../core/errors.ts';
import type { Architecture } from './base.ts';

/** A Linux program or library in an archive. */
interface ElfFile {
  readonly path: string;
  /** The processor that it is for; a number if no images are made for that processor. */
  readonly machine: Architecture | number;
}

const block = 512;
/** https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html: `e_machine` */
const machines = new Map<number, Architecture>([
  [62, 'amd64'],
  [183, 'arm64'],
]);
const elfMagic = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);

/** All programs and libraries in an archive written by GNU tar, recognised by the first bytes of each file. */
export function elfFiles(archive: string): readonly ElfFile[] {
  const bytes = readFileSync(archive);
  const found: ElfFile[] = [];
  let longName: string | undefined;
  for (let at = 0; at + block <= bytes.length; ) {
    const size = sizeIn(bytes.subarray(at + 124, at + 136));
    const type = String.fromCharCode(bytes[at + 156] ?? 0);
    const content = bytes.subarray(at + block, at + block + size);
    if (type === 'L') longName = textIn(content);
    else {
      const path = longName ?? textIn(bytes.subarray(at, at + 100));
      longName = undefined;
      // Only regular files have content; both architectures are little-endian.
      if (content.length >= 20 && content.subarray(0, 4).equals(elfMagic)) {
        const machine = content.readUInt16LE(18);
        found.push({ path, machine: machines.get(machine) ?? machine });
      }
    }
    at += block + Math.ceil(size / block) * block;
  }
  return found;
}

function textIn(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
}

/** Octal, or binary if it does not fit: https://www.gnu.org/software/tar/manual/html_node/Standard.html */
function sizeIn(field: Buffer): number {
  if (((field[0] ?? 0) & 0x80) !== 0) return Number(field.readBigUInt64BE(4));
  return Number.parseInt(textIn(field).trim() || '0', 8);
}

/** Nobody starts an image for another processor here, so an error in it would only be found where it is installed. Throws FB_ERR_PLATFORM_PART_MISSING. */
export function checkPrograms(architecture: Architecture, layers: readonly string[]): void {
  const programs = layers.flatMap(elfFiles);
  const foreign = programs.filter(({ machine }) => machine !== architecture).map(({ path }) => path);
  if (programs.length > 0 && foreign.length === 0) return;
  const what = foreign.length > 0 ? `has programs of another processor: ${foreign.slice(0, 5).join(', ')}` : 'has no programs';
  throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', `the image for ${architecture} ${what}`);
}
