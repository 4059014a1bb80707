/** Regenerates the golden histories: `node test/workflows/record-histories.ts`. Only when a change of the workflows is meant to end old runs. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import proto from '@temporalio/proto';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { timeSkippingServerPath } from '../../service/parts/time-skipping-server.ts';
import { live, lives, livesScript } from './playbook-lives.ts';
import { type RealLab, startLabIn } from './real-lab.ts';
import { scenarios } from './scenarios.ts';
import type { Script } from './scripted.ts';
import { clientOptions, testSpeaker } from './speakers.ts';
import { type StoredHistory, writeHistories } from './stored-histories.ts';

const { History } = proto.temporal.api.history.v1;
const folder = join(import.meta.dirname, '..', 'fixtures', 'histories');
const lab = await startRecording({});
try {
  for (const [name, play] of Object.entries(scenarios)) {
    const incident = await play(lab);
    const history = await lab.env.client.workflow.getHandle(incident.id).fetchHistory();
    const file = join(folder, `${name}.json`);
    writeFileSync(
      file,
      `${JSON.stringify({ workflowId: incident.id, history: History.toObject(History.fromObject(history), { bytes: String, longs: String, enums: String }) })}\n`,
    );
    console.log(`${file}: ${history.events?.length} events`);
  }
} finally {
  await lab.stop();
}

const ofPlaybooks = await startRecording(livesScript);
try {
  const histories: StoredHistory[] = [];
  for (const [name, alert] of lives) {
    const incident = await live(ofPlaybooks, name, alert);
    const { id: workflowId } = incident;
    const history = await ofPlaybooks.env.client.workflow.getHandle(workflowId).fetchHistory();
    histories.push({ name, workflowId, history });
    await incident.end();
    console.log(`${name}: ${history.events?.length} events`);
  }
  console.log(`${writeHistories(histories)} bytes for ${histories.length} playbooks`);
} finally {
  await ofPlaybooks.stop();
}

/** A lab on a server of its own that skips time: days are part of these histories. */
async function startRecording(script: Script): Promise<RealLab> {
  const env = await TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'existing-path', path: await timeSkippingServerPath() } },
    client: clientOptions(testSpeaker()),
  });
  return startLabIn(env, { script, taskQueue: 'lab', namespace: 'default', isListed: false });
}
