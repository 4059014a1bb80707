// Keeps the page as the workspace is, and sends clicks. All drawing is done by the server.
const body = document.body;
const messages = document.getElementById('messages');
const thread = document.getElementById('thread');
const confirmDialog = document.getElementById('confirm');
const modal = document.getElementById('modal');
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
  showModal(parts.modal);
  localTimes();
  if (atEnd) messages.scrollTop = messages.scrollHeight;
  const replies = thread.querySelector('.scroll');
  if (replies) replies.scrollTop = replies.scrollHeight;
}

// Drawn anew only when it shows something else: what was typed stays.
function showModal({ key, html }) {
  if (modal.dataset.key === key) return;
  modal.dataset.key = key;
  if (key === '') {
    modal.close();
    return;
  }
  modal.innerHTML = html;
  if (!modal.open) modal.showModal();
  modal.querySelector('[autofocus]')?.focus();
}

async function submit(form) {
  const button = form.querySelector('[type=submit]');
  const trouble = form.querySelector('.trouble');
  // Boxes of one block have one name: all that are ticked, by commas.
  const filled = new FormData(form);
  const typed = Object.fromEntries([...filled.keys()].map((name) => [name, filled.getAll(name).join(',')]));
  for (const error of form.querySelectorAll('.error')) error.textContent = '';
  trouble.textContent = '';
  button.classList.add('busy');
  const response = await fetch('/page/submit', {
    method: 'POST',
    body: JSON.stringify({ user: body.dataset.user, viewId: form.dataset.view, typed }),
  });
  const result = await response.json();
  button.classList.remove('busy');
  for (const [block, text] of Object.entries(result.errors ?? {})) {
    form.querySelector(`[data-block="${CSS.escape(block)}"] .error`).textContent = text;
  }
  if (result.outcome === 'trouble') trouble.textContent = '⚠️ We had some trouble connecting. Try again?';
}

function closeModal() {
  const viewId = modal.querySelector('form')?.dataset.view;
  if (viewId) fetch('/page/close', { method: 'POST', body: JSON.stringify({ user: body.dataset.user, viewId }) });
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
  const { action, value, option } = button.dataset;
  button.closest('details')?.removeAttribute('open');
  const { user, channel } = body.dataset;
  const response = await fetch('/page/click', {
    method: 'POST',
    body: JSON.stringify({
      user,
      channel,
      ts,
      actionId: action,
      ...(value === undefined ? {} : { value }),
      ...(option === undefined ? {} : { option }),
    }),
  });
  const { status } = await response.json();
  button.classList.remove('busy');
  if (status === 0) say('⚠️ The app did not answer within 3 seconds.');
  else if (status !== 200) say(`⚠️ The app answered with status ${status}.`);
}

document.addEventListener('click', (event) => {
  const target = event.target.closest('button');
  if (target === null) return;
  if (target.dataset.close !== undefined) closeModal();
  else if (target.dataset.action !== undefined) click(target);
  else if (target.dataset.thread !== undefined) open(target.dataset.thread);
  else if (target.id === 'close-thread') open('');
  else if (target.classList.contains('dismiss')) {
    const { ts } = target.closest('.message').dataset;
    fetch('/page/dismiss', { method: 'POST', body: JSON.stringify({ user: body.dataset.user, ts }) });
  }
});

document.getElementById('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  const input = event.target.elements.text;
  const { user, channel } = body.dataset;
  if (input.value.trim() !== '') {
    fetch('/page/say', { method: 'POST', body: JSON.stringify({ user, channel, text: input.value.trim() }) });
  }
  input.value = '';
});

modal.addEventListener('submit', (event) => {
  event.preventDefault();
  submit(event.target);
});
modal.addEventListener('cancel', (event) => {
  event.preventDefault();
  closeModal();
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
