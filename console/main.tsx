import { render } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ConsoleSession } from '../core/console/console.schema.ts';
import { signInPath } from '../core/console/routes.ts';
import { basePath, followLinks, useAddress } from './address.ts';
import { ask, type RequestFault, useAsked, useLive, useNews } from './api.ts';
import { Incident, mayAsk } from './pages/incident.tsx';
import { Incidents } from './pages/incidents.tsx';
import { Overview } from './pages/overview.tsx';
import { Playbook } from './pages/playbook.tsx';
import { OneQuestion, Questions } from './pages/questions.tsx';
import { ResponsePage } from './pages/response.tsx';
import { Empty, Problem, usePage, Waiting } from './parts/common.tsx';
import './styles.css';
import { timeText } from './time.ts';
import { countText, placeText } from './words.ts';

/** Signed in, or at the sign-in page. */
function Console() {
  const [session, setSession] = useState<ConsoleSession>();
  const [fault, setFault] = useState<RequestFault>();
  const look = (): void => {
    ask('session').then((one) => {
      setFault(undefined);
      setSession(one);
    }, setFault);
  };
  useEffect(look, []);
  useEffect(() => {
    if (fault?.code !== 'offline') return;
    const retry = setTimeout(look, 5000);
    return () => clearTimeout(retry);
  });
  useNews((news) => {
    if (news.kind !== 'signed-out') return;
    setSession(undefined);
    setFault(news.fault);
  });
  if (session)
    return (
      <Frame
        session={session}
        onEnd={() => {
          setSession(undefined);
          look();
        }}
      />
    );
  if (fault?.code === 'offline')
    return (
      <main>
        <Problem fault={fault} again={look} />
      </main>
    );
  return fault ? <Door fault={fault} /> : <Opening />;
}

function Opening() {
  return (
    <main>
      <Waiting what="Opening the console" />
    </main>
  );
}

const signedOutText = 'Sign in with your identity provider. A session ends automatically after a period of inactivity.';

function Door({ fault }: { readonly fault: RequestFault }) {
  usePage('Sign in');
  const to = `${window.location.pathname}${window.location.search}`;
  const address = (more: object): string => `${signInPath}?${new URLSearchParams({ to, ...more })}`;
  return (
    <main class="door">
      <Mark />
      <h1>Sign in to see incidents</h1>
      <p class="soft">{fault.code === 'FB_ERR_SIGN_IN' ? signedOutText : `${fault.message} ${fault.help}`}</p>
      <a class="button primary" href={address({})}>
        Sign in
      </a>
      <a href={address({ display: 'wall' })}>Open as a wall display</a>
      <p class="soft">
        For a screen that others can see. It stays signed in while its page is open, hides the details of alerts, and cannot
        answer questions, whoever signs in.
      </p>
    </main>
  );
}

function Mark() {
  return (
    <a class="mark" href={`${basePath}/incidents`}>
      <svg viewBox="0 0 24 24" aria-hidden="true">
        <path d="M12 1 3 5v6c0 5.6 3.8 10.3 9 12 5.2-1.7 9-6.4 9-12V5z" fill="var(--accent)" />
        <path d="M6 12.5h12" stroke="var(--accent-ink)" stroke-width="2.4" stroke-dasharray="3 1.5" />
      </svg>
      Firebreak
    </a>
  );
}

const liveTexts = { joining: 'Connecting', live: 'Live', lost: 'Not live' } as const;

function Frame({ session, onEnd }: { readonly session: ConsoleSession; readonly onEnd: () => void }) {
  const { path } = useAddress();
  const live = useLive({ onEnd });
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  // A new page begins at its top, also for screen reader users.
  useEffect(() => {
    if (!isFirst.current) main.current?.focus();
    isFirst.current = false;
  }, [path]);
  const signOut = (): void => {
    ask('signOut', { csrf: session.csrf }).then(onEnd, onEnd);
  };
  return (
    <>
      <a class="skip button" href="#main">
        Skip to the content
      </a>
      <header class="top">
        <Mark />
        <nav class="pages" aria-label="Pages">
          <PageLink to="/incidents" path={path}>
            Incidents
          </PageLink>
          {mayAsk(session, 'questions') && (
            <PageLink to="/questions" path={path}>
              Questions <Waits />
            </PageLink>
          )}
          <PageLink to="/overview" path={path}>
            Overview
          </PageLink>
          <PageLink to="/response" path={path}>
            Response
          </PageLink>
        </nav>
        <div class="who">
          <span class={`live ${live}`}>{liveTexts[live]}</span>
          <span class="name">
            {session.wall ? `Wall display until ${timeText(session.endsAt, Date.now())}` : session.person.name}
          </span>
          <button type="button" class="plain" onClick={signOut}>
            Sign out
          </button>
        </div>
      </header>
      <Announcer />
      <main id="main" tabIndex={-1} ref={main}>
        {live === 'lost' && (
          <div class="notice" role="status">
            <p>
              <strong>The connection is lost.</strong> What you see may be out of date. This page reconnects automatically. Slack
              and the command line still work.
            </p>
          </div>
        )}
        <Page path={path} session={session} />
      </main>
    </>
  );
}

function Page({ path, session }: { readonly path: string; readonly session: ConsoleSession }) {
  const [, page = '', id, ...rest] = path.split('/');
  if (page === 'incidents') return id ? <Incident key={id} incidentKey={id} session={session} /> : <Incidents />;
  if (page === 'questions') return id ? <OneQuestion key={id} id={id} session={session} /> : <Questions session={session} />;
  if (page === 'playbooks' && id) return <Playbook key={path} id={[id, ...rest].join('/')} />;
  if (page === 'response') return <ResponsePage />;
  if (page === 'overview') return <Overview session={session} />;
  return (
    <Empty title="Page not found">
      <a href={`${basePath}/incidents`}>Show open incidents</a>
    </Empty>
  );
}

function PageLink({
  to,
  path,
  children,
}: {
  readonly to: string;
  readonly path: string;
  readonly children: preact.ComponentChildren;
}) {
  const isHere = path === to || path.startsWith(`${to}/`);
  return (
    <a href={`${basePath}${to}`} {...(isHere && { 'aria-current': 'page' })}>
      {children}
    </a>
  );
}

/** Number of questions that wait for the reader. */
function Waits() {
  const { data } = useAsked('questions', {}, ({ kind }) => kind === 'incident');
  const mine = (data?.items ?? []).filter((one) => one.mine.may).length;
  if (mine === 0) return null;
  return (
    <span class="count">
      {mine}
      <span class="unseen"> for you</span>
    </span>
  );
}

/** Announces what arrives while somebody reads something else: new serious incidents, one at a time. */
function Announcer() {
  const [text, setText] = useState('');
  const known = useRef(new Set<string>());
  useNews((news) => {
    if (news.kind !== 'incident' || known.current.has(news.incident.key)) return;
    known.current.add(news.incident.key);
    const { severity, rules } = news.incident;
    if (severity === 'critical' || severity === 'high')
      setText(`${severity} incident: ${rules[0] ?? countText(news.incident.alerts, 'alert')} in ${placeText(news.incident)}`);
  });
  return (
    <p class="unseen" role="status" aria-live="polite">
      {text}
    </p>
  );
}

const container = document.getElementById('console');
if (container) {
  followLinks();
  container.replaceChildren();
  render(<Console />, container);
}
