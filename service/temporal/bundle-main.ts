import { dirname, extname, join } from 'node:path';
import { bundleWorkflows } from './bundle.ts';

const [workflowsPath, outFile] = process.argv.slice(2);
if (workflowsPath === undefined || outFile === undefined) {
  console.error('usage: bundle-main WORKFLOWS OUT');
  process.exit(2);
}
// This file is run as it was compiled, the workflows are bundled from their sources: so is what they share with the worker.
const messagesPath = join(dirname(workflowsPath), `messages${extname(workflowsPath)}`);
const build = await bundleWorkflows({ workflowsPath, outFile, messagesPath });
console.log(`workflow bundle ${build.id}`);
