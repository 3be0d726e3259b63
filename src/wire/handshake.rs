//! The SP connection header, which both sides send at once when a stream is there.
//!
//! Eight bytes: `00 'S' 'P' 00`, the protocol as a big-endian `u16`, and two reserved zero bytes
//! (SP over TCP mapping, "Connection initiation").

/// Length of the header in bytes.
pub(crate) const HEADER_SIZE: usize = 8;

/// The header of a side that speaks `protocol`.
pub(crate) fn encode_header(protocol: u16) -> [u8; HEADER_SIZE] {
    let [high, low] = protocol.to_be_bytes();
    [0, b'S', b'P', 0, high, low, 0, 0]
}

/// The peer's header was wrong: it does not speak SP, or not this version of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadHeader;

/// The peer's header, as far as it has come.
#[derive(Debug, Default)]
pub(crate) struct Handshake {
    received: [u8; HEADER_SIZE],
    count: usize,
}

impl Handshake {
    /// Takes what it needs from the front of `input`; the answer is the peer's protocol once the
    /// header is whole.
    ///
    /// # Errors
    /// [`BadHeader`] at the first byte that is wrong.
    pub(crate) fn feed(&mut self, input: &mut &[u8]) -> Result<Option<u16>, BadHeader> {
        let (taken, rest) = input.split_at(input.len().min(HEADER_SIZE - self.count));
        *input = rest;
        for &byte in taken {
            let expected = match self.count {
                0 | 3 | 6 | 7 => Some(0),
                1 => Some(b'S'),
                2 => Some(b'P'),
                _ => None,
            };
            if expected.is_some_and(|expected| byte != expected) {
                return Err(BadHeader);
            }
            self.received[self.count] = byte;
            self.count += 1;
        }
        let whole = self.count == HEADER_SIZE;
        Ok(whole.then(|| u16::from_be_bytes([self.received[4], self.received[5]])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_may_come_byte_by_byte() {
        let mut handshake = Handshake::default();
        let header = encode_header(48);
        for byte in &header[..7] {
            assert_eq!(handshake.feed(&mut &[*byte][..]), Ok(None));
        }
        let mut rest = &[header[7], 0xaa, 0xbb][..];
        assert_eq!(handshake.feed(&mut rest), Ok(Some(48)));
        assert_eq!(rest, [0xaa, 0xbb]);
    }

    #[test]
    fn every_wrong_byte_is_refused_at_once() {
        for position in [0, 1, 2, 3, 6, 7] {
            let mut header = encode_header(16);
            header[position] ^= 0x41;
            let mut handshake = Handshake::default();
            assert_eq!(handshake.feed(&mut &header[..=position]), Err(BadHeader), "byte {position}");
        }
    }
}
