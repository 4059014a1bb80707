import type { FakeChannel, FakeMessage, FakeUser, SlackWorld } from '../world.ts';
import { mrkdwnToHtml } from './mrkdwn.ts';
import { attribute, blocksToHtml } from './page-blocks.ts';
import { modalFragment } from './page-modal.ts';

export interface Viewer {
  readonly user: FakeUser;
  readonly channel: FakeChannel;
  /** The ts of the thread that is open at the side. */
  readonly thread?: string;
}

/** The parts that change while the page is open. */
export function fragments(
  world: SlackWorld,
  viewer: Viewer,
): {
  readonly messages: string;
  readonly thread: string;
  readonly title: string;
  readonly modal: ReturnType<typeof modalFragment>;
} {
  return {
    messages: channelHtml(world, viewer),
    thread: threadHtml(world, viewer),
    title: titleOf(viewer),
    modal: modalFragment(world, viewer.user.id),
  };
}

function titleOf({ channel }: Viewer): string {
  return `${channel.name} (Channel) - Slack emulator`;
}

export function pageHtml(world: SlackWorld, viewer: Viewer): string {
  const { user, channel } = viewer;
  const initial = attribute(world.teamName.slice(0, 1).toUpperCase());
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${attribute(titleOf(viewer))}</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/page/page.css"></head>
<body data-user="${attribute(user.id)}" data-channel="${attribute(channel.id)}" data-thread="${attribute(viewer.thread ?? '')}">
<header class="top"><span class="emulator">Slack emulator</span><div class="search">${icon('search')}Search ${attribute(world.teamName)}</div>
<label class="who">You are ${avatar(user, world, 'small')}<select id="who" aria-label="Who am I">${people(world, user)}</select></label></header>
<div class="shell">
<nav class="rail" aria-label="Workspace"><div class="team">${initial}</div><div class="tab on">${icon('home')}<span>Home</span></div><div class="tab">${icon('dm')}<span>DMs</span></div><div class="tab">${icon('bell')}<span>Activity</span></div></nav>
<aside class="sidebar"><h1>${attribute(world.teamName)} <small>⌄</small></h1>
<h2>Channels</h2>${channels(world, viewer)}<h2>Apps</h2><div class="row">${avatar(bot(world), world, 'tiny')}${attribute(world.appName)}</div></aside>
<main><div class="head"><strong># ${attribute(channel.name)}</strong><span class="topic">${attribute(channel.topic ?? '')}</span>
<span class="members">${icon('people')}${members(world, channel)}</span></div>
<div class="tabs"><span class="on">Messages</span><span>Files</span><span>Pins</span></div>
<section id="messages" class="scroll" aria-label="Messages" aria-live="polite">${channelHtml(world, viewer)}</section>
<form id="composer" class="composer"><input name="text" autocomplete="off" aria-label="Message #${attribute(channel.name)}" placeholder="Message #${attribute(channel.name)}"></form></main>
<aside id="thread" class="thread" aria-label="Thread">${threadHtml(world, viewer)}</aside></div>
<dialog id="confirm"><form method="dialog"><h3></h3><button class="close" value="deny" aria-label="Close">×</button><p></p><menu><button class="btn" value="deny"></button><button class="btn" value="confirm"></button></menu></form></dialog>
<dialog id="modal" data-key=""></dialog>
<div id="toast" role="status"></div><script type="module" src="/page/page.js"></script></body></html>`;
}

function channels(world: SlackWorld, { channel, user }: Viewer): string {
  return [...world.channels.values()]
    .map((one) => {
      const href = `/?user=${encodeURIComponent(user.id)}&channel=${encodeURIComponent(one.id)}`;
      return `<a class="row${one.id === channel.id ? ' on' : ''}" href="${attribute(href)}"><i>#</i>${attribute(one.name)}</a>`;
    })
    .join('');
}

