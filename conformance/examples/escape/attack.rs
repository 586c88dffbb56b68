//! What a client does while the tree changes under it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use driver_sim::client::{Random, ops};
use smb_proto::dtyp::{AccessMask, Ace, AceFlags, Acl, AclSlot, SecurityDescriptor, Sid};
use smb_proto::fsctl::FsctlCode;
use smb_proto::fsctl::reparse::{ReparsePoint, SymbolicLink, SymlinkFlags};
use smb_proto::id::FileId;
use smb_proto::info::file::{EaFlags, FileBasicInformation, FileFullEaInformation};
use smb_proto::info::{FileAttributes, FileInfoClass, SecurityInformation};
use smb_proto::msg::create::{self, CreateDisposition, CreateOptions};
use smb_proto::{FileTime, NtStatus};

use crate::client::{Client, bytes};

/// Directories that are links out of the share at some moments.
const DIRS: [&str; 8] = [
    "d",
    "l",
    "D",
    "L",
    "d\\sub",
    "L\\SUB",
    "deep\\a\\b",
    "DEEP\\A\\B\\c",
];
/// Files in them; `up` and `near` are links that lead out if `deep\a` is moved away.
const FILES: [&str; 7] = ["f", "F", "sub\\f", "c\\up", "c\\near", "up", "near"];

/// Rounds in which everything has to have succeeded at least once.
const ENOUGH: u64 = 3000;

