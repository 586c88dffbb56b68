use proptest::prelude::*;

use super::*;
use crate::ParseError;
use crate::dtyp::{FileTime, Sid};
use crate::info::{FileAttributes, FileInfoClass};

/// An entry in which every field has a value of its own.
fn full() -> DirEntry {
    DirEntry {
        file_index: 0x0101_0101,
        creation_time: FileTime(0x0202_0202_0202_0202),
        last_access_time: FileTime(0x0303_0303_0303_0303),
        last_write_time: FileTime(0x0404_0404_0404_0404),
        change_time: FileTime(0x0505_0505_0505_0505),
        end_of_file: 0x0606_0606_0606_0606,
        allocation_size: 0x0707_0707_0707_0707,
        attributes: FileAttributes::ARCHIVE | FileAttributes::REPARSE_POINT,
        ea_size: 0x0808_0808,
        reparse_tag: 0x0909_0909,
        short_name: "SHORT~1.TXT".into(),
        file_id: 0x0a0a_0a0a_0a0a_0a0a,
        file_id_128: 0x0b0b_0b0b_0b0b_0b0b_0b0b_0b0b_0b0b_0b0b,
        name: "long name.txt".into(),
        posix: Some(PosixAttributes {
            device: 0x0c0c_0c0c,
            hard_links: 0x0d0d_0d0d,
            mode: 0x0e0e_0e0e,
            owner: "S-1-22-1-1000".parse().unwrap(),
            group: Sid::WORLD,
        }),
    }
}

fn write(class: DirClass, entries: &[DirEntry]) -> Vec<u8> {
    let mut list = DirList::new(class, usize::MAX);
    for entry in entries {
        assert!(list.push(entry));
    }
    assert_eq!(list.count(), entries.len());
    list.into_inner().to_vec()
}

/// Where the byte 0x11 × n of the fields of [`full`] begins in an entry of `class`.
fn place(class: DirClass, byte: u8) -> Option<usize> {
    write(class, &[full()])[..class.fixed_len()]
        .windows(4)
        .position(|w| w == [byte; 4])
}

/// What `class` can say about `entry`.
fn seen_through(class: DirClass, entry: &DirEntry) -> DirEntry {
    let names_only = DirEntry {
        file_index: entry.file_index,
        name: entry.name.clone(),
        ..DirEntry::default()
    };
    if class == DirClass::Names {
        return names_only;
    }
    let plain = DirEntry {
        creation_time: entry.creation_time,
        last_access_time: entry.last_access_time,
        last_write_time: entry.last_write_time,
        change_time: entry.change_time,
        end_of_file: entry.end_of_file,
        allocation_size: entry.allocation_size,
        attributes: entry.attributes,
        ..names_only
    };
    if class == DirClass::Posix {
        return DirEntry {
            file_id: entry.file_id,
            reparse_tag: entry.reparse_tag,
            posix: Some(entry.posix.unwrap_or_default()),
            ..plain
        };
    }
    let name = class.name();
    let reparse = entry.attributes.contains(FileAttributes::REPARSE_POINT);
    let (ea_size, reparse_tag) = match (class, name.contains("Extd"), reparse) {
        (DirClass::Directory, _, _) => (0, 0),
        (_, true, true) => (entry.ea_size, entry.reparse_tag),
        (_, false, true) => (0, entry.reparse_tag),
        (_, _, false) => (entry.ea_size, 0),
    };
    let has_64 = ["IdBoth", "IdFull", "Id64", "IdAll"]
        .iter()
        .any(|part| name.contains(part));
    let has_128 = ["IdExtd", "IdAll"].iter().any(|part| name.contains(part));
    DirEntry {
        ea_size,
        reparse_tag,
        short_name: if name.contains("Both") {
            entry.short_name.clone()
        } else {
            String::new()
        },
        file_id: if has_64 { entry.file_id } else { 0 },
        file_id_128: if has_128 { entry.file_id_128 } else { 0 },
        ..plain
    }
}

fn entry() -> impl Strategy<Value = DirEntry> {
    (
        any::<(u32, u64, u64, u64, u64, u64, u64)>(),
        any::<(u32, bool, u32, u32, u64, u128)>(),
        "[A-Z0-9~]{0,8}(\\.[A-Z]{0,3})?",
        any::<String>(),
        proptest::option::of(any::<(u32, u32, u32, u32)>()),
    )
        .prop_map(|(a, b, short_name, name, posix)| DirEntry {
            file_index: a.0,
            creation_time: FileTime(a.1),
            last_access_time: FileTime(a.2),
            last_write_time: FileTime(a.3),
            change_time: FileTime(a.4),
            end_of_file: a.5,
            allocation_size: a.6,
            attributes: {
                let mut attributes = FileAttributes::from_bits_retain(b.0);
                attributes.set(FileAttributes::REPARSE_POINT, b.1);
                attributes
            },
            ea_size: b.2,
            reparse_tag: b.3,
            short_name,
            file_id: b.4,
            file_id_128: b.5,
            name,
            posix: posix.map(|(device, hard_links, mode, id)| PosixAttributes {
                device,
                hard_links,
                mode,
                owner: Sid::UNIX_USERS.with_rid(id).unwrap(),
                group: Sid::WORLD,
            }),
        })
}

