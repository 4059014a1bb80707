import { useState } from 'preact/hooks';
import type { ConsoleSession, ShownIncident, ShownRecords } from '../../core/console/console.schema.ts';
import { type ConsoleRouteName, consoleRoutes } from '../../core/console/routes.ts';
import { targetText, wholeTargetText } from '../../core/text/plain-text.ts';
import { addressOf, ask, type RequestFault, useAsked } from '../api.ts';
import { Alerts } from '../parts/alerts.tsx';
import { Assessments } from '../parts/assessments.tsx';
import { BlastRadius } from '../parts/blast-radius.tsx';
import { Countdown, Empty, Fact, Problem, Severity, Sheet, Tag, Time, useNow, usePage, Waiting } from '../parts/common.tsx';
import { Question } from '../parts/question.tsx';
import { countText, entryText, leaseText, placeText, plainText, sizeText, standText, stepStates, verdictText } from '../words.ts';

/** Whether the reader has a role for it; the desk checks again. */
export function mayAsk(session: ConsoleSession, name: ConsoleRouteName): boolean {
  const { roles } = consoleRoutes[name];
  return roles === 'anybody' || roles.some((role) => session.roles.includes(role));
}

export function Incident({ incidentKey: key, session }: { readonly incidentKey: string; readonly session: ConsoleSession }) {
  const asked = useAsked('incident', { params: { key } }, (news) => news.kind === 'incident' && news.incident.key === key);
  const { data, fault, again } = asked;
  usePage(data ? placeText(data.incident) : 'Incident');
  if (!data) {
    if (fault?.code === 'FB_ERR_NOT_FOUND' || fault?.code === 'FB_ERR_UNKNOWN_ID')
      return (
        <Empty title="Incident not found, or not visible to you">
          <a href="/console/incidents">Show open incidents</a>
        </Empty>
      );
    return fault ? <Problem fault={fault} again={again} /> : <Waiting what="Loading the incident" />;
  }
  return (
    <>
      {fault && <Problem fault={fault} again={again} />}
      <Shown shown={data} session={session} />
    </>
  );
}

function Shown({ shown, session }: { readonly shown: ShownIncident; readonly session: ConsoleSession }) {
  const { incident, live, verdictWhy, questions } = shown;
  const now = useNow();
  const stand = standText(incident);
  const open = questions.filter(({ state, kind }) => state === 'open' && kind === 'question');
  return (
    <>
      <div class="head">
        <p class="small">
          <a href="/console/incidents">Incidents</a>
        </p>
        <h1>{placeText(incident)}</h1>
        <p class="tags">
          <Severity is={incident.severity} />
          <Tag tone={stand.tone}>{stand.text}</Tag>
          {incident.state === 'open' && incident.verdict !== 'unknown' && <Tag>{verdictText[incident.verdict]}</Tag>}
        </p>
        {incident.what !== null && <p>{incident.what}</p>}
        <p class="soft">
          {incident.rules.join(', ')}. {countText(incident.alerts, 'alert')} in {incident.cluster}, first{' '}
          <Time at={incident.openedAt} />
          {incident.closedAt !== null && (
            <>
              , closed <Time at={incident.closedAt} />
            </>
          )}
          .{verdictWhy !== null && ` ${plainText(verdictWhy, now)}`}
        </p>
      </div>
      {!live && incident.state === 'open' && (
        <div class="notice">
          <p>
            <strong>The incident is not responding.</strong> This page shows what is on record. Containments stay in force.
          </p>
        </div>
      )}
      {open.map((question) => (
        <Question key={question.id} question={question} session={session} isAlone={false} />
      ))}
      {shown.deadlines.length > 0 && (
        <div class="notice">
          <p>
            <strong>Notifications to authorities</strong>
          </p>
          <ul class="small">
            {shown.deadlines.map((line) => (
              <li key={line}>{plainText(line, now)}</li>
            ))}
          </ul>
        </div>
      )}
      <Containment shown={shown} />
      <div class="columns">
        <div>
          <Story shown={shown} />
          <Steps shown={shown} />
          <Sheet title="Assessment" none={shown.assessments.length === 0 ? 'No alert has been assessed.' : undefined}>
            <Assessments assessments={shown.assessments} />
          </Sheet>
          <Sheet title="Alerts" none={shown.alerts.length === 0 ? 'No alerts are on record yet.' : undefined}>
            <Alerts alerts={shown.alerts} samples={shown.samples} />
          </Sheet>
        </div>
        <div>
          <Sheet title="Blast radius" none={shown.blastRadius.objects.length === 0 ? 'Nothing has been touched yet.' : undefined}>
            <BlastRadius radius={shown.blastRadius} />
          </Sheet>
          <Evidence shown={shown} />
          <Posture shown={shown} />
          <PastQuestions shown={shown} />
          <Links shown={shown} session={session} />
          <Records shown={shown} session={session} />
        </div>
      </div>
    </>
  );
}

