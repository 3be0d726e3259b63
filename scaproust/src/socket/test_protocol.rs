//! A protocol that is not in the table of protocols: all that it takes is its row.

use super::{close, enter, open_protocol, recv, send};
use crate::message::{Outgoing, Payload};
use crate::protocol::{BUS, PAIR, ProtocolInfo};

/// As PAIR, but with other peers.
static LINK: ProtocolInfo = ProtocolInfo { number: 0x7f0, name: "link", peer: &LINK, ..PAIR };

#[test]
fn a_row_is_all_that_a_protocol_takes() {
    let folder = std::env::temp_dir().join(format!("nanomsg-link-{}", std::process::id()));
    let file = format!("ipc://{}", folder.display());
    for address in ["inproc://a-row-of-a-test", &file] {
        let sockets = [&LINK, &LINK, &BUS].map(|info| open_protocol(Some(info), false).unwrap());
        let [bound, connected, stranger] = sockets;
        enter(bound).unwrap().bind(address.as_bytes()).unwrap();
        enter(stranger).unwrap().connect(address.as_bytes()).unwrap();
        enter(connected).unwrap().connect(address.as_bytes()).unwrap();
        // With the BUS socket for a peer, the bound one would have no place for it.
        assert_eq!(send(connected, &mut Outgoing::new(Payload::Borrowed(b"x")), false), Ok(()));
        assert_eq!(recv(bound, false, |received| received.length()), Ok(1));
        for socket in sockets {
            close(socket).unwrap();
        }
    }
}
