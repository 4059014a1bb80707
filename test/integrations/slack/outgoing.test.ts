import { createServer, type Server } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { fetchFrom } from '../../../integrations/slack/client.ts';
import { post, type Rig, startRig, until } from './fixture.ts';

let rig: Rig;
let heard: string[];
let elsewhere: Server;
let address: string;
beforeEach(async () => {
  heard = [];
  elsewhere = createServer((request, response) => {
    heard.push(request.url ?? '');
    response.end('{}');
  });
  await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
  const at = elsewhere.address();
  address = `http://127.0.0.1:${typeof at === 'object' ? at?.port : 0}`;
  rig = await startRig();
});
afterEach(async () => {
  await rig.stop();
  elsewhere.close();
});

describe('an answer by response_url', () => {
  test('goes only to Slack, even if a click signed with Slack’s key names another address', async () => {
    await post(rig);
    // If Slack cannot show it in the channel, the desk answers through the click's address.
    rig.slack.fail('chat.postEphemeral', { error: 'user_not_in_channel' });
    await rig.slack.click({
      user: 'U0GUEST',
      actionId: 'fb_decide1',
      dialog: 'leave',
      forge: { responseUrl: `${address}/steal` },
    });
    await until(() => rig.logs.find((line) => line.includes('click not answered"')));
    expect(heard).toEqual([]);
  });
});

describe('what the desk calls', () => {
  const called = (url: string, apiUrl?: string) => fetchFrom(apiUrl)(url, { method: 'POST', body: '{}' });

  test.each([
    'https://evil.example/',
    'https://slack.com.evil.example/',
    'https://evilslack.com/',
    'http://hooks.slack.com/actions/T1/1/x',
    'https://hooks.slack.com:8443/actions',
    'https://hooks.slack.com@evil.example/',
    'http://169.254.169.254/latest/meta-data/',
    'file:///etc/passwd',
    'not an address',
  ])('is not %s', async (url) => {
    await expect(called(url)).rejects.toMatchObject({ code: 'FB_ERR_REFUSED' });
  });

  test('is only the configured Slack, if there is one, and never what it redirects to', async () => {
    await expect(called('https://hooks.slack.com/actions/T1/1/x', `${address}/api/`)).rejects.toMatchObject({
      code: 'FB_ERR_REFUSED',
    });
    expect((await called(`${address}/actions`, `${address}/api/`)).status).toBe(200);
    const onward = createServer((_request, response) => response.writeHead(307, { location: `${address}/redirected` }).end());
    await new Promise<void>((resolve) => onward.listen(0, '127.0.0.1', resolve));
    const at = onward.address();
    const from = `http://127.0.0.1:${typeof at === 'object' ? at?.port : 0}`;
    await expect(called(`${from}/x`, from)).rejects.toThrow();
    onward.close();
    expect(heard).toEqual(['/actions']);
  });
});
