//! The SP header, which both sides send as soon as a tcp or ipc connection is established.
//!
//! Eight bytes: `00 'S' 'P' 00`, the protocol as a big-endian `u16`, and two reserved zero bytes
//! (SP over TCP mapping, "Connection initiation").

/// Length of the SP header in bytes.
const SP_HEADER_SIZE: usize = 8;

/// The header of a socket with this protocol number.
pub(crate) fn encode_sp_header(protocol: u16) -> [u8; SP_HEADER_SIZE] {
    let [high, low] = protocol.to_be_bytes();
    [0, b'S', b'P', 0, high, low, 0, 0]
}

/// The peer's header is invalid: it does not speak SP, or not this version of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadSpHeader;

/// Parses the peer's header, of which any part may arrive at a time.
#[derive(Debug, Default)]
pub(crate) struct SpHeaderParser {
    received: [u8; SP_HEADER_SIZE],
    /// Bytes of `received` that have arrived.
    count: usize,
}

impl SpHeaderParser {
    /// Cuts bytes of the header off the front of `input`. Returns the peer's protocol number once the
    /// header is complete.
    ///
    /// # Errors
    /// [`BadSpHeader`] at the first invalid byte.
    pub(crate) fn feed(&mut self, input: &mut &[u8]) -> Result<Option<u16>, BadSpHeader> {
        let (taken, rest) = input.split_at(input.len().min(SP_HEADER_SIZE - self.count));
        *input = rest;
        for &byte in taken {
            let expected = match self.count {
                0 | 3 | 6 | 7 => Some(0),
                1 => Some(b'S'),
                2 => Some(b'P'),
                _ => None,
            };
            if expected.is_some_and(|expected| byte != expected) {
                return Err(BadSpHeader);
            }
            self.received[self.count] = byte;
            self.count += 1;
        }
        let is_complete = self.count == SP_HEADER_SIZE;
        Ok(is_complete.then(|| u16::from_be_bytes([self.received[4], self.received[5]])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_may_arrive_byte_by_byte() {
        let mut parser = SpHeaderParser::default();
        let header = encode_sp_header(48);
        for byte in &header[..7] {
            assert_eq!(parser.feed(&mut &[*byte][..]), Ok(None));
        }
        let mut rest = &[header[7], 0xaa, 0xbb][..];
        assert_eq!(parser.feed(&mut rest), Ok(Some(48)));
        assert_eq!(rest, [0xaa, 0xbb]);
    }

    #[test]
    fn every_invalid_byte_is_refused_at_once() {
        for position in [0, 1, 2, 3, 6, 7] {
            let mut header = encode_sp_header(16);
            header[position] ^= 0x41;
            let mut parser = SpHeaderParser::default();
            assert_eq!(parser.feed(&mut &header[..=position]), Err(BadSpHeader), "byte {position}");
        }
    }
}
