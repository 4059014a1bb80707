import { randomBytes } from 'node:crypto';
import { resolverFromNames } from '../../core/alert/subject.ts';
import { incidentIdOf } from '../../core/incident/incident.ts';
import { createBox } from '../../integrations/crypto-box/box.ts';
import { parseAlerts } from '../../service/intake/read/parse.ts';
import { Spool } from '../../service/intake/spool/spool.ts';
import { alertAbout } from './alerts.ts';

/**
 * `node spool-filler.ts fill DIRECTORY COUNT WORKLOADS`: accepts that many alerts as the intake does, says so, and continues until it is killed. `node
 * spool-filler.ts open DIRECTORY`: opens what is there, and prints how long that took and what there is.
 */
const [, , task, directory = '', count = '0', workloads = '1'] = process.argv;
const atOnce = 512;
const maxBytes = 1_073_741_824;

if (task === 'fill') await fill();
else await openOnce();

async function fill(): Promise<void> {
  const box = createBox({ keys: [{ id: 'bench', key: randomBytes(32) }] });
  const spool = await Spool.open({ directory, maxBytes });
  let serial = 0;
  let isTold = false;
  for (;;) {
    const writes = Array.from({ length: atOnce }, () => {
      serial += 1;
      return add(serial);
    });
    await Promise.all(writes);
    if (serial >= Number(count) && !isTold) {
      isTold = true;
      console.log(serial);
    }
  }

  async function add(number: number): Promise<void> {
    const time = `2026-06-01T10:00:00.${String(number).padStart(9, '0')}Z`;
    const body = Buffer.from(alertAbout({ namespace: 'bench', name: `app${number % Number(workloads)}-0` }, { time }));
    const receivedAt = new Date().toISOString();
    const parsed = parseAlerts(body, { cluster: 'bench' });
    for (const item of parsed.ok ? parsed.items : []) {
      if (item.kind !== 'alert') throw new Error(`the alert was not parsed: ${item.kind}`);
      const { alert, subject } = resolverFromNames.resolve({ ...item.alert, receivedAt });
      await spool.add(incidentIdOf(subject), { alert, subject, raw: box.seal(item.raw, alert.id), receivedAt });
    }
  }
}

async function openOnce(): Promise<void> {
  const began = performance.now();
  const spool = await Spool.open({ directory, maxBytes });
  const ms = performance.now() - began;
  let entries = 0;
  for (const incident of spool.incidents()) entries += spool.entriesOf(incident, { limit: 1_000_000 }).length;
  console.log(JSON.stringify({ ms, entries, incidents: spool.incidents().length, bytes: spool.bytes() }));
  await spool.close();
}
