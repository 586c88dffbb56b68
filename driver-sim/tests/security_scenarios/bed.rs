//! What the scenarios have in common.

use driver_sim::client::{ClientConfig, Credentials, LogonFor, Target};
use driver_sim::explore::Bed;
use driver_sim::pair::{Builder, End, Pair, Tree};
use smb_proto::Dialect;
use smb_proto::msg::negotiate::GlobalCapabilities;

pub(crate) use smb_proto::NtStatus as S;

pub(crate) fn user() -> Credentials {
    Credentials::new("user", "secret")
}

pub(crate) fn other() -> Credentials {
    Credentials::new("other", "secret")
}

pub(crate) fn wrong() -> Credentials {
    Credentials::new("user", "wrong")
}

/// A client that signs everything and can use several connections.
pub(crate) fn channel(seed: u64) -> ClientConfig {
    ClientConfig {
        seed,
        capabilities: GlobalCapabilities::LARGE_MTU
            | GlobalCapabilities::ENCRYPTION
            | GlobalCapabilities::MULTI_CHANNEL,
        ..ClientConfig::only(Dialect::Smb311).signing()
    }
}

/// A server that several connections of one session may come to.
pub(crate) fn many_channels() -> Builder {
    Pair::builder().config(|c| c.multichannel = true)
}

/// The first channel of a session, and a connection of the same client that is not bound to it yet.
pub(crate) fn first_channel(pair: &mut Pair) -> (Tree, End) {
    let first = pair.connect_as(channel(1));
    let tree = pair.mount_on(first);
    (tree, pair.connect_as(channel(2)))
}

/// What a connection needs to be bound to the session of `tree`.
pub(crate) fn binding(pair: &mut Pair, tree: Tree) -> LogonFor {
    let exported = pair.client(tree.end).export(tree.target.session);
    LogonFor::Bind(exported.expect("a session with a key"))
}

/// A session with two channels: the same tree connect on both.
pub(crate) fn two_channels(pair: &mut Pair) -> [Tree; 2] {
    let (tree, second) = first_channel(pair);
    let purpose = binding(pair, tree);
    pair.logon_for(second, user(), purpose).unwrap();
    [
        tree,
        Tree {
            end: second,
            ..tree
        },
    ]
}

/// A session without tree connect, as a seat in a scenario.
pub(crate) fn seat(end: End) -> Tree {
    Tree {
        end,
        target: Target::NONE,
    }
}

/// A world with two channels of one session.
pub(crate) fn channels_bed(builder: Builder) -> Bed {
    let mut pair = builder.build();
    let trees = two_channels(&mut pair);
    Bed::of(pair, trees)
}