/// Counts what was done, so that a suite that reaches nothing is seen to test nothing.
#[derive(Default)]
struct Done(BTreeMap<&'static str, u64>);

impl Done {
    fn count(&mut self, what: &'static str, good: bool) {
        *self.0.entry(what).or_default() += u64::from(good);
    }
}

/// Tries for so long.
pub(crate) fn run(client: &mut Client, time: Duration, outside: &str) {
    let end = Instant::now() + time;
    let mut random = Random::new(7);
    let mut done = Done::default();
    let mut round = 0_u64;
    while Instant::now() < end {
        round += 1;
        let mut pick = |n: usize| usize::try_from(random.below(n as u64)).unwrap_or(0);
        let dir = DIRS[pick(DIRS.len())];
        let other = DIRS[pick(DIRS.len())];
        let file = match pick(4) {
            0 => ["f", "fl", "F", "FL"][pick(4)].to_owned(),
            _ => format!("{dir}\\{}", FILES[pick(FILES.len())]),
        };
        let what = format!("round {round}, {file}");
        match pick(6) {
            0 | 1 => existing(client, &file, &what, round, &mut done),
            2 => list(client, dir, &mut done),
            3 => fresh(client, dir, other, round, &mut done),
            4 => reparse(client, dir, outside, round, &mut done),
            _ => replace(client, &file, &what, pick(3), &mut done),
        }
    }
    for (what, count) in &done.0 {
        println!("note {count} times {what}");
        // In a few rounds chance may leave something out.
        if *count == 0 && (round >= ENOUGH || ["opened", "made", "listed"].contains(what)) {
            client.fail(&format!("never {what}: nothing was tested"));
        }
    }
    println!("rounds {round}");
}

/// Everything that can be done with an open file.
fn existing(client: &mut Client, name: &str, what: &str, round: u64, done: &mut Done) {
    let opened = client.open(name, CreateDisposition::Open);
    done.count("opened", opened.is_some());
    let Some(file) = opened else { return };
    client.read(file, what);
    match round % 5 {
        0 => {
            let status = client.status(ops::write(file, 0, "inside"));
            done.count("written", status == NtStatus::SUCCESS);
        }
        1 => {
            let good = client.copy(file, &format!("copy{round}"), what);
            done.count("copied", good);
        }
        2 => {
            let ea = FileFullEaInformation {
                flags: EaFlags::empty(),
                name: Bytes::from_static(b"REACHED"),
                value: Bytes::from_static(b"1"),
            };
            let ea = bytes(|w| FileFullEaInformation::encode_list(&[ea], w));
            let status = client.status(ops::set_file(file, FileInfoClass::FullEa, ea));
            done.count("given an EA", status == NtStatus::SUCCESS);
        }
        3 => {
            let basic = FileBasicInformation {
                creation_time: FileTime(1 << 56),
                last_write_time: FileTime(1 << 56),
                attributes: FileAttributes::HIDDEN,
                ..FileBasicInformation::default()
            };
            let basic = bytes(|w| basic.encode(w));
            let status = client.status(ops::set_file(file, FileInfoClass::Basic, basic));
            done.count("given attributes", status == NtStatus::SUCCESS);
        }
        _ => {
            let everyone = Ace::allow(Sid::WORLD, AccessMask::FILE_ALL_ACCESS, AceFlags::empty());
            let descriptor = SecurityDescriptor {
                dacl: AclSlot::Acl(Acl::new(vec![everyone])),
                ..SecurityDescriptor::default()
            };
            let raw = bytes(|w| descriptor.encode(w)).to_vec();
            let set = ops::set_security(file, SecurityInformation::DACL, raw);
            let status = client.status(set);
            done.count("given a descriptor", status == NtStatus::SUCCESS);
        }
    }
    client.close(file);
}

fn list(client: &mut Client, dir: &str, done: &mut Done) {
    if let Ok(handle) = client.create(ops::open_dir(dir)) {
        for pattern in ["*", "f", "canary-name"] {
            let found = client.list(handle, pattern, &format!("list {dir} by {pattern}"));
            done.count("listed", found > 0);
        }
        client.close(handle);
    }
}

/// A new file or directory, written, renamed, linked and removed.
fn fresh(client: &mut Client, dir: &str, other: &str, round: u64, done: &mut Done) {
    let name = format!("{dir}\\new{round}");
    let directory = round.is_multiple_of(3);
    let request = if directory {
        ops::make_dir(&name)
    } else {
        ops::create(&name, CreateDisposition::Create)
    };
    let made = client.create(request);
    done.count("made", made.is_ok());
    let Ok(file) = made else { return };
    if !directory {
        client.status(ops::write(file, 0, "inside"));
    }
    let moved = format!("{other}\\moved{round}");
    let renamed = client.rename(file, &moved) == NtStatus::SUCCESS;
    done.count("renamed", renamed);
    let linked = format!("{other}\\link{round}");
    if client.link(file, &linked) == NtStatus::SUCCESS {
        done.count("linked", true);
        client.remove(&linked);
    } else {
        done.count("linked", false);
    }
    client.delete(file);
    // The directory may have been away when the name was to go.
    client.remove(if renamed { &moved } else { &name });
}

/// A link that the client itself makes, and what comes of opening through it.
fn reparse(client: &mut Client, dir: &str, outside: &str, round: u64, done: &mut Done) {
    let name = format!("{dir}\\point{round}");
    let directory = round.is_multiple_of(2);
    let request = if directory {
        ops::make_dir(&name)
    } else {
        ops::create(&name, CreateDisposition::Create)
    };
    let Ok(file) = client.create(request) else {
        return;
    };
    let (target, flags) = match round % 4 {
        0 => ("..\\..\\outside".to_owned(), SymlinkFlags::RELATIVE),
        1 => ("..\\..\\outside\\f".to_owned(), SymlinkFlags::RELATIVE),
        2 => (outside.replace('/', "\\"), SymlinkFlags::empty()),
        _ => (format!("\\??\\{outside}/f"), SymlinkFlags::empty()),
    };
    let status = set_link(client, file, &target, flags);
    done.count("made a link", status == NtStatus::SUCCESS);
    for through in [
        name.clone(),
        format!("{name}\\f"),
        format!("{name}\\sub\\f"),
    ] {
        if let Some(open) = client.open(&through, CreateDisposition::Open) {
            client.read(open, &through);
            client.close(open);
        }
    }
    client.delete(file);
    client.remove(&name);
}

pub(crate) fn set_link(
    client: &mut Client,
    file: FileId,
    target: &str,
    flags: SymlinkFlags,
) -> NtStatus {
    let point = ReparsePoint::SymbolicLink(SymbolicLink {
        substitute_name: target.to_owned(),
        print_name: target.to_owned(),
        flags,
    });
    let input = bytes(|w| point.to_buffer().encode(w));
    let code = FsctlCode::SET_REPARSE_POINT;
    client.status(ops::fsctl(file, code, input, 0))
}

/// Replaces or removes what a name stands for.
fn replace(client: &mut Client, name: &str, what: &str, how: usize, done: &mut Done) {
    let disposition = match how {
        0 => CreateDisposition::OverwriteIf,
        1 => CreateDisposition::Supersede,
        _ => CreateDisposition::OpenIf,
    };
    let request = create::Request {
        create_options: CreateOptions::NON_DIRECTORY_FILE,
        // An existing hidden file is replaced by a hidden one only.
        file_attributes: FileAttributes::HIDDEN,
        ..ops::create(name, disposition)
    };
    let opened = client.create(request);
    done.count("replaced", opened.is_ok());
    if let Ok(file) = opened {
        client.read(file, what);
        client.status(ops::write(file, 0, "inside"));
        if how == 2 {
            client.delete(file);
            // Somebody else will look for it.
            if let Some(again) = client.open(name, CreateDisposition::OpenIf) {
                client.close(again);
            }
        } else {
            client.close(file);
        }
    }
}
