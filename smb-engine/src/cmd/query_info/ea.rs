//! Extended attributes, [MS-SMB2] 3.3.5.20.1, [MS-FSA] 2.1.5.12.15.

use bytes::Bytes;
use smb_proto::NtStatus;
use smb_proto::info::file::{EaFlags, FileFullEaInformation, FileGetEaInformation};
use smb_proto::msg::query_info::{self, QueryInfoFlags};
use smb_proto::wire::{ChainWriter, Writer};

use super::super::{CmdResult, Cx, Outcome, WRONG_REPLY};
use super::{output, room, waits};
use crate::core::Wake;
use crate::names::same_name;
use crate::status::Refusal;
use crate::vfs::{Capabilities, Ea, VfsOp, VfsReply};

/// Entries begin at multiples of 4 bytes.
const ALIGN: usize = 4;

/// Which attributes are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Which {
    /// Those of these names; ones that are not there are shown without value.
    Named(Vec<String>),
    /// All from this one on, counted from zero.
    From(usize),
}

/// What was asked.
#[derive(Debug)]
pub(crate) struct State {
    which: Which,
    single: bool,
    room: usize,
}

pub(super) fn start(cx: &mut Cx<'_>, request: &query_info::Request) -> CmdResult {
    let (_, tree) = cx.tree()?;
    if !tree
        .disk()
        .is_some_and(|s| s.capabilities.contains(Capabilities::EAS))
    {
        return Err(Refusal(NtStatus::EAS_NOT_SUPPORTED));
    }
    let file = cx.file_open()?;
    let handle = file.handle;
    let which = if !request.input.is_empty() {
        Which::Named(named(&request.input)?)
    } else if request.flags.contains(QueryInfoFlags::INDEX_SPECIFIED) {
        // EaIndex counts from one.
        let index = usize::try_from(request.additional_information).unwrap_or(usize::MAX);
        Which::From(
            index
                .checked_sub(1)
                .ok_or(Refusal(NtStatus::NONEXISTENT_EA_ENTRY))?,
        )
    } else if request.flags.contains(QueryInfoFlags::RESTART_SCAN) {
        Which::From(0)
    } else {
        Which::From(file.scan.next_ea)
    };
    let state = State {
        which,
        single: request.flags.contains(QueryInfoFlags::RETURN_SINGLE_ENTRY),
        room: room(request),
    };
    cx.ask_vfs(VfsOp::Eas { handle })?;
    Ok(waits(super::State::Ea(state)))
}

/// The names of a FILE_GET_EA_INFORMATION list.
fn named(input: &Bytes) -> Result<Vec<String>, Refusal> {
    FileGetEaInformation::parse_list(input)
        .map_err(|_| Refusal(NtStatus::EA_LIST_INCONSISTENT))?
        .into_iter()
        .map(|e| match std::str::from_utf8(&e.name) {
            Ok(name) if crate::names::valid_ea_name(name) => Ok(name.to_owned()),
            _ => Err(Refusal(NtStatus::INVALID_EA_NAME)),
        })
        .collect()
}

pub(super) fn resume(cx: &mut Cx<'_>, state: &State, wake: Wake) -> CmdResult {
    let VfsReply::Eas(all) = wake.vfs()? else {
        return Err(WRONG_REPLY);
    };
    let picked = pick(&all, &state.which)?;
    let filled = fill(&picked, state.single, state.room);
    if let Which::From(first) = state.which {
        cx.file_open_mut()?.scan.next_ea = first.saturating_add(filled.count);
    }
    if filled.count == 0 {
        return Err(Refusal(NtStatus::BUFFER_TOO_SMALL));
    }
    let body = output(filled.bytes);
    Ok(if filled.cut {
        Outcome::ReplyWith(NtStatus::BUFFER_OVERFLOW, body).into()
    } else {
        body.into()
    })
}

/// The entries to show, or why there are none.
fn pick(all: &[Ea], which: &Which) -> Result<Vec<FileFullEaInformation>, Refusal> {
    let entry = |ea: &Ea| FileFullEaInformation {
        flags: EaFlags::from_bits_retain(ea.flags),
        name: Bytes::copy_from_slice(ea.name.as_bytes()),
        value: ea.value.clone(),
    };
    match which {
        Which::Named(names) => Ok(names
            .iter()
            .map(|name| {
                all.iter().find(|ea| same_name(&ea.name, name)).map_or_else(
                    || FileFullEaInformation {
                        name: Bytes::copy_from_slice(name.as_bytes()),
                        ..FileFullEaInformation::default()
                    },
                    entry,
                )
            })
            .collect()),
        Which::From(_) if all.is_empty() => Err(Refusal(NtStatus::NO_EAS_ON_FILE)),
        Which::From(first) => {
            let rest: Vec<_> = all.iter().skip(*first).map(entry).collect();
            if rest.is_empty() {
                return Err(Refusal(NtStatus::NO_MORE_EAS));
            }
            Ok(rest)
        }
    }
}

struct Filled {
    bytes: Bytes,
    count: usize,
    /// Not everything fitted.
    cut: bool,
}

/// As many whole entries as fit.
fn fill(entries: &[FileFullEaInformation], single: bool, room: usize) -> Filled {
    let mut w = Writer::new();
    let mut chain = ChainWriter::new(ALIGN);
    let mut count = 0usize;
    let most = if single { 1 } else { entries.len() };
    for ea in entries.iter().take(most) {
        let needed = w
            .position()
            .next_multiple_of(ALIGN)
            .saturating_add(ea.encoded_len());
        if needed > room {
            break;
        }
        ea.encode_entry(&mut w, &mut chain);
        count = count.saturating_add(1);
    }
    Filled {
        bytes: w.into_inner().freeze(),
        count,
        cut: count < most,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eas() -> Vec<Ea> {
        ["A", "BB", "CCC"]
            .map(|name| Ea {
                flags: 0,
                name: name.to_owned(),
                value: Bytes::from(vec![7; name.len()]),
            })
            .to_vec()
    }

    #[test]
    fn whole_entries_only() {
        let all = pick(&eas(), &Which::From(0)).unwrap();
        let full = fill(&all, false, 1000);
        assert_eq!((full.count, full.cut), (3, false));
        let parsed = FileFullEaInformation::parse_list(&full.bytes).unwrap();
        assert_eq!(parsed, all);
        for room in 0..full.bytes.len() {
            let part = fill(&all, false, room);
            assert!(part.cut && part.count < 3 && part.bytes.len() <= room);
            let parsed = FileFullEaInformation::parse_list(&part.bytes).unwrap();
            assert_eq!(parsed[..], all[..part.count]);
        }
        let one = fill(&all, true, 1000);
        assert_eq!((one.count, one.cut), (1, false));
    }

    #[test]
    fn picks_by_name_and_place() {
        let named = pick(&eas(), &Which::Named(vec!["bb".into(), "x".into()])).unwrap();
        assert_eq!((&named[0].name[..], named[0].value.len()), (&b"BB"[..], 2));
        assert_eq!((&named[1].name[..], named[1].value.len()), (&b"x"[..], 0));
        assert_eq!(pick(&eas(), &Which::From(2)).unwrap().len(), 1);
        assert_eq!(
            pick(&eas(), &Which::From(3)).unwrap_err().0,
            NtStatus::NO_MORE_EAS
        );
        assert_eq!(
            pick(&[], &Which::From(0)).unwrap_err().0,
            NtStatus::NO_EAS_ON_FILE
        );
    }
}
