/** Prints what a pack says of itself, as JSON: see `runPackProgram`. */
import { loadedPack } from './loaded-pack.ts';

const [folder = '', main = ''] = process.argv.slice(2);
process.stdout.write(JSON.stringify((await loadedPack(folder, main)) ?? null));
