//! Quotas, [MS-SMB2] 3.3.5.20.4, [MS-FSA] 2.1.5.21.
//!
//! Told are those of the accounts that the server knows, or of the users that the client names. Who is
//! no administrator is told of himself only.

use std::collections::BTreeSet;

use smb_proto::NtStatus;
use smb_proto::dtyp::{FileTime, Sid};
use smb_proto::info::quota::{FileQuotaInformation, QueryQuotaInfo, QuotaSids};
use smb_proto::msg::query_info;
use smb_proto::wire::{ChainWriter, Writer};

use super::super::{CmdResult, Cx, WRONG_REPLY};
use super::{output, room, waits};
use crate::core::{Wake, quota};
use crate::output::{Completion, Query};
use crate::status::Refusal;
use crate::vfs::{Capabilities, Quota, QuotaLimits, VfsOp, VfsReply};

/// A question and what is awaited.
#[derive(Debug)]
pub(crate) struct State {
    room: usize,
    single: bool,
    at: At,
}

#[derive(Debug)]
enum At {
    /// The driver tells which accounts there are; those from here on are wanted.
    Accounts(Option<From>),
    /// The backend tells what it has of all.
    All,
    /// The backend tells what it has of these.
    Listed(Vec<Sid>),
}

/// Where a walk begins.
#[derive(Debug, Clone, Copy)]
enum From {
    /// With this user.
    At(Sid),
    /// Behind this user.
    Behind(Sid),
}

pub(super) fn start(cx: &mut Cx<'_>, request: &query_info::Request) -> CmdResult {
    let invalid = Refusal(NtStatus::INVALID_DEVICE_REQUEST);
    let (_, by) = quota::place(cx.open()?.1).ok_or(invalid)?;
    let disk = cx.tree()?.1.disk().ok_or(invalid)?;
    if !disk.capabilities.contains(Capabilities::QUOTAS) {
        return Err(Refusal(NtStatus::NOT_SUPPORTED));
    }
    let asked =
        QueryQuotaInfo::parse(&request.input).map_err(|_| Refusal(NtStatus::INVALID_PARAMETER))?;
    let own = matches!(&asked.sids, QuotaSids::List(list) if list.iter().all(|sid| *sid == by.sid));
    if !own && !by.is_administrator() {
        return Err(Refusal(NtStatus::ACCESS_DENIED));
    }
    let mut state = State {
        room: room(request),
        single: asked.return_single,
        at: At::All,
    };
    let from = match asked.sids {
        QuotaSids::List(list) => {
            state.at = At::Listed(list.clone());
            return ask(cx, state, list);
        }
        QuotaSids::From(sid) => Some(From::At(sid)),
        QuotaSids::All if asked.restart_scan => None,
        QuotaSids::All => {
            let walk = quota::walk(cx.open_mut()?).ok_or(WRONG_REPLY)?;
            walk.map(From::Behind)
        }
    };
    state.at = At::Accounts(from);
    cx.ask_accounts(Query::Accounts)?;
    Ok(waits(super::State::Quota(state)))
}

pub(super) fn resume(cx: &mut Cx<'_>, mut state: State, wake: Wake) -> CmdResult {
    match std::mem::replace(&mut state.at, At::All) {
        At::Accounts(from) => {
            let Wake::Completion(Completion::Accounts(accounts)) = wake else {
                return Err(WRONG_REPLY);
            };
            let sids: BTreeSet<Sid> = accounts
                .iter()
                .map(|account| account.sid)
                .filter(|sid| match from {
                    None => true,
                    Some(From::At(first)) => *sid >= first,
                    Some(From::Behind(last)) => *sid > last,
                })
                .collect();
            ask(cx, state, sids.into_iter().collect())
        }
        At::All => {
            let mut quotas = told(wake)?;
            quotas.sort_by_key(|q| q.sid);
            let (bytes, last) = pack(&state, &quotas)?;
            let walk = quota::walk(cx.open_mut()?).ok_or(WRONG_REPLY)?;
            *walk = Some(last);
            Ok(output(bytes).into())
        }
        At::Listed(list) => {
            let known = told(wake)?;
            // Who has none is told of all the same, with nothing in it.
            let one = |sid: Sid| {
                known
                    .iter()
                    .copied()
                    .find(|q| q.sid == sid)
                    .unwrap_or(Quota {
                        sid,
                        change: FileTime::ZERO,
                        used: 0,
                        limits: QuotaLimits {
                            threshold: Some(0),
                            limit: Some(0),
                        },
                    })
            };
            let quotas: Vec<Quota> = list.into_iter().map(one).collect();
            let (bytes, _) = pack(&state, &quotas)?;
            Ok(output(bytes).into())
        }
    }
}

fn ask(cx: &mut Cx<'_>, state: State, of: Vec<Sid>) -> CmdResult {
    let (backend, by) = quota::place(cx.open()?.1).ok_or(WRONG_REPLY)?;
    cx.ask_backend(backend, by, VfsOp::Quotas { of })?;
    Ok(waits(super::State::Quota(state)))
}

fn told(wake: Wake) -> Result<Vec<Quota>, Refusal> {
    match wake.vfs()? {
        VfsReply::Quotas(quotas) => Ok(quotas),
        _ => Err(WRONG_REPLY),
    }
}

/// As many entries as the client has room for, and whose the last of them is.
fn pack(state: &State, quotas: &[Quota]) -> Result<(bytes::Bytes, Sid), Refusal> {
    let mut w = Writer::new();
    let mut chain = ChainWriter::new(8);
    let mut last = None;
    for quota in quotas {
        let entry = entry(quota);
        let begin = w.position().next_multiple_of(8);
        if begin.saturating_add(entry.encoded_len()) > state.room {
            break;
        }
        entry.encode_entry(&mut w, &mut chain);
        last = Some(quota.sid);
        if state.single {
            break;
        }
    }
    match last {
        Some(last) => Ok((w.into_inner().freeze(), last)),
        None if quotas.is_empty() => Err(Refusal(NtStatus::NO_MORE_ENTRIES)),
        None => Err(Refusal(NtStatus::BUFFER_TOO_SMALL)),
    }
}

fn entry(quota: &Quota) -> FileQuotaInformation {
    let bytes = |n: Option<u64>| n.map_or(-1, |n| i64::try_from(n).unwrap_or(i64::MAX));
    FileQuotaInformation {
        change_time: quota.change,
        quota_used: bytes(Some(quota.used)),
        quota_threshold: bytes(quota.limits.threshold),
        quota_limit: bytes(quota.limits.limit),
        sid: quota.sid,
    }
}
