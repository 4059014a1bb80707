// Keeps the page as the workspace is, and sends clicks. All drawing is done by the server.
const body = document.body;
const messages = document.getElementById('messages');
const thread = document.getElementById('thread');
const confirmDialog = document.getElementById('confirm');
const toast = document.getElementById('toast');

function query() {
  const { user, channel, thread: open } = body.dataset;
  return new URLSearchParams({ user, channel, ...(open ? { thread: open } : {}) });
}

function localTimes() {
  for (const time of document.querySelectorAll('time.clock')) {
    time.textContent = new Date(time.dateTime).toLocaleTimeString('en', { hour: 'numeric', minute: '2-digit' });
  }
}

async function refresh() {
  const atEnd = messages.scrollHeight - messages.scrollTop - messages.clientHeight < 120;
  const response = await fetch(`/page/fragments?${query()}`);
  const parts = await response.json();
  messages.innerHTML = parts.messages;
  thread.innerHTML = parts.thread;
  localTimes();
  if (atEnd) messages.scrollTop = messages.scrollHeight;
  const replies = thread.querySelector('.scroll');
  if (replies) replies.scrollTop = replies.scrollHeight;
}

function open(ts) {
  body.dataset.thread = ts;
  history.replaceState(null, '', `/?${query()}`);
  return refresh();
}

function say(text) {
  toast.textContent = text;
  toast.classList.add('on');
  setTimeout(() => toast.classList.remove('on'), 5000);
}

function confirmed(button) {
  if (!button.dataset.confirm) return Promise.resolve(true);
  const asks = JSON.parse(button.dataset.confirm);
  const [deny, confirm] = confirmDialog.querySelectorAll('menu button');
  confirmDialog.querySelector('h3').innerHTML = asks.title;
  confirmDialog.querySelector('p').innerHTML = asks.text;
  deny.innerHTML = asks.deny;
  confirm.innerHTML = asks.confirm;
  confirm.className = `btn ${asks.style}`;
  confirmDialog.returnValue = 'deny';
  confirmDialog.showModal();
  return new Promise((resolve) => {
    confirmDialog.addEventListener('close', () => resolve(confirmDialog.returnValue === 'confirm'), { once: true });
  });
}

async function click(button) {
  if (!(await confirmed(button))) return;
  button.classList.add('busy');
  const { ts } = button.closest('.message').dataset;
  const { action, value } = button.dataset;
  const { user, channel } = body.dataset;
  const response = await fetch('/page/click', {
    method: 'POST',
    body: JSON.stringify({ user, channel, ts, actionId: action, ...(value === undefined ? {} : { value }) }),
  });
  const { status } = await response.json();
  button.classList.remove('busy');
  if (status === 0) say('⚠️ The app did not answer within 3 seconds.');
  else if (status !== 200) say(`⚠️ The app answered with status ${status}.`);
}

document.addEventListener('click', (event) => {
  const target = event.target.closest('button');
  if (target === null) return;
  if (target.dataset.action !== undefined) click(target);
  else if (target.dataset.thread !== undefined) open(target.dataset.thread);
  else if (target.id === 'close-thread') open('');
  else if (target.classList.contains('dismiss')) {
    const { ts } = target.closest('.message').dataset;
    fetch('/page/dismiss', { method: 'POST', body: JSON.stringify({ user: body.dataset.user, ts }) });
  }
});

// A link to a message of this workspace opens it here.
document.addEventListener('click', (event) => {
  const link = event.target.closest('a[href*=".slack.com/archives/"]');
  const found = link === null ? null : /\/archives\/([^/]+)\/p(\d+)(\d{6})$/.exec(link.href);
  if (found === null) return;
  event.preventDefault();
  open(`${found[2]}.${found[3]}`);
});

document.getElementById('who').addEventListener('change', (event) => {
  body.dataset.user = event.target.value;
  location.search = query().toString();
});

const events = new EventSource('/page/events');
events.addEventListener('open', refresh);
events.addEventListener('message', refresh);
localTimes();
messages.scrollTop = messages.scrollHeight;
