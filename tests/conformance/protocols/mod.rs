//! The checks for every protocol, raw and cooked.

mod alone;
mod crowd;
mod descriptors;
mod devices;
mod flow;
mod headers;
mod options;
mod peers;

/// The roles, by the names that the tests have.
mod roles {
    use crate::role::{Role, SocketType};

    macro_rules! roles {
        ($($socket_type:ident: $cooked:ident $raw:ident;)*) => {
            $(pub(super) const fn $cooked() -> Role {
                Role::cooked(SocketType::$socket_type)
            }
            pub(super) const fn $raw() -> Role {
                Role::raw(SocketType::$socket_type)
            })*

            #[test]
            fn every_role_is_listed() {
                assert_eq!([$(SocketType::$socket_type),*], SocketType::ALL);
            }
        };
    }

    roles! {
        Pair: pair raw_pair;
        PairV1: pair1 raw_pair1;
        Pub: publ raw_pub;
        Sub: sub raw_sub;
        Req: req raw_req;
        Rep: rep raw_rep;
        Push: push raw_push;
        Pull: pull raw_pull;
        Surveyor: surveyor raw_surveyor;
        Respondent: respondent raw_respondent;
        Bus: bus raw_bus;
        Star: star raw_star;
    }
}

/// The checks for some roles: `some_roles!([role …] check …)`.
macro_rules! some_roles {
    ($roles:tt $($check:ident)*) => {
        $crate::cases! { $crate::protocols::roles: $roles $($check)* }
    };
}
use some_roles;

/// The checks for every role.
macro_rules! every_role {
    ($($check:ident)*) => {
        $crate::protocols::some_roles! {
            [pair raw_pair pair1 raw_pair1 publ raw_pub sub raw_sub req raw_req rep raw_rep push raw_push pull raw_pull
             surveyor raw_surveyor respondent raw_respondent bus raw_bus star raw_star]
            $($check)*
        }
    };
}
use every_role;

/// The checks for roles that receive.
macro_rules! every_receiver {
    ($($check:ident)*) => {
        $crate::protocols::some_roles! {
            [pair raw_pair pair1 raw_pair1 sub raw_sub req raw_req rep raw_rep pull raw_pull
             surveyor raw_surveyor respondent raw_respondent bus raw_bus star raw_star]
            $($check)*
        }
    };
}
use every_receiver;

/// The checks for roles that send.
macro_rules! every_sender {
    ($($check:ident)*) => {
        $crate::protocols::some_roles! {
            [pair raw_pair pair1 raw_pair1 publ raw_pub req raw_req rep raw_rep push raw_push
             surveyor raw_surveyor respondent raw_respondent bus raw_bus star raw_star]
            $($check)*
        }
    };
}
use every_sender;

/// The checks for raw roles.
macro_rules! every_raw_role {
    ($($check:ident)*) => {
        $crate::protocols::some_roles! {
            [raw_pair raw_pair1 raw_pub raw_sub raw_req raw_rep raw_push raw_pull raw_surveyor raw_respondent raw_bus raw_star]
            $($check)*
        }
    };
}
use every_raw_role;