function Story({ shown: { timeline } }: { readonly shown: ShownIncident }) {
  const now = useNow();
  return (
    <Sheet title="What happened" none={timeline.length === 0 ? 'Nothing is on record yet.' : undefined}>
      <ol class="story">
        {timeline.map((record) => {
          const { head, detail, tone } = entryText(record, now);
          return (
            <li key={record.number} class={tone}>
              <Time at={record.at} />
              <div class="event">
                <strong>{head}</strong>
                {record.actor.kind === 'person' && <span class="soft"> by {record.actor.name}</span>}
                {detail !== '' && <p class="soft small">{detail}</p>}
              </div>
            </li>
          );
        })}
      </ol>
    </Sheet>
  );
}

function Steps({ shown: { steps } }: { readonly shown: ShownIncident }) {
  const now = useNow();
  return (
    <Sheet title="Steps" none={steps.length === 0 ? 'No steps were taken.' : undefined}>
      <ul class="rows">
        {steps.map(({ key, title, target, state, detail, startedAt, playbook, proof, changes }) => (
          <li key={key}>
            <div class="line">
              <h3 title={wholeTargetText(target)}>
                {title}: {targetText(target)}
              </h3>
              <Tag tone={stepStates[state].tone}>{stepStates[state].text}</Tag>
            </div>
            <p class="soft small">
              <Time at={startedAt} />
              {detail !== '' && !detail.startsWith(title) && `, ${plainText(detail, now)}`}
            </p>
            <details>
              <summary>Proof and changes</summary>
              <dl class="facts small">
                <Fact name="Object">{wholeTargetText(target)}</Fact>
                <Fact name="Playbook">{playbook}</Fact>
                {proof.map((look) => (
                  <Fact key={look.at} name={stepStates[look.state as keyof typeof stepStates]?.text ?? 'Checked'}>
                    <Time at={look.at} />: {plainText(look.detail, now)}
                  </Fact>
                ))}
                {changes.map((change) => (
                  <Fact key={`${change.target} ${change.what}`} name={targetText(change.target)}>
                    {plainText(change.what, now)}
                  </Fact>
                ))}
              </dl>
            </details>
          </li>
        ))}
      </ul>
    </Sheet>
  );
}

