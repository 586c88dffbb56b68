//! FileBasicInformation, [MS-FSA] 2.1.5.15.2.

use smb_proto::dtyp::AccessMask;
use smb_proto::info::FileAttributes;
use smb_proto::info::file::FileBasicInformation;
use smb_proto::msg::change_notify::CompletionFilter;
use smb_proto::{FileTime, NtStatus};

use super::super::{CmdResult, Cx, WRONG_REPLY};
use super::{done, expect_done, malformed, needs, tell, waits};
use crate::core::{Wake, dir_lease, write_time};
use crate::vfs::{BasicChange, VfsOp, VfsReply};

/// A change on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) enum State {
    /// Asking for the write time that is to stay.
    Reading(Plan),
    /// Changing.
    Setting(Plan),
}

/// What one time of the request means ([MS-FSCC] 2.4.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    change: BasicChange,
    filter: CompletionFilter,
    /// What the request says about the write time.
    of_write: Asked,
    /// The same about the change time.
    of_change: Asked,
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
    let (change, of_change) = take(info.change_time, CompletionFilter::empty())?;
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
        of_write,
        of_change,
    })
}

pub(super) fn start(cx: &mut Cx<'_>, input: &[u8]) -> CmdResult {
    let info = FileBasicInformation::parse(input).map_err(malformed)?;
    needs(cx, AccessMask::FILE_WRITE_ATTRIBUTES)?;
    let file = cx.file_open()?;
    let (handle, node) = (file.handle, file.node);
    let plan = plan(&info, file.directory)?;
    // Whatever is asked for, an outstanding write shows first, as with Windows.
    write_time::settle(cx.core, node);
    if plan.of_write == Asked::Freeze || plan.of_change == Asked::Freeze {
        cx.ask_vfs(VfsOp::Stat { handle })?;
        return waits(super::State::Basic(State::Reading(plan)));
    }
    set(cx, plan)
}

fn set(cx: &mut Cx<'_>, plan: Plan) -> CmdResult {
    let mut change = plan.change;
    if change == BasicChange::default() {
        return finish(cx, plan);
    }
    let file = cx.file_open()?;
    let handle = file.handle;
    // Setting something else would move the change time on.
    if change.change.is_none() && plan.of_change != Asked::Thaw {
        change.change = file.frozen_change_time;
    }
    cx.ask_vfs(VfsOp::SetBasic { handle, change })?;
    waits(super::State::Basic(State::Setting(plan)))
}

pub(super) fn resume(cx: &mut Cx<'_>, state: State, wake: Wake) -> CmdResult {
    match state {
        State::Reading(plan) => {
            let VfsReply::Info(info) = wake.vfs()? else {
                return Err(WRONG_REPLY);
            };
            let write = write_time::shown(cx.core, info.node, info.write);
            let file = cx.file_open_mut()?;
            if plan.of_write == Asked::Freeze {
                file.frozen_write_time = Some(write);
            }
            if plan.of_change == Asked::Freeze {
                file.frozen_change_time = Some(info.change);
            }
            set(cx, plan)
        }
        State::Setting(plan) => {
            expect_done(wake)?;
            finish(cx, plan)
        }
    }
}

fn finish(cx: &mut Cx<'_>, plan: Plan) -> CmdResult {
    if matches!(plan.of_write, Asked::Set(_)) {
        let node = cx.file_open()?.node;
        write_time::reset(cx.core, node);
    }
    let file = cx.file_open_mut()?;
    for (asked, frozen) in [
        (plan.of_write, &mut file.frozen_write_time),
        (plan.of_change, &mut file.frozen_change_time),
    ] {
        match asked {
            Asked::Nothing | Asked::Freeze => {}
            Asked::Thaw => *frozen = None,
            Asked::Set(time) => *frozen = Some(time),
        }
    }
    if !plan.filter.is_empty() {
        tell(cx, plan.filter)?;
    } else if plan.change.change.is_some() {
        let (id, _) = cx.open()?;
        dir_lease::changed_through(cx.core, cx.now, id);
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
        assert_eq!(
            (p.filter, p.of_write),
            (CompletionFilter::empty(), Asked::Nothing)
        );
    }

    #[test]
    fn special_times() {
        let with = |n: i64| FileBasicInformation {
            last_write_time: FileTime(n.cast_unsigned()),
            ..info()
        };
        let p = plan(&with(-1), false).unwrap();
        assert_eq!((p.change.write, p.of_write), (None, Asked::Freeze));
        let p = plan(&with(-2), false).unwrap();
        assert_eq!((p.change.write, p.of_write), (None, Asked::Thaw));
        let p = plan(&with(5), false).unwrap();
        assert_eq!(p.change.write, Some(FileTime(5)));
        assert_eq!(p.of_write, Asked::Set(FileTime(5)));
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
