// The npm package ws in a conversation, with the arguments of conversation.c:
//
//     node conversation-ws.js pair|req|rep binary|text [ADDRESS]
//
// Certificates for wss are in the variables of our library.
'use strict';

const { readFileSync, readSync, writeSync } = require('node:fs');
const http = require('node:http');
const https = require('node:https');
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

const certificate = (variable) => readFileSync(process.env[variable]);

if (binds) {
  const { protocol, hostname } = new URL(wanted);
  const handleProtocols = (names) => (names.has(subprotocol) ? subprotocol : fail(`asked for ${[...names]}`));
  // A file with the certificate and the key.
  const identity = () => ({ cert: certificate('NN_TLS_CERT_FILE'), key: certificate('NN_TLS_CERT_FILE') });
  const server = protocol === 'wss:' ? https.createServer(identity()) : http.createServer();
  new WebSocketServer({ server, handleProtocols }).on('connection', talk);
  // Any free port.
  server.listen(0, hostname, () => writeSync(1, `${protocol}//${hostname}:${server.address().port}\n`));
} else {
  const address = readLine();
  talk(new WebSocket(address, subprotocol, address.startsWith('wss:') ? { ca: certificate('NN_TLS_CA_FILE') } : {}));
}
