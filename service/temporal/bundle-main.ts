import { bundleWorkflows } from './bundle.ts';

const [workflowsPath, outFile] = process.argv.slice(2);
if (workflowsPath === undefined || outFile === undefined) {
  console.error('usage: bundle-main WORKFLOWS OUT');
  process.exit(2);
}
const build = await bundleWorkflows({ workflowsPath, outFile });
console.log(`workflow bundle ${build.id}`);
