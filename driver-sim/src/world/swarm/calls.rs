//! Requests about files, chosen at random.

use super::super::dice::Dice;
use super::super::request::{FILE, FILE_SYSTEM, SECURITY};
use super::super::step::{Call, Control, LeaseAsked, Set};
use super::{Kind, Mix, State};

/// Names that are directories in the beginning, or are made as such.
const DIRECTORIES: [u8; 3] = [4, 7, 12];

fn offset(d: &mut Dice, mix: &Mix) -> u64 {
    if d.chance(1, 50) {
        return d.pick(&[u64::MAX, i64::MAX as u64, 1 << 62, 1 << 40]);
    }
    let n = d.below(mix.reach);
    if d.chance(1, 2) { n & !7 } else { n }
}

fn length(d: &mut Dice, mix: &Mix) -> u32 {
    let n = u32::try_from(d.below(u64::from(mix.longest) + 1)).unwrap_or(0);
    // Mostly short: long ones cost time and say little more.
    if d.chance(1, 8) { n } else { n.min(600) }
}

fn lease_of(d: &mut Dice, name: u8) -> LeaseAsked {
    let key = if d.chance(1, 20) { 99 } else { name };
    LeaseAsked {
        key,
        state: d.pick(&[7, 7, 7, 3, 3, 5, 1, 0, 2, 4]),
        epoch: d.chance(2, 3).then(|| u16::from(d.small(4))),
    }
}

/// A CREATE; `state` learns what it probably opens.
fn open(d: &mut Dice, mix: &Mix, state: &mut State) -> Call {
    let all = 0x001f_01ff;
    let (access, share) = if mix.friendly && d.chance(9, 10) {
        (all, 7)
    } else {
        let access = d.pick(&[
            all,
            all,
            1,
            2,
            3,
            3,
            0x0001_0000,
            0x0001_0001,
            0x80,
            0x8000_0000,
            0xc000_0000,
            0x4000_0000,
            0x0200_0000,
        ]);
        (access, d.pick(&[7, 7, 7, 7, 0, 1, 2, 3, 4, 5, 6]))
    };
    let name = d.pick(&mix.names);
    let directory = DIRECTORIES.contains(&name) || name == 16;
    let mut options = match (directory, d.below(12)) {
        (_, 0) => d.pick(&[0x40, 1]),
        (true, _) => d.pick(&[0, 1]),
        (false, _) => d.pick(&[0, 0x40]),
    };
    if d.chance(1, 10) {
        options |= 0x1000;
    }
    if d.chance(1, 40) {
        options |= d.pick(&[
            0x2,
            0x4,
            0x8,
            0x20,
            0x100,
            0x2000,
            0x4000,
            0x0020_0000,
            0x0080_0000,
        ]);
    }
    let disposition = match (directory, d.below(60)) {
        (_, 0) => 9,
        (true, 1..=50) => d.pick(&[1, 3, 3, 2]),
        _ => d.pick(&[1, 1, 3, 3, 3, 3, 2, 5, 0, 4]),
    };
    let slot = d.small(super::SLOTS);
    state.files.insert(slot, directory);
    let (oplock, lease) = match d.below(if mix.caching { 8 } else { 2 }) {
        0 | 1 if !mix.caching => (d.pick(&[0, 0, 1, 8, 9]), None),
        0..=2 => (d.pick(&[0, 1, 8, 9, 9]), None),
        // Mostly the same key for one name, as clients do.
        _ => (0xff, Some(lease_of(d, name))),
    };
    let (oplock, lease) = if mix.caching {
        (oplock, lease)
    } else {
        (0, None)
    };
    let durable = (mix.caching && d.chance(1, 2)).then(|| d.pick(&[0, 20, 500, 3000]));
    Call::Open {
        slot,
        name,
        disposition,
        access,
        share,
        options,
        oplock,
        contexts: mix.caching || d.chance(1, 8),
        lease,
        durable,
    }
}

