/** Holds the house in order: no import goes round. */
import { root } from '../setup/setup.mjs';
import { readTree } from './imports.mjs';

/** What is out of order below `folder`, one sentence each. */
export function houseFaults(folder) {
  return circleFaults(readTree(folder));
}

/** Circles of imports, types included: by Tarjan's strongly connected components. */
function circleFaults(files) {
  const [index, low, stack, onStack, circles] = [new Map(), new Map(), [], new Set(), []];
  const visit = (file) => {
    index.set(file, index.size);
    low.set(file, index.get(file));
    stack.push(file);
    onStack.add(file);
    for (const next of files.get(file).uses) {
      if (!index.has(next)) visit(next);
      if (onStack.has(next)) low.set(file, Math.min(low.get(file), low.get(next)));
    }
    if (low.get(file) !== index.get(file)) return;
    const circle = stack.splice(stack.indexOf(file));
    for (const one of circle) onStack.delete(one);
    if (circle.length > 1) circles.push(circle.reverse());
  };
  for (const file of files.keys()) if (!index.has(file)) visit(file);
  return circles.map((circle) => `imports go round: ${circle.join(' → ')}: move what they share into a file of its own`);
}

if (process.argv[1] === import.meta.filename) {
  const faults = houseFaults(process.argv[2] ?? root);
  for (const fault of faults) process.stdout.write(`${fault}\n`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}
