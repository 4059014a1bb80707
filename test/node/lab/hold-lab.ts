/** Starts a Kubernetes with a real node in the given folder, prints its processes and address, and waits: a test kills it. */
import { startKubernetes } from '../../../tools/platform/kubernetes/kubernetes-server.ts';

const [stateDir = ''] = process.argv.slice(2);
const kubernetes = await startKubernetes({ stateDir, kubernetes: { nodes: [], realNodes: ['held'] } });
process.stdout.write(`${JSON.stringify({ pids: kubernetes.pids(), address: kubernetes.realNodes?.hostAddress })}\n`);
setInterval(() => {}, 60_000);