function Containment({ shown: { leases, incident } }: { readonly shown: ShownIncident }) {
  const now = useNow();
  const none = incident.state === 'open' ? 'Nothing is contained: everything runs as before.' : 'Nothing is contained any more.';
  return (
    <Sheet title="Containment" none={leases.length === 0 ? none : undefined}>
      <ul class="rows">
        {leases.map(({ id, title, target, state, sure, isProven, startedAt, until, renewals, refused, onSilence, question }) => (
          <li key={id}>
            <div class="line">
              <h3 title={wholeTargetText(target)}>
                {title}: {targetText(target)}
              </h3>
              <Tag tone={leaseText({ state, sure, isProven, refused }).tone}>
                {leaseText({ state, sure, isProven, refused }).text}
              </Tag>
            </div>
            <p class="small">
              Since <Time at={startedAt} />
              {state === 'active' && refused === null && (
                <>
                  {until === null ? (
                    ', until somebody ends it'
                  ) : (
                    <>
                      , ends <Countdown until={until} over="at any moment" />
                    </>
                  )}
                  {renewals > 0 && `, renewed ${countText(renewals, 'time')}`}
                </>
              )}
            </p>
            {refused !== null && (
              <p>
                Still contained. Its release was refused: {refused.why}. Next attempt: <Time at={refused.nextAt} />.
              </p>
            )}
            {state === 'active' && refused === null && <p class="soft small">If nobody answers: {plainText(onSilence, now)}</p>}
            {question !== null && <a href={`/console/questions/${question}`}>Decide how long it lasts</a>}
          </li>
        ))}
      </ul>
    </Sheet>
  );
}

/** The first line sums it up. */
function Posture({ shown: { posture } }: { readonly shown: ShownIncident }) {
  const now = useNow();
  const [first, ...others] = posture;
  return (
    <Sheet title="What it may do" none={first === undefined ? 'Not examined yet, or not a workload.' : undefined}>
      <p class="small">{first === undefined ? '' : plainText(first, now)}</p>
      <details>
        <summary>All findings</summary>
        <ul class="small">
          {others.map((line) => (
            <li key={line}>{plainText(line, now)}</li>
          ))}
        </ul>
      </details>
    </Sheet>
  );
}

const ends = { decided: 'Decided', expired: 'No answer', void: 'Closed' } as const;

/** Past questions: how they were answered, by whom and why. */
function PastQuestions({ shown: { pastQuestions } }: { readonly shown: ShownIncident }) {
  const now = useNow();
  return (
    <Sheet title="Closed questions" none={pastQuestions.length === 0 ? 'No questions have been closed yet.' : undefined}>
      <ul class="rows">
        {pastQuestions.map(({ number, text, state, endedAt, choice, by, why, answers }) => (
          <li key={number}>
            <div class="line">
              <h3>{plainText(text, now)}</h3>
              <Tag tone={state === 'decided' ? 'good' : 'doubt'}>{ends[state]}</Tag>
            </div>
            <p class="small">
              {choice !== null && <strong>{choice}</strong>}
              {by.length > 0 && `, by ${by.join(' and ')}`}
              {why !== null && plainText(why, now)}, <Time at={endedAt} />
            </p>
            {answers.length > 0 && (
              <ul class="soft small">
                {answers.map((answer) => (
                  <li key={`${answer.person} ${answer.at}`}>
                    {answer.person}: {answer.choice}, <Time at={answer.at} />
                    {answer.reason !== null && <>: “{answer.reason}”</>}
                  </li>
                ))}
              </ul>
            )}
          </li>
        ))}
      </ul>
    </Sheet>
  );
}

function Evidence({ shown: { evidence } }: { readonly shown: ShownIncident }) {
  return (
    <Sheet title="Evidence" none={evidence.length === 0 ? 'No evidence has been kept.' : undefined}>
      <ul class="rows">
        {evidence.map(({ manifest, target, artefacts, command }) => (
          <li key={manifest}>
            <h3>{wholeTargetText(target)}</h3>
            <ul class="small">
              {artefacts.map(({ name, bytes, sha256, partial }) => (
                <li key={sha256}>
                  <span title={`SHA-256 ${sha256}`}>{name}</span>, <span class="number">{sizeText(bytes)}</span>
                  {partial !== null && <span class="soft"> (incomplete: {partial})</span>}
                </li>
              ))}
            </ul>
            <details>
              <summary>How to read it</summary>
              <p class="small">
                It is sealed, and this page cannot open it. Run this where you have the key, and give the reason: it goes on
                record.
              </p>
              <pre class="command">
                <code>{command}</code>
              </pre>
            </details>
          </li>
        ))}
      </ul>
    </Sheet>
  );
}

