// The npm package ws in a conversation, with the arguments of conversation.c:
//
//     node conversation-ws.js pair|req|rep binary|text [ADDRESS]
'use strict';

const { readSync, writeSync } = require('node:fs');
const { WebSocket, WebSocketServer } = require('ws');
const { converse } = require('./conversation.js');

const [role, kind, wanted] = process.argv.slice(2);
const others = { pair: 'pair', req: 'rep', rep: 'req' };
const binds = wanted !== undefined;
// The name of the bound side.
const subprotocol = `${binds ? role : others[role]}.sp.nanomsg.org`;

function fail(reason) {
  console.error(reason);
  process.exit(1);
}

function talk(socket) {
  socket.on('error', ({ message }) => fail(message));
  if (socket.protocol && socket.protocol !== subprotocol) fail(`the subprotocol is ${socket.protocol}`);
  const asks = role === 'req' || (role === 'pair' && binds);
  converse(socket, role, asks, kind === 'text', (trouble) => (trouble ? fail(trouble) : process.exit(0)));
}

// The first line of stdin.
function readLine() {
  const byte = Buffer.alloc(1);
  for (let line = ''; ; line += byte) {
    if (readSync(0, byte) !== 1) fail('the other side has gone');
    if (byte[0] === 10) return line;
  }
}

if (binds) {
  const { hostname } = new URL(wanted);
  const handleProtocols = (names) => (names.has(subprotocol) ? subprotocol : fail(`asked for ${[...names]}`));
  // Any free port.
  const server = new WebSocketServer({ host: hostname, port: 0, handleProtocols });
  server.on('connection', talk);
  server.on('listening', () => writeSync(1, `ws://${hostname}:${server.address().port}\n`));
} else {
  talk(new WebSocket(readLine(), subprotocol));
}
