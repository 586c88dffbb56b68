//! FileBasicInformation, [MS-FSA] 2.1.5.15.2.

use smb_proto::dtyp::AccessMask;
use smb_proto::info::FileAttributes;
use smb_proto::info::file::FileBasicInformation;
use smb_proto::msg::change_notify::CompletionFilter;
use smb_proto::{FileTime, NtStatus};

use super::super::{CmdResult, Cx};
use super::{done, expect_done, malformed, needs, tell, waits};
use crate::core::Wake;
use crate::vfs::{BasicChange, VfsOp};

/// A change on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct State {
    filter: CompletionFilter,
    frozen: Option<bool>,
}

/// What one time of the request means ([MS-FSCC] 2.4.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// 0: leave it alone.
    Nothing,
    /// −1: implicit updates through this open stop.
    Freeze,
    /// −2: they go on.
    Thaw,
    /// This time; and it is the client's from now on.
    Set(FileTime),
}

fn asked(time: FileTime) -> Result<Asked, NtStatus> {
    match time.0.cast_signed() {
        0 => Ok(Asked::Nothing),
        -1 => Ok(Asked::Freeze),
        -2 => Ok(Asked::Thaw),
        n if n < 0 => Err(NtStatus::INVALID_PARAMETER),
        _ => Ok(Asked::Set(time)),
    }
}

/// A request taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    change: BasicChange,
    filter: CompletionFilter,
    /// Whether the write time stays what it is when data is written through this open.
    frozen: Option<bool>,
}

fn plan(info: &FileBasicInformation, directory: bool) -> Result<Plan, NtStatus> {
    let given = info.attributes;
    if given.contains(FileAttributes::DIRECTORY) && !directory
        || given.contains(FileAttributes::TEMPORARY) && directory
    {
        return Err(NtStatus::INVALID_PARAMETER);
    }
    let mut filter = CompletionFilter::empty();
    let mut take = |time: FileTime, flag: CompletionFilter| {
        let asked = asked(time)?;
        Ok::<_, NtStatus>(match asked {
            Asked::Set(t) => {
                filter |= flag;
                (Some(t), asked)
            }
            Asked::Nothing | Asked::Freeze | Asked::Thaw => (None, asked),
        })
    };
    let (creation, _) = take(info.creation_time, CompletionFilter::CREATION)?;
    let (access, _) = take(info.last_access_time, CompletionFilter::LAST_ACCESS)?;
    let (write, of_write) = take(info.last_write_time, CompletionFilter::LAST_WRITE)?;
    // No flag of the filter speaks of the change time.
    let (change, _) = take(info.change_time, CompletionFilter::empty())?;
    let attributes = (!given.is_empty()).then(|| given.difference(FileAttributes::NORMAL));
    if attributes.is_some() {
        filter |= CompletionFilter::ATTRIBUTES;
    }
    Ok(Plan {
        change: BasicChange {
            creation,
            access,
            write,
            change,
            attributes,
        },
        filter,
        frozen: match of_write {
            Asked::Nothing => None,
            Asked::Freeze | Asked::Set(_) => Some(true),
            Asked::Thaw => Some(false),
        },
    })
}

pub(super) fn start(cx: &mut Cx<'_>, input: &[u8]) -> CmdResult {
    let info = FileBasicInformation::parse(input).map_err(malformed)?;
    needs(cx, AccessMask::FILE_WRITE_ATTRIBUTES)?;
    let file = cx.file_open()?;
    let handle = file.handle;
    let plan = plan(&info, file.directory)?;
    let state = State {
        filter: plan.filter,
        frozen: plan.frozen,
    };
    if plan.change == BasicChange::default() {
        return finish(cx, state);
    }
    cx.ask_vfs(VfsOp::SetBasic {
        handle,
        change: plan.change,
    })?;
    waits(super::State::Basic(state))
}

pub(super) fn resume(cx: &mut Cx<'_>, state: State, wake: Wake) -> CmdResult {
    expect_done(wake)?;
    finish(cx, state)
}

fn finish(cx: &mut Cx<'_>, state: State) -> CmdResult {
    if let Some(frozen) = state.frozen {
        cx.file_open_mut()?.frozen_write_time = frozen;
    }
    if !state.filter.is_empty() {
        tell(cx, state.filter)?;
    }
    Ok(done())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info() -> FileBasicInformation {
        FileBasicInformation::default()
    }

    #[test]
    fn zero_leaves_everything_alone() {
        let p = plan(&info(), false).unwrap();
        assert_eq!(p.change, BasicChange::default());
        assert_eq!((p.filter, p.frozen), (CompletionFilter::empty(), None));
    }

    #[test]
    fn special_times() {
        let with = |n: i64| FileBasicInformation {
            last_write_time: FileTime(n.cast_unsigned()),
            ..info()
        };
        let p = plan(&with(-1), false).unwrap();
        assert_eq!((p.change.write, p.frozen), (None, Some(true)));
        let p = plan(&with(-2), false).unwrap();
        assert_eq!((p.change.write, p.frozen), (None, Some(false)));
        let p = plan(&with(5), false).unwrap();
        assert_eq!((p.change.write, p.frozen), (Some(FileTime(5)), Some(true)));
        assert_eq!(p.filter, CompletionFilter::LAST_WRITE);
        assert_eq!(plan(&with(-3), false), Err(NtStatus::INVALID_PARAMETER));
        assert_eq!(
            plan(&with(i64::MIN), false),
            Err(NtStatus::INVALID_PARAMETER)
        );
    }

    #[test]
    fn attributes_that_do_not_fit() {
        let with = |attributes| FileBasicInformation {
            attributes,
            ..info()
        };
        let directory = with(FileAttributes::DIRECTORY);
        let temporary = with(FileAttributes::TEMPORARY);
        assert!(plan(&directory, true).is_ok() && plan(&temporary, false).is_ok());
        for (info, of_directory) in [(directory, false), (temporary, true)] {
            assert_eq!(plan(&info, of_directory), Err(NtStatus::INVALID_PARAMETER));
        }
        // NORMAL alone takes all attributes away.
        let p = plan(&with(FileAttributes::NORMAL), false).unwrap();
        assert_eq!(p.change.attributes, Some(FileAttributes::empty()));
    }
}
