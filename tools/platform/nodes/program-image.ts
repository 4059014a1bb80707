import { basename, join } from 'node:path';
import { FirebreakError } from '../../../core/errors.ts';
import type { OnProgress } from '../../../service/parts/cache.ts';
import { goProgram } from '../go-program.ts';
import { type LabImage, makeImage } from './image.ts';

/** Path in an image → folder of the Go module that builds the program there. */
export type Programs = Readonly<Record<string, string>>;

/** What the forensics pool runs beside containers and on nodes. */
export const forensicTools: Programs = { '/firebreak-tools': 'deploy/forensics/tools', '/firebreak-cut': 'deploy/forensics/cut' };

/** Makes an image of busybox and programs that are built here. */
export async function makeProgramImage(options: {
  readonly name: string;
  readonly folder: string;
  readonly programs: Programs;
  readonly onProgress: OnProgress;
}): Promise<LabImage> {
  const { name, folder, programs, onProgress } = options;
  const built = Object.entries(programs).map(async ([path, module]): Promise<readonly [string, string]> => {
    const program = basename(path);
    const from = await goProgram({ name: program, module, target: '.', linked: {}, pinned: '', title: program }, onProgress);
    if (!from) throw new FirebreakError('FB_ERR_PLATFORM_PART_MISSING', `Go, to build ${program}`);
    return [path, join(from, basename(module))];
  });
  return makeImage({ name, folder, files: Object.fromEntries(await Promise.all(built)) });
}
