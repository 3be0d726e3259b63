//! Which peers a bound endpoint accepts, before anything is said to them.

use std::net::SocketAddr;

use crate::address::Networks;
use crate::pipe::Credentials;

/// The rules of a bound endpoint. Each holds for the transports that know what it asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Admission {
    /// `NN_TCP_ACCEPT`: the networks from which peers may connect.
    pub(crate) networks: Networks,
    /// `NN_IPC_PEER_UID`: the user id that a local peer must have.
    pub(crate) user: Option<u32>,
    /// `NN_IPC_PEER_GID`: the group id that a local peer must have.
    pub(crate) group: Option<u32>,
}

impl Admission {
    /// Whether a peer is accepted. It is looked at only if there are rules. A local peer without credentials has no
    /// user; a peer without a network address is in no network.
    pub(crate) fn admits(
        &self,
        is_local: bool,
        address: impl FnOnce() -> Option<SocketAddr>,
        credentials: impl FnOnce() -> Option<Credentials>,
    ) -> bool {
        if !is_local {
            return self.networks.are_all()
                || address().is_some_and(|address| self.networks.contain(address.ip()));
        }
        if self.user.is_none() && self.group.is_none() {
            return true;
        }
        credentials().is_some_and(|peer| {
            self.user.is_none_or(|user| user == peer.uid) && self.group.is_none_or(|group| group == peer.gid)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_peer_needs_both_the_user_and_the_group() {
        let rules = |user, group| Admission { user, group, ..Admission::default() };
        let peer = |uid, gid| Some(Credentials { pid: 1, uid, gid });
        for (admission, credentials, is_admitted) in [
            (rules(None, None), None, true),
            (rules(Some(5), None), peer(5, 1), true),
            (rules(Some(5), None), peer(6, 1), false),
            (rules(None, Some(1)), peer(6, 1), true),
            (rules(Some(5), Some(1)), peer(5, 2), false),
            (rules(Some(5), Some(1)), None, false),
        ] {
            assert_eq!(admission.admits(true, || None, || credentials), is_admitted, "{admission:?}");
        }
    }

    #[test]
    fn a_network_peer_must_be_in_one_of_the_networks() {
        let networks = Networks::parse(b"10.0.0.0/8, ::1").unwrap();
        let admission = Admission { networks, user: Some(5), group: None };
        for (address, is_admitted) in
            [("10.1.2.3:5", true), ("11.1.2.3:5", false), ("[::1]:5", true), ("[::ffff:10.0.0.1]:5", true)]
        {
            let address = address.parse().unwrap();
            assert_eq!(admission.admits(false, || Some(address), || None), is_admitted, "{address}");
        }
        assert!(!admission.admits(false, || None, || None));
    }
}