/// A request of this kind, on a file that is probably open.
pub(super) fn call(d: &mut Dice, mix: &Mix, state: &mut State, kind: Kind) -> Call {
    let wants_directory = matches!(kind, Kind::List | Kind::Notify);
    let slot = state.slot(d, wants_directory);
    match kind {
        Kind::Close => {
            if d.chance(9, 10) {
                state.files.remove(&slot);
            }
            Call::Close {
                slot,
                attributes: d.chance(1, 2),
            }
        }
        Kind::Read => Call::Read {
            slot,
            offset: offset(d, mix),
            len: length(d, mix),
            minimum: if d.chance(1, 8) {
                1 + u32::from(d.small(200))
            } else {
                0
            },
        },
        Kind::Write => Call::Write {
            slot,
            offset: offset(d, mix),
            len: length(d, mix),
            fill: d.small(255),
            through: d.chance(1, 6),
        },
        Kind::Flush => Call::Flush { slot },
        Kind::Lock => lock(d, slot),
        Kind::List => Call::List {
            slot,
            class: d.pick(&[1, 2, 3, 12, 37, 38, 37, 99]),
            flags: d.pick(&[0, 0, 1, 2, 3, 0x10]),
            pattern: d.small(6),
            len: d
                .pick(&[65536, 4096, 300, 100, 0])
                .min(mix.longest.max(300)),
        },
        Kind::Notify => Call::Notify {
            slot,
            filter: d.pick(&[0xfff, 3, 0x10, 1, 0]),
            tree: d.chance(1, 2),
            len: d.pick(&[4096, 4096, 64, 0]),
        },
        Kind::Query => query(d, slot),
        Kind::Set => Call::Set {
            slot,
            set: match d.below(6) {
                0 | 1 => Set::Size(offset(d, mix)),
                2 => Set::Allocation(offset(d, mix)),
                3 => Set::Attributes(d.pick(&[0x80, 0x20, 1, 2, 0x100, 0x10])),
                4 => Set::Ea(d.pick(&[0, 5, 200])),
                _ => Set::Security {
                    open: d.chance(3, 4),
                },
            },
        },
        Kind::Delete => Call::Set {
            slot,
            set: Set::Delete(d.chance(4, 5)),
        },
        Kind::Rename => Call::Set {
            slot,
            set: if d.chance(1, 4) {
                Set::Link {
                    to: d.pick(&mix.names),
                    replace: d.chance(1, 2),
                }
            } else {
                Set::Rename {
                    to: d.pick(&mix.names),
                    replace: d.chance(1, 2),
                }
            },
        },
        Kind::Ioctl => Call::Ioctl {
            slot,
            control: ioctl(d, mix),
        },
        Kind::Copy => Call::Ioctl {
            slot,
            control: if d.chance(1, 2) {
                Control::ResumeKey
            } else {
                Control::Copy {
                    from: offset(d, mix),
                    to: offset(d, mix),
                    len: length(d, mix),
                }
            },
        },
        _ => open(d, mix, state),
    }
}

fn lock(d: &mut Dice, slot: u8) -> Call {
    let unlock = d.chance(1, 3);
    let many = d.pick(&[1, 1, 1, 2, 3]);
    let ranges = (0..many)
        .map(|_| {
            let flags = match (unlock, d.chance(1, 2)) {
                (true, _) => 4,
                (false, exclusive) => {
                    let kind = if exclusive { 2 } else { 1 };
                    // Only a single one may wait ([MS-SMB2] 2.2.26.1).
                    let waits = many == 1 && d.chance(2, 3);
                    if waits { kind } else { kind | 0x10 }
                }
            };
            (
                d.pick(&[0, 0, 10, 100]),
                d.pick(&[10, 10, 1, 100, 0]),
                flags,
            )
        })
        .collect();
    Call::Lock { slot, ranges }
}

fn query(d: &mut Dice, slot: u8) -> Call {
    let (kind, class, more) = match d.below(8) {
        0 => (FILE_SYSTEM, d.pick(&[1, 3, 4, 5, 7, 11]), 0),
        1 => (SECURITY, 0, d.pick(&[1, 2, 4, 7])),
        _ => (
            FILE,
            d.pick(&[
                4, 5, 6, 7, 8, 9, 14, 15, 16, 17, 18, 21, 22, 34, 35, 46, 48, 59, 250,
            ]),
            0,
        ),
    };
    Call::Query {
        slot,
        kind,
        class,
        more,
        len: d.pick(&[4096, 4096, 1000, 40, 8, 0]),
    }
}

fn ioctl(d: &mut Dice, mix: &Mix) -> Control {
    match d.below(7) {
        0 => {
            let from = offset(d, mix);
            Control::Zero {
                from,
                beyond: from.saturating_add(u64::from(length(d, mix))),
            }
        }
        1 => Control::Sparse(d.chance(2, 3)),
        2 | 3 => Control::Ranges {
            offset: offset(d, mix),
            len: offset(d, mix),
            room: d.pick(&[1024, 16, 8]),
        },
        4 => Control::Interfaces,
        5 => Control::Transceive(u16::from(d.small(80))),
        _ => Control::Other(d.pick(&[
            0x0009_009c,
            0x0014_4064,
            0x0006_0194,
            0x0011_400c,
            0x0009_0090,
        ])),
    }
}
