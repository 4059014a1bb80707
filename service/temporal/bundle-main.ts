import { dirname, extname, join } from 'node:path';
import { bundleWorkflows } from './bundle.ts';

const [workflowsPath, outFile] = process.argv.slice(2);
if (workflowsPath === undefined || outFile === undefined) {
  console.error('usage: bundle-main WORKFLOWS OUT');
  process.exit(2);
}
// From beside the workflows, wherever this file is run from: else the bundle would have it twice.
const messagesPath = join(dirname(workflowsPath), `messages${extname(workflowsPath)}`);
const build = await bundleWorkflows({ workflowsPath, outFile, messagesPath });
console.log(`workflow bundle ${build.id}`);
