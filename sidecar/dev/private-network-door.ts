import { connect, Server, type Socket } from 'node:net';
import { pipeline } from 'node:stream';

// Accepts on a listener made in another network, and leads to the same port of the loopback in this one.
const port = Number(process.argv[2]);

function lead(client: Socket): void {
  const server = connect(port, '127.0.0.1');
  for (const socket of [client, server]) socket.setNoDelay(true);
  pipeline(client, server, client, () => undefined);
}

process.once('message', (_, listener) => {
  if (!(listener instanceof Server)) throw new Error('no listener came');
  listener.on('connection', lead);
  process.send?.('open');
});
process.once('disconnect', () => process.exit());
