//! The socket types.

use super::definition::id;

/// A socket type. `main.rs` opens the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SocketType {
    Push,
    Pull,
    Pub,
    Sub,
    Req,
    Rep,
    Surveyor,
    Respondent,
    Bus,
    Pair,
    PairV1,
    Star,
}

impl SocketType {
    /// All types, in the order of the help text.
    pub(crate) const ALL: [SocketType; 12] = [
        SocketType::Push,
        SocketType::Pull,
        SocketType::Pub,
        SocketType::Sub,
        SocketType::Req,
        SocketType::Rep,
        SocketType::Surveyor,
        SocketType::Respondent,
        SocketType::Bus,
        SocketType::Pair,
        SocketType::PairV1,
        SocketType::Star,
    ];

    /// The option that selects the type, without its dashes. A link to the program with the name `nn_`
    /// and this option selects the type as well.
    pub(crate) const fn option(self) -> &'static str {
        match self {
            SocketType::Push => "push",
            SocketType::Pull => "pull",
            SocketType::Pub => "pub",
            SocketType::Sub => "sub",
            SocketType::Req => "req",
            SocketType::Rep => "rep",
            SocketType::Surveyor => "surveyor",
            SocketType::Respondent => "respondent",
            SocketType::Bus => "bus",
            SocketType::Pair => "pair",
            SocketType::PairV1 => "pair1",
            SocketType::Star => "star",
        }
    }

    /// The description in the help text.
    pub(crate) const fn help(self) -> &'static str {
        match self {
            SocketType::Push => "Send each message to one of the peers",
            SocketType::Pull => "Receive from --push sockets",
            SocketType::Pub => "Send each message to all subscribers",
            SocketType::Sub => "Receive published messages",
            SocketType::Req => "Send requests, and receive replies",
            SocketType::Rep => "Receive requests, and reply if there is something to send",
            SocketType::Surveyor => "Send surveys to all peers, and receive their answers",
            SocketType::Respondent => "Receive surveys, and answer if there is something to send",
            SocketType::Bus => "Send to all peers, and receive from all",
            SocketType::Pair => "Send to one peer, and receive from it",
            SocketType::PairV1 => "The same, with a hop count in each message",
            SocketType::Star => "The same as --bus, and forward to all others",
        }
    }

    /// Whether it can send.
    pub(crate) const fn sends(self) -> bool {
        !matches!(self, SocketType::Pull | SocketType::Sub)
    }

    /// Whether it can receive.
    pub(crate) const fn receives(self) -> bool {
        !matches!(self, SocketType::Push | SocketType::Pub)
    }

    /// Whether it needs something to send.
    pub(crate) const fn must_send(self) -> bool {
        matches!(self, SocketType::Push | SocketType::Pub | SocketType::Req | SocketType::Surveyor)
    }

    /// The options that this type does not allow, each with the reason.
    pub(crate) fn refused(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let sending = (!self.sends()).then_some((id::SENDING, "only receives"));
        let receiving = (!self.receives()).then_some((id::RECEIVING, "only sends"));
        let answers =
            matches!(self, SocketType::Req | SocketType::Rep | SocketType::Surveyor | SocketType::Respondent);
        let dropping = answers.then_some((id::DROPPING, "keeps all messages"));
        let is_topical = matches!(self, SocketType::Pub | SocketType::Sub);
        let filtering = (!is_topical).then_some((&[id::PREFILTER][..], "has no subscriptions"));
        let subscribing = (self != SocketType::Sub).then_some((&[id::SUBSCRIBE][..], "has no subscriptions"));
        [sending, receiving, dropping, filtering, subscribing]
            .into_iter()
            .flatten()
            .flat_map(|(options, why)| options.iter().map(move |option| (*option, why)))
    }
}
