//! What the byte vectors have in common.

use driver_sim::client::{ClientConfig, Part, Target};
use driver_sim::pair::{Builder, End, Pair, Tree};
use smb_engine::Fault;
use smb_engine::output::CloseReason;
use smb_proto::header::HEADER_LEN;
use smb_proto::id::MessageId;
use smb_proto::wire::Writer;
use smb_proto::{Command, Header, NtStatus, msg};

pub(crate) const INVALID: NtStatus = NtStatus::INVALID_PARAMETER;

/// Plays a scenario in two equal worlds: nothing is left in either after everybody has gone, and the
/// server has said the same in both, byte for byte.
pub(crate) fn twice(scenario: impl Fn(&mut Pair)) {
    twice_in(Pair::builder, scenario);
}

/// As [`twice`], with a server of one's own.
pub(crate) fn twice_in(world: impl Fn() -> Builder, scenario: impl Fn(&mut Pair)) {
    let play = || {
        let mut pair = world().build();
        scenario(&mut pair);
        pair.finish();
        (pair.trace(), pair.fs().tree())
    };
    let (first, second) = (play(), play());
    assert_eq!(first.1, second.1, "the second run has left other files");
    assert!(first.0 == second.0, "the second run was answered otherwise");
}

/// A request's body, without header.
pub(crate) fn body(request: impl Into<msg::Request>) -> Vec<u8> {
    let request = request.into();
    let mut w = Writer::new();
    Header::request(request.command(), MessageId(0)).encode(&mut w);
    request.encode(&mut w);
    w.written()[HEADER_LEN..].to_vec()
}

/// The same bytes with others in place of some.
pub(crate) fn patched(mut bytes: Vec<u8>, changes: &[(usize, &[u8])]) -> Vec<u8> {
    for (at, new) in changes {
        bytes[*at..at + new.len()].copy_from_slice(new);
    }
    bytes
}

/// Sends a body behind a header that is in order, and gives the status of the answer.
pub(crate) fn ask(
    pair: &mut Pair,
    tree: Tree,
    command: Command,
    body: impl Into<Vec<u8>>,
) -> NtStatus {
    ask_for(pair, tree.end, tree.target, command, body)
}

/// As [`ask`], for requests that are about no tree connect.
pub(crate) fn ask_for(
    pair: &mut Pair,
    end: End,
    target: Target,
    command: Command,
    body: impl Into<Vec<u8>>,
) -> NtStatus {
    let part = Part::raw(target, command.into(), body.into().into());
    pair.call_part(end, part).status()
}

/// The server has closed the connection because of these bytes, and has not answered them.
pub(crate) fn closed_without_answer(pair: &mut Pair, end: End) -> Fault {
    pair.run();
    assert_eq!(pair.fault(end), None, "something was answered");
    match pair.close_reason(end) {
        Some(CloseReason::Fault(fault)) => fault.clone(),
        other => panic!("closed: {other:?}"),
    }
}

/// How far a client has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Connected, nothing sent.
    Fresh,
    /// Negotiated.
    Negotiated,
    /// Logged on, with a tree connect.
    Mounted,
}

impl Stage {
    pub(crate) const ALL: [Self; 3] = [Self::Fresh, Self::Negotiated, Self::Mounted];

    /// A new client that has come this far.
    pub(crate) fn reach(self, pair: &mut Pair) -> End {
        match self {
            Self::Fresh => pair.accept(ClientConfig::default()),
            Self::Negotiated => pair.connect(),
            Self::Mounted => pair.mount().end,
        }
    }
}
