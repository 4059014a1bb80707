/**
 * `npm run image [-- --arch amd64,arm64 --repository NAME --out FOLDER]`: makes the image of Firebreak as an OCI archive; with `--tools` that of the tools for
 * suspect containers, with `--root FOLDER` the contents of Firebreak's as files.
 */
import { arch } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bytesText } from '../../service/commands/output.ts';
import { projectRoot } from '../../service/process/project-root.ts';
import { type Architecture, architecturesIn, missingForImages } from './base.ts';
import { makeFirebreakImage, makeImageRoot } from './firebreak-image.ts';
import { makeToolsImage } from './tools-image.ts';

const here: Architecture = arch() === 'arm64' ? 'arm64' : 'amd64';
const { values } = parseArgs({
  options: {
    arch: { type: 'string', default: here },
    repository: { type: 'string' },
    tools: { type: 'boolean', default: false },
    out: { type: 'string', default: join(projectRoot(), '.images') },
    root: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const say = (line: string): void => void process.stderr.write(`${line}\n`);
const architectures = architecturesIn(values.arch);
const missing = values.tools ? undefined : missingForImages();
const { repository = `firebreak.local/firebreak${values.tools ? '-tools' : ''}` } = values;
if (values.help) {
  say('npm run image [-- --arch amd64,arm64] [--repository registry.example/firebreak] [--out FOLDER] [--tools | --root FOLDER]');
} else if (architectures === undefined || missing !== undefined) {
  say(
    missing
      ? `An image needs ${missing}: apt-get install mmdebstrap`
      : `--arch ${values.arch}: use amd64, arm64, or both separated by a comma`,
  );
  process.exitCode = 2;
} else if (values.root !== undefined) {
  await makeImageRoot({ folder: values.root, architecture: architectures[0] ?? here, onProgress: say, fresh: true });
} else {
  const order = { folder: values.out, architectures, repository, onProgress: say };
  const { file, name, digest, size, unpacked } = values.tools
    ? await makeToolsImage(order)
    : await makeFirebreakImage({ ...order, fresh: true, compress: true });
  process.stdout.write(`${file}\n${name}\n${digest}\n`);
  say(
    `${bytesText(size)} compressed, ${bytesText(unpacked)} unpacked, for all architectures together. Copy it to a registry: skopeo copy oci-archive:${file} docker://${name}`,
  );
}