proptest! {
    #[test]
    fn every_class_reads_what_it_writes(entries in proptest::collection::vec(entry(), 0..4)) {
        for class in DirClass::ALL {
            let out = write(class, &entries);
            let expected: Vec<_> = entries.iter().map(|e| seen_through(class, e)).collect();
            prop_assert_eq!(parse_list(class, &out), Ok(expected), "{:?}", class);
        }
    }

    #[test]
    fn no_input_makes_the_parser_panic(input in proptest::collection::vec(any::<u8>(), 0..300)) {
        for class in DirClass::ALL {
            let _ = parse_list(class, &input);
        }
    }

    #[test]
    fn lists_stay_within_their_limit(
        entries in proptest::collection::vec(entry(), 0..6),
        limit in 0_usize..800,
    ) {
        for class in DirClass::ALL {
            let mut list = DirList::new(class, limit);
            let taken = entries.iter().take_while(|e| list.push(e)).count();
            prop_assert_eq!(list.count(), taken);
            prop_assert!(list.len() <= limit);
            let read = parse_list(class, &list.into_inner()).map(|v| v.len());
            prop_assert_eq!(read, Ok(taken));
        }
    }
}

#[test]
fn fields_are_where_the_specification_puts_them() {
    use DirClass::*;
    // EaSize, reparse tag, 64-bit id, 128-bit id.
    let table = [
        (Directory, None, None, None, None),
        (FullDirectory, None, Some(64), None, None),
        (BothDirectory, None, Some(64), None, None),
        (Names, None, None, None, None),
        (IdBothDirectory, None, Some(64), Some(96), None),
        (IdFullDirectory, None, Some(64), Some(72), None),
        (IdExtdDirectory, Some(64), Some(68), None, Some(72)),
        (IdExtdBothDirectory, Some(64), Some(68), None, Some(72)),
        (Id64ExtdDirectory, Some(64), Some(68), Some(72), None),
        (Id64ExtdBothDirectory, Some(64), Some(68), Some(72), None),
        (IdAllExtdDirectory, Some(64), Some(68), Some(72), Some(80)),
        (
            IdAllExtdBothDirectory,
            Some(64),
            Some(68),
            Some(72),
            Some(80),
        ),
        (Posix, None, Some(80), Some(60), None),
    ];
    for (class, ea, tag, id, id_128) in table {
        assert_eq!(place(class, 0x08), ea, "{class:?}");
        assert_eq!(place(class, 0x09), tag, "{class:?}");
        assert_eq!(place(class, 0x0a), id, "{class:?}");
        assert_eq!(place(class, 0x0b), id_128, "{class:?}");
        assert_eq!(place(class, 0x01), Some(4), "{class:?}");
        assert_eq!(
            place(class, 0x07),
            (class != Names).then_some(48),
            "{class:?}"
        );
    }
    for (class, at) in [
        (BothDirectory, 70),
        (IdBothDirectory, 70),
        (IdExtdBothDirectory, 90),
        (Id64ExtdBothDirectory, 82),
        (IdAllExtdBothDirectory, 98),
    ] {
        let out = write(class, &[full()]);
        assert_eq!(out[at - 2..at], [22, 0], "{class:?}");
        assert_eq!(out[at..at + 4], [b'S', 0, b'H', 0], "{class:?}");
    }
    for class in DirClass::ALL {
        let out = write(class, &[full()]);
        let name = out.len() - 26;
        assert_eq!(out[name..name + 4], [b'l', 0, b'o', 0], "{class:?}");
        assert_eq!(out.len(), class.encoded_len(&full()), "{class:?}");
        if class != Posix {
            assert_eq!(name, class.fixed_len(), "{class:?}");
        }
    }
}

#[test]
fn entries_are_aligned_and_linked() {
    let entries = [full(), full()];
    for class in DirClass::ALL {
        let out = write(class, &entries);
        let next = usize::try_from(u32::from_le_bytes(out[..4].try_into().unwrap())).unwrap();
        assert_eq!(next % 8, 0);
        assert_eq!(next, class.encoded_len(&full()).next_multiple_of(8));
        assert_eq!(out[next..next + 4], [0; 4]);
        assert_eq!(out.len(), next + class.encoded_len(&full()));
        for cut in 1..out.len() {
            assert!(parse_list(class, &out[..cut]).is_err(), "{class:?} {cut}");
        }
        assert_eq!(parse_list(class, &[]), Ok(vec![]));
    }
}

