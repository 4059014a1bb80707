/** Takes what is posted to it, and looks at nothing of it: `node event-sink.ts`, whose first line is its address. */
import { createServer } from 'node:http';
import { portOf } from '../../integrations/http-door.ts';

const server = createServer((request, response) => {
  request.resume();
  request.on('end', () => response.end());
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${portOf(server)}/events`));
