import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from '@jest/globals';
import { portOf } from '../../integrations/http-door.ts';
import { sendMail } from '../../integrations/mail.ts';

test('a mail server that keeps talking without answering times out, and its connection is closed', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write('220 mail\r\n');
    socket.once('data', () => {
      const talk = setInterval(() => socket.write('250-more\r\n'), 20);
      socket.on('close', () => clearInterval(talk));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const mail = { id: 'a', from: 'a@example.com', recipients: ['b@example.com'], subject: 's', text: 't', attachments: [] };
  const sent = sendMail({ host: '127.0.0.1', port: portOf(server), tls: 'none' }, mail, { withinMs: 1_500 });
  await expect(sent).rejects.toMatchObject({
    code: 'FB_ERR_UNAVAILABLE',
    detail: expect.stringMatching(/^127\.0\.0\.1:\d+ did not accept the mail: it took too long$/),
  });
  server.close();
  // Closes once no connection is left.
  await once(server, 'close');
});
