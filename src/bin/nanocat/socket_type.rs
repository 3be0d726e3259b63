//! The socket types that one can ask for.

use super::definition::id;

/// A socket type. A further one is a line here, and one where sockets are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
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
}

impl Kind {
    /// Every type there is, in the order of the help text.
    pub const ALL: [Kind; 10] = [
        Kind::Push,
        Kind::Pull,
        Kind::Pub,
        Kind::Sub,
        Kind::Req,
        Kind::Rep,
        Kind::Surveyor,
        Kind::Respondent,
        Kind::Bus,
        Kind::Pair,
    ];

    /// The option that asks for it, without its dashes. With `nn_` in front, it is the name under
    /// which the program is of that type without being asked.
    pub const fn option(self) -> &'static str {
        match self {
            Kind::Push => "push",
            Kind::Pull => "pull",
            Kind::Pub => "pub",
            Kind::Sub => "sub",
            Kind::Req => "req",
            Kind::Rep => "rep",
            Kind::Surveyor => "surveyor",
            Kind::Respondent => "respondent",
            Kind::Bus => "bus",
            Kind::Pair => "pair",
        }
    }

    /// What it does, for the help text.
    pub const fn help(self) -> &'static str {
        match self {
            Kind::Push => "Hand messages out, each to one of the peers",
            Kind::Pull => "Take messages that are handed out",
            Kind::Pub => "Publish messages to all subscribers",
            Kind::Sub => "Receive what is published",
            Kind::Req => "Send requests, and receive the replies",
            Kind::Rep => "Receive requests, and reply if there is something to send",
            Kind::Surveyor => "Ask all peers, and receive their answers",
            Kind::Respondent => "Receive surveys, and answer if there is something to send",
            Kind::Bus => "Send to all peers, and receive from all",
            Kind::Pair => "Talk to one peer",
        }
    }

    /// Whether it sends at all.
    pub const fn sends(self) -> bool {
        !matches!(self, Kind::Pull | Kind::Sub)
    }

    /// Whether it receives at all.
    pub const fn receives(self) -> bool {
        !matches!(self, Kind::Push | Kind::Pub)
    }

    /// Whether it makes no sense without something to send.
    pub const fn must_send(self) -> bool {
        matches!(self, Kind::Push | Kind::Pub | Kind::Req | Kind::Surveyor)
    }

    /// The options that this type does not take, and why not.
    pub fn refused(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let sending = (!self.sends()).then_some((id::SENDING, "only receives"));
        let receiving = (!self.receives()).then_some((id::RECEIVING, "only sends"));
        let subscribing = (self != Kind::Sub).then_some((&[id::SUBSCRIBE][..], "has no subscriptions"));
        [sending, receiving, subscribing]
            .into_iter()
            .flatten()
            .flat_map(|(options, why)| options.iter().map(move |option| (*option, why)))
    }
}
