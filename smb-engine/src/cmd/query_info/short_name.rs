//! FileAlternateNameInformation, [MS-FSA] 2.1.5.12.2: the 8.3 name, which the backend tells in
//! listings only. So the directory is opened, asked for this one name, and closed.

use smb_proto::NtStatus;
use smb_proto::info::file::FileNameInformation;
use smb_proto::info::{FileInfoClass, QueryLen};
use smb_proto::wire::Writer;

use super::super::{CmdResult, Cx, WRONG_REPLY};
use super::{answer, waits};
use crate::core::Wake;
use crate::names::{Pattern, same_name, short_enough};
use crate::status::Refusal;
use crate::vfs::{DataAccess, DirItem, OpenHow, VfsHandle, VfsOp, VfsReply};

/// Which step is awaited.
#[derive(Debug)]
pub(crate) enum State {
    /// Opening the directory.
    Opening { room: usize },
    /// Listing the one name.
    Listing { room: usize, directory: VfsHandle },
    /// Closing the directory.
    Closing {
        room: usize,
        name: Result<String, Refusal>,
    },
}

const NONE: Refusal = Refusal(NtStatus::OBJECT_NAME_NOT_FOUND);

pub(super) fn start(cx: &mut Cx<'_>, room: usize) -> CmdResult {
    let file = cx.file_open()?;
    // The root has no name in the share.
    let parent = file.at.path.parent().ok_or(NONE)?;
    let (at, data) = (parent.into(), DataAccess::Read);
    let op = match file.snapshot {
        Some(taken) => VfsOp::OpenSnapshot { at, data, taken },
        None => VfsOp::Open {
            at,
            how: OpenHow {
                data,
                open_reparse: false,
            },
        },
    };
    cx.ask_vfs(op)?;
    Ok(waits(super::State::ShortName(State::Opening { room })))
}

pub(super) fn resume(cx: &mut Cx<'_>, state: State, wake: Wake) -> CmdResult {
    match state {
        State::Opening { room } => match wake.vfs()? {
            VfsReply::Opened(opened) => {
                let name = cx.file_open()?.at.path.file_name().to_owned();
                cx.ask_vfs(VfsOp::List {
                    handle: opened.handle,
                    restart: true,
                    pattern: Pattern::new(&name),
                    limit: 8,
                    security: false,
                })?;
                Ok(waits(super::State::ShortName(State::Listing {
                    room,
                    directory: opened.handle,
                })))
            }
            // Renamed away behind the server's back.
            VfsReply::Missing(_) => Err(NONE),
            _ => Err(WRONG_REPLY),
        },
        State::Listing { room, directory } => {
            let own = cx.file_open()?.at.path.file_name().to_owned();
            let name = match wake.vfs() {
                Ok(VfsReply::Listing(list)) => short_name(&own, &list.items),
                Ok(_) => Err(WRONG_REPLY),
                Err(refusal) => Err(refusal),
            };
            cx.ask_vfs(VfsOp::Close { handle: directory })?;
            Ok(waits(super::State::ShortName(State::Closing {
                room,
                name,
            })))
        }
        State::Closing { room, name } => {
            // Closing a directory that was only read can lose nothing.
            drop(wake);
            let mut w = Writer::new();
            FileNameInformation { name: name? }.encode(&mut w);
            let len = FileInfoClass::AlternateName
                .query_len()
                .unwrap_or(QueryLen::Variable(0));
            Ok(answer(cx, w.into_inner(), len, room))
        }
    }
}

/// The 8.3 name of `own`: what the backend keeps, or the name itself if it has that form already.
fn short_name(own: &str, items: &[DirItem]) -> Result<String, Refusal> {
    let item = items
        .iter()
        .find(|i| i.name == own)
        .or_else(|| items.iter().find(|i| same_name(&i.name, own)))
        .ok_or(NONE)?;
    if !item.short_name.is_empty() {
        return Ok(item.short_name.clone());
    }
    if short_enough(&item.name) {
        return Ok(item.name.to_ascii_uppercase());
    }
    Err(NONE)
}
