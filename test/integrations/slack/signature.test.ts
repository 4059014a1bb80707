import { createHmac } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { RequestVerifier } from '../../../integrations/slack/door/signature.ts';

const secret = 'a-signing-secret';
const start = 1_760_000_000;

function signed(body: string, at: number) {
  const signature = `v0=${createHmac('sha256', secret).update(`v0:${at}:${body}`).digest('hex')}`;
  return { rawBody: Buffer.from(body), signature, timestamp: String(at) };
}

describe('the verifier of requests', () => {
  // The example from https://docs.slack.dev/authentication/verifying-requests-from-slack
  test('agrees with Slack’s own example', () => {
    const rawBody = Buffer.from(
      'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c',
    );
    const signature = 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503';
    const verifier = new RequestVerifier({ secrets: ['8f742231b10e8888abcd99yyyzzz85a5'], now: () => 1_531_420_618_000 });
    expect(verifier.refusal({ rawBody, signature, timestamp: '1531420618' })).toBeUndefined();
  });

  test('accepts a request once within the window, even from slightly ahead, and remembers it as long as it could be accepted', () => {
    let now = start;
    const verifier = new RequestVerifier({ secrets: [secret], now: () => now * 1_000 });
    const ahead = signed('a', start + 290);
    expect(verifier.refusal(ahead)).toBeUndefined();
    now += 580;
    expect(verifier.refusal(ahead)).toMatchObject({ reason: 'replayed' });
    now += 20;
    expect(verifier.refusal(ahead)).toMatchObject({ reason: 'too_old' });
  });

  test('accepts 300 s either way and not one more', () => {
    const verifier = new RequestVerifier({ secrets: [secret], now: () => start * 1_000 });
    expect(verifier.refusal(signed('a', start - 300))).toBeUndefined();
    expect(verifier.refusal(signed('b', start + 300))).toBeUndefined();
    expect(verifier.refusal(signed('c', start - 301))).toMatchObject({ reason: 'too_old' });
    expect(verifier.refusal(signed('d', start + 301))).toMatchObject({ reason: 'future_dated' });
  });

  test('accepts what any of its secrets signed, so that one can be rotated, and nothing signed by another', () => {
    const verifier = new RequestVerifier({ secrets: ['the-next-secret', secret], now: () => start * 1_000 });
    expect(verifier.refusal(signed('a', start))).toBeUndefined();
    const other = new RequestVerifier({ secrets: ['the-next-secret'], now: () => start * 1_000 });
    expect(other.refusal(signed('a', start))).toMatchObject({ reason: 'bad_signature' });
  });

  test('remembers a bounded number, the oldest goes first', () => {
    const verifier = new RequestVerifier({ secrets: [secret], now: () => start * 1_000, remembered: 3 });
    for (const body of ['a', 'b', 'c', 'd']) expect(verifier.refusal(signed(body, start))).toBeUndefined();
    expect(verifier.refusal(signed('d', start))).toMatchObject({ reason: 'replayed' });
    expect(verifier.refusal(signed('a', start))).toBeUndefined();
  });

  test('accepts nothing with an empty secret, a strange time or another version', () => {
    const empty = new RequestVerifier({ secrets: [''], now: () => start * 1_000 });
    expect(empty.refusal(signed('a', start))).toMatchObject({ reason: 'bad_signature' });
    const verifier = new RequestVerifier({ secrets: [secret], now: () => start * 1_000 });
    expect(verifier.refusal({ ...signed('a', start), timestamp: '1e9' })).toMatchObject({ reason: 'unsigned' });
    // The same time when parsed, but a different text when remembered.
    expect(verifier.refusal(signed('a', start))).toBeUndefined();
    for (const zeros of ['0', '00'])
      expect(verifier.refusal({ ...signed('a', start), timestamp: `${zeros}${start}` })).toMatchObject({ reason: 'unsigned' });
    expect(
      verifier.refusal({ ...signed('a', start), signature: signed('a', start).signature.replace('v0', 'v1') }),
    ).toMatchObject({
      reason: 'bad_signature',
    });
  });
});