function people(world: SlackWorld, chosen: FakeUser): string {
  return [...world.users.values()]
    .filter((user) => user.id !== world.botUserId)
    .map((user) => {
      const kind = kindOf(user);
      const label = `${user.realName ?? user.name}${kind === '' ? '' : ` (${kind})`}`;
      return `<option value="${attribute(user.id)}"${user.id === chosen.id ? ' selected' : ''}>${attribute(label)}</option>`;
    })
    .join('');
}

function kindOf(user: FakeUser): string {
  if (user.isBot === true) return 'bot';
  if (user.deleted === true) return 'deactivated';
  if (user.isStranger === true) return 'other workspace';
  return user.isRestricted === true || user.isUltraRestricted === true ? 'guest' : (user.title ?? '');
}

function members(world: SlackWorld, channel: FakeChannel): number {
  return channel.members?.length ?? world.users.size;
}

function channelHtml(world: SlackWorld, { user, channel }: Viewer): string {
  const mine = world.ephemerals(user.id).filter((one) => one.channel === channel.id && one.threadTs === undefined);
  const all = [...world.channelMessages(channel.id), ...mine].sort((a, b) => Number(a.ts) - Number(b.ts));
  const intro = `<div class="intro"><h2># ${attribute(channel.name)}</h2><p>This is the very beginning of the <b>#${attribute(channel.name)}</b> channel.</p></div>`;
  const day = all.length === 0 ? '' : '<div class="day"><span>Today</span></div>';
  return intro + day + listHtml(all, world);
}

function threadHtml(world: SlackWorld, { user, channel, thread }: Viewer): string {
  const root = thread === undefined ? undefined : world.message(channel.id, thread);
  if (root === undefined) return '';
  const mine = world.ephemerals(user.id).filter((one) => one.threadTs === root.ts);
  const replies = [...world.replies(channel.id, root.ts), ...mine].sort((a, b) => Number(a.ts) - Number(b.ts));
  const count = `<div class="count"><span>${replies.length} ${replies.length === 1 ? 'reply' : 'replies'}</span></div>`;
  return `<div class="head"><strong>Thread</strong><span class="topic"># ${attribute(channel.name)}</span><button id="close-thread" class="icon" type="button" aria-label="Close thread">×</button></div><div class="scroll">${messageHtml({ message: root, world, compact: false, inThread: true })}${count}${listHtml(replies, world, true)}</div><div class="composer">Reply…</div>`;
}

const sameSpeakerSeconds = 300;

function listHtml(messages: readonly FakeMessage[], world: SlackWorld, inThread = false): string {
  return messages
    .map((message, index) => {
      const before = messages[index - 1];
      const compact =
        before !== undefined &&
        before.user === message.user &&
        before.ephemeralFor === undefined &&
        message.ephemeralFor === undefined &&
        message.blocks?.some((block) => block.type === 'header') !== true &&
        Number(message.ts) - Number(before.ts) < sameSpeakerSeconds;
      return messageHtml({ message, world, compact, inThread });
    })
    .join('');
}

function messageHtml({
  message,
  world,
  compact,
  inThread,
}: {
  readonly message: FakeMessage;
  readonly world: SlackWorld;
  readonly compact: boolean;
  readonly inThread: boolean;
}): string {
  const user = world.users.get(message.user) ?? bot(world);
  const private_ = message.ephemeralFor !== undefined;
  const only = private_ ? `<div class="only">${icon('eye')}Only visible to you</div>` : '';
  const edited = message.editedTs === undefined ? '' : '<span class="edited">(edited)</span>';
  const badge = user.isBot === true ? '<span class="app">APP</span>' : '';
  const name = compact ? '' : `<div class="by"><b>${attribute(user.realName ?? user.name)}</b>${badge}${timeOf(message)}</div>`;
  const body =
    message.blocks === undefined
      ? `<div class="text">${mrkdwnToHtml(message.text, { verbatim: true, world })}</div>`
      : blocksToHtml(message.blocks, world);
  const dismiss = private_ ? '<button class="dismiss" type="button">Dismiss</button>' : '';
  const left = compact ? `<span class="gutter">${timeOf(message)}</span>` : avatar(user, world, '');
  return `<article class="message${private_ ? ' private' : ''}${compact ? ' compact' : ''}" data-ts="${attribute(message.ts)}">${only}${left}<div class="body">${name}${body}${edited}${dismiss}${inThread ? '' : repliesHtml(message, world)}</div></article>`;
}

