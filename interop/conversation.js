// One side of a conversation over a WebSocket, in a browser or on node. The other side is
// conversation.c, which describes it. This side uses no messaging library, and so puts the
// four bytes of the request's number in front of each request and reply itself.
'use strict';

const SIZES = [0, 1, 125, 126, 65535, 65536, 100000, 3000000];
// The answer to the first message has this number.
const ANSWERS = 7;

const utf8 = new TextEncoder();

// The content of a message, which identifies it.
function letters(number, size) {
  return Uint8Array.from({ length: size }, (_, place) => 97 + (place + size + number) % 23);
}

function join(header, body) {
  const joined = new Uint8Array(header.length + body.length);
  joined.set(header);
  joined.set(body, header.length);
  return joined;
}

function isEqual(one, other) {
  return one.length === other.length && one.every((byte, place) => byte === other[place]);
}

// Plays the role: "pair" or "rep", which answer, or "req", which asks; a "pair" also asks when
// `asks` is true. `text` is whether to send text messages. Calls `done` at the end of the
// conversation, with the error if there was one; the other side gets the error too.
function converse(socket, role, asks, text, done) {
  const headerSize = role === 'pair' ? 0 : 4;
  const queue = [
    utf8.encode('hello'),
    ...SIZES.map((size, number) => letters(number, size)),
    utf8.encode('end'),
  ];
  let turn = 0;
  let trouble = 'the connection ended before the conversation';

  function send(header, body) {
    const bytes = join(header, body);
    socket.send(text ? new TextDecoder('utf-8', { fatal: true }).decode(bytes) : bytes);
  }

  // The number of a request, with the first bit set, which marks the last word of the header.
  // In text messages the number must be UTF-8.
  function headerOf(number) {
    if (headerSize === 0) return new Uint8Array(0);
    return text ? utf8.encode('\u0080' + String(number).padStart(2, '0')) : Uint8Array.of(0x80, 1, 2, number);
  }

  function sendNext() {
    send(headerOf(turn), queue[turn]);
  }

  function expectedAnswer() {
    const isNumbered = turn > 0 && turn <= SIZES.length;
    const body = isNumbered ? letters(ANSWERS + turn - 1, SIZES[turn - 1]) : queue[turn];
    return join(headerOf(turn), body);
  }

  function takeAnswer(bytes) {
    if (!isEqual(bytes, expectedAnswer())) throw new Error(`answer ${turn} is not as expected`);
    turn += 1;
    if (turn < queue.length) {
      sendNext();
    } else {
      trouble = null;
      send(headerOf(turn), utf8.encode('bye'));
    }
  }

  function answer(bytes) {
    const header = bytes.subarray(0, headerSize);
    const body = bytes.subarray(headerSize);
    const isWord = (word) => isEqual(body, utf8.encode(word));
    if (isWord('bye')) {
      done(trouble);
      return;
    }
    if (isWord('hello') || isWord('end')) {
      if (isWord('end') && turn > 0) trouble = null;
      send(header, body);
      return;
    }
    if (!isEqual(body, letters(turn, body.length))) throw new Error(`not message ${turn}`);
    send(header, letters(ANSWERS + turn, body.length));
    turn += 1;
  }

  socket.binaryType = 'arraybuffer';
  socket.onmessage = ({ data }) => {
    try {
      // A reply is never a text, even to a text request: the other side chooses the type.
      if ((typeof data === 'string') !== (text && role === 'pair')) throw new Error('the wrong type of message');
      const bytes = typeof data === 'string' ? utf8.encode(data) : new Uint8Array(data);
      if (asks) takeAnswer(bytes);
      else answer(bytes);
    } catch (error) {
      trouble = error.message;
      send(headerOf(turn), utf8.encode(trouble));
      socket.close();
    }
  };
  socket.onclose = () => done(trouble);
  const begin = () => { if (asks) sendNext(); };
  if (socket.readyState === 1) begin();
  else socket.onopen = begin;
}

if (typeof module !== 'undefined') module.exports = { converse };
