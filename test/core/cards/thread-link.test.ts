import { describe, expect, test } from '@jest/globals';
import { isSlackMessage } from '../../../core/cards/thread-link.ts';

describe('the address of a message in Slack', () => {
  test.each([
    'https://acme.slack.com/archives/C0SECURITY/p1758275400000100',
    'https://acme.slack.com/archives/C0SECURITY/p1758275400000100?thread_ts=1758275400.000001&cid=C0SECURITY',
    'https://acme.enterprise.slack.com/archives/G0SECURITY/p1758275400000100',
    'https://acme.slack-gov.com/archives/C0SECURITY/p1758275400000100',
  ])('is %s', (url) => {
    expect(isSlackMessage(url)).toBe(true);
  });

  test.each([
    'http://acme.slack.com/archives/C0SECURITY/p1758275400000100',
    'https://acme.slack.com.evil.example/archives/C0SECURITY/p1758275400000100',
    'https://evil.example/acme.slack.com/archives/C0SECURITY/p1758275400000100',
    'https://ada:secret@acme.slack.com/archives/C0SECURITY/p1758275400000100',
    'https://acme.slack.com/archives/C0SECURITY/p1758275400000100?token=xoxb-1',
    'https://acme.slack.com/archives/C0SECURITY/p1758275400000100>[x](https://evil.example)',
    'https://acme.slack.com/archives/C0SECURITY/p1758275400000100\n@acme/everyone',
    'https://acme.slack.com/files/U0ADA/F0SECRET/dump.txt',
    '',
  ])('is not %j', (url) => {
    expect(isSlackMessage(url)).toBe(false);
  });
});
