// Shows a bundle to people, and the findings of the verifier above it. Plain JavaScript: it is included in the page as it is.
// Texts of records may come from an attacker: they are only ever inserted as text.

/** @param {string} name @param {Record<string, string> | null} attributes @param {...(string | Node)} children */
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Writes out characters that would affect reading, such as a change of direction. */
function visible(text) {
  return String(text).replace(
    /[\p{Cc}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu,
    (one) => `\\u{${one.codePointAt(0).toString(16)}}`,
  );
}

function timeText(at) {
  const time = new Date(at);
  if (Number.isNaN(time.getTime())) return visible(at);
  return `${time.toISOString().slice(0, 10)} ${time.toISOString().slice(11, 19)} UTC`;
}

const data = document.getElementById('bundle').textContent;
const file = new TextEncoder().encode(`<!doctype html>${opening}${data}</script>`);
const bundle = readBundle(file);
const main = document.querySelector('main');
const box = element('section', { class: 'verdict', role: 'status' }, element('strong', null, 'Checking …'));
const bare = (why) => main.replaceChildren(element('h1', null, 'Incident bundle'), box, element('p', null, why));
try {
  if (bundle) show(bundle);
  else bare('The contents of the file cannot be read.');
} catch {
  bare('The contents of the file cannot be shown.');
}
check();

async function check() {
  try {
    if (!globalThis.crypto?.subtle) throw new Error('no WebCrypto');
    await crypto.subtle.importKey('raw', new Uint8Array(32).fill(1), 'Ed25519', false, ['verify']).catch((error) => {
      if (error.name === 'NotSupportedError') throw error;
    });
    tell(await verifyBundle(file));
  } catch {
    box.className = 'verdict bad';
    box.replaceChildren(
      element('strong', null, 'Not checked.'),
      element(
        'p',
        null,
        'This browser cannot check Ed25519 signatures. Chrome from 137, Firefox from 129 and Safari from 17 can. verify.py can as well.',
      ),
    );
  }
  box.setAttribute('data-done', '');
}

function tell(verdict) {
  box.className = `verdict ${verdict.ok ? 'good' : 'bad'}`;
  if (!verdict.ok) {
    box.replaceChildren(
      element('strong', null, 'Do not rely on this file: it was changed or is incomplete.'),
      element('p', null, visible(verdict.text)),
      element('p', { class: 'quiet' }, 'What follows is what the file says. It is not proven.'),
    );
    return;
  }
  const { records, removed, covered, lastCheckpoint, closed, exported, keys, missingManifests } = verdict;
  const notes = [
    `It shows the incident as of ${timeText(lastCheckpoint.at)}. It was exported at ${timeText(exported.at)}.`,
    covered < records && `The last ${records - covered} records are newer than that: the notary had not signed them yet.`,
    !closed && 'The incident was still open.',
    removed.length > 0 &&
      `${removed.length === 1 ? 'The content of one record was' : `The contents of ${removed.length} records were`} removed, by orders that two people signed. Decisions that depend on them are not checked.`,
    missingManifests.length > 0 && `${missingManifests.length} lists of evidence that the records name are not in this file.`,
    'This page used the keys in the file. Compare their fingerprints below with those you were given by another way.',
  ];
  box.replaceChildren(
    element('strong', null, `Nothing was changed: all ${records} records fit their signatures.`),
    ...notes.filter(Boolean).map((note) => element('p', null, note)),
  );
  document
    .getElementById('keys')
    ?.replaceChildren(
      element('tr', null, element('th', null, 'Key of'), element('th', null, 'Fingerprint (SHA-256)')),
      ...keys.map(({ of, fingerprint }) =>
        element('tr', null, element('td', null, visible(of)), element('td', null, element('code', null, fingerprint))),
      ),
      element(
        'tr',
        null,
        element('td', null, `checkpoint ${lastCheckpoint.number}`),
        element('td', null, element('code', null, lastCheckpoint.digest)),
      ),
    );
}

function show({ content, export: { order } }) {
  const { names } = content;
  const nothing = { actor: 'removed', body: { text: 'What it said was removed: two people have ordered that.' } };
  const records = content.records.map(({ record, said }) => ({ record: { ...record, ...(said ?? nothing) } }));
  const who = (actor) =>
    visible(
      actor
        .split(',')
        .map((one) => nameOf(one, names))
        .join(' and '),
    );
  const [, cluster, ...place] = order.incident.split('/');
  main.replaceChildren(
    element('h1', null, visible(`${place.at(-1)}${place.length > 1 ? ` in ${place[0]}` : ''}`)),
    element(
      'p',
      { class: 'quiet' },
      visible(
        `Incident of ${place.slice(1).join(' ') || 'the cluster'} in the cluster ${cluster}, ${timeText(records[0]?.record.at)} to ${timeText(records.at(-1)?.record.at)}. Run ${order.run}.`,
      ),
    ),
    element('p', { class: 'quiet' }, visible(`Handed out by ${nameOf(`person/${order.person}`, names)}: ${order.reason}`)),
    box,
    ...decisions(records, who),
    element('h2', null, 'What happened'),
    element(
      'ol',
      { class: 'story' },
      ...records.map(({ record }) =>
        element(
          'li',
          null,
          element('time', null, timeText(record.at)),
          element(
            'div',
            null,
            element('p', null, visible(record.body.text ?? record.kind)),
            element('p', { class: 'quiet' }, who(record.actor), ` · record ${record.number}`, visible(programOf(record))),
          ),
        ),
      ),
    ),
    ...plans(records),
    ...evidence(content),
    element('h2', null, 'How to check it without this page'),
    element(
      'p',
      null,
      'Each record is signed by the cell that made it. A notary with a key of its own signs the newest hash at least every 15 minutes. People sign their answers, or the desk signs what they clicked. The person who hands the file out signs all of it.',
    ),
    element('pre', null, element('code', null, 'python3 verify.py THIS-FILE --trust keys.txt')),
    element('p', null, 'verify.py and the specification come with Firebreak (docs/spec). It needs no Firebreak and no network.'),
    element('table', null, element('tbody', { id: 'keys' })),
    element('h2', null, 'What it does not show'),
    element(
      'ul',
      null,
      element('li', null, 'That the keys are genuine: they come from the file itself.'),
      element('li', null, 'What a person is called. The id is proven; the name is from whoever handed the file out.'),
      element('li', null, 'What came after the last checkpoint. Compare its time with that of the export.'),
      element('li', null, 'That a cell told the truth when it made a record. It cannot forge a person’s vote.'),
    ),
  );
}

/** Which version of a playbook responded to an incident, and from which build of all code. */
function programOf({ kind, body: { version, build } }) {
  if (kind !== 'playbook.started') return '';
  return `${version ? ` · version ${version}` : ''}${build ? ` · build ${build}` : ''}`;
}

function nameOf(actor, names) {
  const [kind, ...rest] = actor.split('/');
  const id = rest.join('/');
  // A name is only the exporter's claim; the id is what was signed.
  if (kind === 'person') return !Object.hasOwn(names, id) ? id : `${names[id]} (${id})`;
  if (kind === 'engine') return 'Firebreak';
  return id === '' ? kind : `${kind} ${id}`;
}

function decisions(records, who) {
  const votes = records.filter(({ record: { kind } }) => kind === 'vote.accepted').map(({ record }) => record);
  const asked = new Map();
  for (const {
    record: { body },
  } of records)
    for (const one of [body.question, body.asked]) if (one?.id && Array.isArray(one.choices)) asked.set(one.id, one);
  if (asked.size === 0) return [];
  const way = { slack: 'in Slack', page: 'on the desk’s page', cli: 'at the command line, with a key of their own' };
  return [
    element('h2', null, 'What people decided'),
    ...[...asked.values()].flatMap((question) => {
      const label = (id) => visible(question.choices.find((choice) => choice.id === id)?.label ?? id);
      const decided = records.find(
        ({ record: { kind, body } }) => kind === 'question.decided' && body.question === question.id,
      )?.record;
      const answers = votes.filter(({ body: { vote } }) => vote?.question === question.id);
      return [
        element('h3', null, visible(question.text ?? question.id)),
        element(
          'p',
          null,
          decided ? `Decided: ${label(decided.body.choice)} (${timeText(decided.at)})` : 'Nobody has decided it.',
        ),
        element(
          'ul',
          null,
          ...answers.map(({ at, actor, body: { vote } }) =>
            element(
              'li',
              null,
              who(actor),
              ` answered “${label(vote.choice)}” ${Object.hasOwn(way, vote.via) ? way[vote.via] : ''}`,
              vote.reason ? `: ${visible(vote.reason)}` : '',
              ' ',
              element('time', null, timeText(at)),
            ),
          ),
        ),
      ];
    }),
  ];
}

function plans(records) {
  const done = records
    .map(({ record }) => record)
    .filter(({ kind, body }) => kind === 'step.applied' && Array.isArray(body.plan?.changes));
  if (done.length === 0) return [];
  return [
    element('h2', null, 'What was changed'),
    ...done.flatMap(({ number, body: { text, plan } }) => [
      element('h3', null, visible(text)),
      element(
        'ul',
        null,
        ...plan.changes.map(({ target, what }) =>
          element('li', null, element('code', null, visible(target)), ' ', visible(what)),
        ),
      ),
      element(
        'p',
        { class: 'quiet' },
        visible(
          `Touches ${(plan.blastRadius ?? []).join(', ')}. ${plan.effect === 'destructive' ? 'It cannot be undone.' : plan.effect === 'reversible' ? 'It can be undone.' : 'It changes nothing that runs.'} Record ${number}.`,
        ),
      ),
    ]),
  ];
}

function evidence({ evidence: lists, artefacts }) {
  if (lists.length === 0) return [];
  const held = new Map(artefacts.map(({ sha256, data }) => [sha256, data]));
  const row = (name, one) => {
    const data = held.get(one.sha256);
    const link =
      data === undefined
        ? 'not in this file'
        : element('a', { download: name.replace(/[^\w.-]/g, '_'), href: `data:application/octet-stream;base64,${data}` }, 'save');
    return element(
      'tr',
      null,
      element('td', null, visible(name)),
      element('td', null, `${one.bytes} bytes`),
      element('td', null, element('code', null, visible(one.sha256))),
      element('td', null, link),
    );
  };
  return [
    element('h2', null, 'What was kept as evidence'),
    ...lists.map(({ manifest }) =>
      element(
        'table',
        null,
        element(
          'tbody',
          null,
          element(
            'tr',
            null,
            element('th', null, visible(manifest.target?.name ?? 'evidence')),
            element('th', null, 'size'),
            element('th', null, 'SHA-256'),
            element('th', null, ''),
          ),
          ...(Array.isArray(manifest.artefacts) ? manifest.artefacts : []).map((one) => row(String(one?.name), one ?? {})),
        ),
      ),
    ),
  ];
}