function repliesHtml(message: FakeMessage, world: SlackWorld): string {
  const replies = message.threadTs === undefined ? world.replies(message.channel, message.ts) : [];
  const last = replies.at(-1);
  if (last === undefined) return '';
  const faces = [...new Set(replies.map((reply) => reply.user))].map((id) =>
    avatar(world.users.get(id) ?? bot(world), world, 'tiny'),
  );
  const count = `${replies.length} ${replies.length === 1 ? 'reply' : 'replies'}`;
  return `<button class="replies" type="button" data-thread="${attribute(message.ts)}">${faces.join('')}<b>${count}</b><span>Last reply today at ${timeOf(last)}</span></button>`;
}

function timeOf({ ts }: FakeMessage): string {
  const date = new Date(Number(ts) * 1_000);
  const clock = date.toLocaleTimeString('en', { hour: 'numeric', minute: '2-digit', timeZone: 'UTC' });
  return `<time class="clock" datetime="${date.toISOString()}">${clock}</time>`;
}

function bot(world: SlackWorld): FakeUser {
  return world.users.get(world.botUserId) ?? { id: world.botUserId, name: world.appName, isBot: true };
}

const colours = ['#1164a3', '#2bac76', '#b4540a', '#7c3085', '#0b7285', '#a61e4d', '#5f3dc4', '#2f6f3e'];

function avatar(user: FakeUser, world: SlackWorld, size: string): string {
  if (user.id === world.botUserId) return `<span class="avatar bot ${size}">${icon('flame')}</span>`;
  const sum = [...user.id].reduce((total, letter) => total + letter.charCodeAt(0), 0);
  const initials = (user.realName ?? user.name)
    .split(/\s+/)
    .map((word) => word.slice(0, 1))
    .join('')
    .slice(0, 2)
    .toUpperCase();
  return `<span class="avatar ${size}" style="background:${colours[sum % colours.length]}">${attribute(initials)}</span>`;
}

const paths = {
  search: 'M9 3.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11M13 13l4 4',
  home: 'M3 9.5 10 3.5l7 6M5 8.5V16.5h10V8.5',
  dm: 'M3.5 4.5h13v9h-7l-3.5 3v-3h-2.5z',
  bell: 'M5 13.5V9a5 5 0 0 1 10 0v4.5l1.5 1.5h-13zM8.5 17h3',
  people:
    'M8 4.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5M3 16c0-3 2-5 5-5s5 2 5 5M13 5a2.3 2.3 0 0 1 0 4.4M14.5 11.5c1.7.6 2.5 2.200 2.500 4.500',
  eye: 'M2.500 10s2.700-5 7.500-5 7.500 5 7.500 5-2.700 5-7.500 5-7.500-5-7.500-5zM10 7.800a2.200 2.200 0 1 0 0 4.400 2.200 2.200 0 0 0 0-4.400',
  flame:
    'M10 2.500c.5 3 4.500 4.500 4.500 9a4.500 4.500 0 0 1-9 0c0-2 1-3.200 2-4 .2 1.500.8 2.200 1.500 2.500C9 7.500 9 4.500 10 2.500z',
} as const;

function icon(name: keyof typeof paths): string {
  return `<svg class="icon-svg" viewBox="0 0 20 20" aria-hidden="true"><path d="${paths[name]}"/></svg>`;
}