/** Addresses from outside are only linked if they are web pages: `javascript:` would run here. */
function isWeb(url: string): boolean {
  return /^https?:\/\//i.test(url);
}

function Links({ shown, session }: { readonly shown: ShownIncident; readonly session: ConsoleSession }) {
  const { tickets, thread, temporal, incident } = shown;
  const links = [
    ...(thread === null ? [] : [{ url: thread, text: 'Thread in Slack' }]),
    ...tickets.flatMap(({ id, url }) => (url === null ? [] : [{ url, text: `Ticket ${id ?? ''}` }])),
    ...(temporal === null ? [] : [{ url: temporal, text: 'Workflow in Temporal' }]),
  ];
  return (
    <Sheet title="Elsewhere">
      <p class="links">
        {links
          .filter(({ url }) => isWeb(url))
          .map(({ url, text }) => (
            <a key={url} href={url} target="_blank" rel="noreferrer">
              {text}
            </a>
          ))}
        {tickets
          .filter(({ id, url }) => id !== null && url === null)
          .map(({ id }) => (
            <span key={id}>Ticket {id}</span>
          ))}
        {mayAsk(session, 'incidentExport') && (
          <a href={addressOf('incidentExport', { key: incident.key })} download={`incident-${incident.key}.json`}>
            Export with its records
          </a>
        )}
      </p>
      <details>
        <summary>Names for the command line</summary>
        <dl class="facts small">
          <Fact name="Incident">
            <code>{incident.id}</code>
          </Fact>
          <Fact name="Run">
            <code>{incident.run}</code>
          </Fact>
          <Fact name="Playbooks">{incident.playbooks.join(', ') || 'none'}</Fact>
          <Fact name="Pods">{incident.pods.join(', ') || 'none'}</Fact>
        </dl>
      </details>
    </Sheet>
  );
}

function Records({ shown: { proof, incident }, session }: { readonly shown: ShownIncident; readonly session: ConsoleSession }) {
  const [records, setRecords] = useState<ShownRecords>();
  const [fault, setFault] = useState<RequestFault>();
  const show = (): Promise<void> => ask('records', { params: { key: incident.key } }).then(setRecords, setFault);
  return (
    <Sheet title="Records">
      <p>
        <Tag tone={proof.whole ? 'good' : 'bad'}>{proof.whole ? 'Complete' : 'Not complete'}</Tag>{' '}
        {proof.whole
          ? `All ${countText(proof.stored, 'record')}: each signed, in order, and linked to the one before.`
          : 'Do not rely on what is shown until somebody has looked into this.'}
      </p>
      {proof.findings.length > 0 && (
        <ul class="small">
          {proof.findings.map((finding) => (
            <li key={finding} class="fault">
              {finding}
            </li>
          ))}
        </ul>
      )}
      {fault && <Problem fault={fault} again={show} />}
      {!records && mayAsk(session, 'records') && (
        <p>
          <button type="button" onClick={show}>
            Show records and signatures
          </button>
        </p>
      )}
      {records && (
        <ol class="rows small">
          {records.records.map(({ number, at, kind, actor, hash, previous, keyId, signature, body }) => (
            <li key={hash}>
              <details>
                <summary>
                  {number}. {kind}, <Time at={at} />
                </summary>
                <dl class="facts">
                  <Fact name="Actor">{actor}</Fact>
                  <Fact name="Hash">
                    <code>{hash}</code>
                  </Fact>
                  <Fact name="Previous">
                    <code>{previous}</code>
                  </Fact>
                  <Fact name="Key">
                    <code>{keyId}</code>
                  </Fact>
                  <Fact name="Signature">
                    <code>{signature}</code>
                  </Fact>
                </dl>
                <pre class="command">
                  <code>{JSON.stringify(body, null, 2)}</code>
                </pre>
              </details>
            </li>
          ))}
        </ol>
      )}
    </Sheet>
  );
}