#[test]
fn names_must_be_inside_the_entry() {
    let mut out = write(DirClass::Names, &[full()]);
    out[8] = 28;
    assert_eq!(
        parse_list(DirClass::Names, &out),
        Err(ParseError::OutOfBounds("FileNamesInformation"))
    );
    out[8..12].fill(0xff);
    assert_eq!(
        parse_list(DirClass::Names, &out),
        Err(ParseError::OutOfBounds("FileNamesInformation"))
    );
    out[8..12].copy_from_slice(&[3, 0, 0, 0]);
    assert_eq!(
        parse_list(DirClass::Names, &out),
        Err(ParseError::BadString("FileNamesInformation"))
    );
}

#[test]
fn what_is_no_short_name_counts_as_none() {
    for len in [1, 25, 0xff] {
        let mut out = write(DirClass::IdBothDirectory, &[full()]);
        out[68] = len;
        let entry = &parse_list(DirClass::IdBothDirectory, &out).unwrap()[0];
        assert_eq!(entry.short_name, "");
        assert_eq!(entry.name, full().name);
    }
}

#[test]
fn short_names_are_cut_to_their_place() {
    let entry = DirEntry {
        short_name: "ABCDEFGHIJKLMNOP".into(),
        ..DirEntry::default()
    };
    let out = write(DirClass::BothDirectory, &[entry]);
    let read = parse_list(DirClass::BothDirectory, &out).unwrap();
    assert_eq!(read[0].short_name, "ABCDEFGHIJKL");
}

#[test]
fn codes_are_those_of_the_file_information_classes() {
    for class in DirClass::ALL {
        assert_eq!(DirClass::from_code(class.code()), Some(class));
        assert_eq!(
            FileInfoClass::from_code(class.code()),
            Some(class.info_class())
        );
    }
    let known = (0..=u8::MAX).filter_map(DirClass::from_code).count();
    assert_eq!(known, DirClass::ALL.len());
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len() / 2)
        .map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap())
        .collect()
}

/// A listing that a Windows server sent.
#[test]
fn a_listing_of_windows() {
    let wire = unhex(
        "00000000 00000000 9306832f54b4cc01 9306832f54b4cc01 086fce558a8ecc01 16419d2f54b4cc01
         4b06170000000000 0010170000000000 20000000 20000000 00000000 18 00
         5700 5000 5f00 5300 4d00 4200 7e00 3100 2e00 5000 4400 4600 0000 73a6000000000200
         5700 5000 5f00 5300 4d00 4200 5000 6c00 7500 6700 6900 6e00 2e00 7000 6400 6600",
    );
    let list = parse_list(DirClass::IdBothDirectory, &wire).unwrap();
    assert_eq!(
        list,
        [DirEntry {
            creation_time: FileTime(0x01cc_b454_2f83_0693),
            last_access_time: FileTime(0x01cc_b454_2f83_0693),
            last_write_time: FileTime(0x01cc_8e8a_55ce_6f08),
            change_time: FileTime(0x01cc_b454_2f9d_4116),
            end_of_file: 0x17_064b,
            allocation_size: 0x17_1000,
            attributes: FileAttributes::ARCHIVE,
            short_name: "WP_SMB~1.PDF".into(),
            file_id: 0x0002_0000_0000_a673,
            name: "WP_SMBPlugin.pdf".into(),
            ..DirEntry::default()
        }]
    );
    assert_eq!(write(DirClass::IdBothDirectory, &list), wire);
}

/// Two entries of a listing that a Samba server sent.
#[test]
fn a_posix_listing_of_samba() {
    let wire = unhex(
        "80000000 00000000 00134877807add01 00134877807add01 f903f38b807add01 f903f38b807add01
         0000000000000000 0000000000000000 10000000 21999b0000000000 00fe0000 00000000
         02000000 00000000 ff110000
         0102 000000000016 01000000 00000000  0102 000000000016 02000000 00000000
         02000000 2e00 0000
         00000000 00000000 00134877807add01 00134877807add01 f903f38b807add01 f903f38b807add01
         0000000000000000 0000000000000000 10000000 0000000000000000 00000000 00000000
         02000000 00000000 ff110000
         0101 000000000000 00000000  0101 000000000000 00000000
         04000000 2e00 2e00",
    );
    let list = parse_list(DirClass::Posix, &wire).unwrap();
    let first = list[0].posix.unwrap();
    assert_eq!(list[0].name, ".");
    assert_eq!(list[0].file_id, 0x9b_9921);
    assert_eq!(first.hard_links, 2);
    assert_eq!(first.mode, 0x11ff);
    assert_eq!(first.owner, "S-1-22-1-0".parse().unwrap());
    assert_eq!(first.group, "S-1-22-2-0".parse().unwrap());
    assert_eq!(list[1].name, "..");
    assert_eq!(list[1].posix.unwrap().owner, Sid::NULL);
    assert_eq!(write(DirClass::Posix, &list), wire);
}
