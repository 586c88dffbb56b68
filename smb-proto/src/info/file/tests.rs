use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::ParseError;
use crate::dtyp::{AccessMask, FileTime, Guid, Sid};
use crate::info::dir::PosixAttributes;
use crate::info::layout::testing::{Fixed, bytes_of, check_fixed, survives_cuts};
use crate::info::{FileAttributes, FileInfoClass, QueryLen};

/// The length in the class table is the length of the structure.
fn check_len<T: Fixed>(class: FileInfoClass) {
    assert_eq!(
        class.query_len(),
        Some(QueryLen::Fixed(T::LEN)),
        "{class:?}"
    );
}

#[test]
fn the_class_table_knows_the_lengths() {
    check_len::<FileBasicInformation>(FileInfoClass::Basic);
    check_len::<FileStandardInformation>(FileInfoClass::Standard);
    check_len::<FileInternalInformation>(FileInfoClass::Internal);
    check_len::<FileEaInformation>(FileInfoClass::Ea);
    check_len::<FileAccessInformation>(FileInfoClass::Access);
    check_len::<FilePositionInformation>(FileInfoClass::Position);
    check_len::<FileModeInformation>(FileInfoClass::Mode);
    check_len::<FileAlignmentInformation>(FileInfoClass::Alignment);
    check_len::<FilePipeInformation>(FileInfoClass::Pipe);
    check_len::<FilePipeLocalInformation>(FileInfoClass::PipeLocal);
    check_len::<FilePipeRemoteInformation>(FileInfoClass::PipeRemote);
    check_len::<FileCompressionInformation>(FileInfoClass::Compression);
    check_len::<FileObjectIdInformation>(FileInfoClass::ObjectId);
    check_len::<FileReparsePointInformation>(FileInfoClass::ReparsePoint);
    check_len::<FileNetworkOpenInformation>(FileInfoClass::NetworkOpen);
    check_len::<FileAttributeTagInformation>(FileInfoClass::AttributeTag);
    check_len::<FileStandardLinkInformation>(FileInfoClass::StandardLink);
    check_len::<FileIdInformation>(FileInfoClass::Id);
    check_len::<FileStatInformation>(FileInfoClass::Stat);
    check_len::<FileStatLxInformation>(FileInfoClass::StatLx);
    check_len::<FileCaseSensitiveInformation>(FileInfoClass::CaseSensitive);
    let set = [
        (FileInfoClass::Basic, FileBasicInformation::LEN),
        (FileInfoClass::Rename, FileRenameInformation::FIXED_LEN),
        (FileInfoClass::RenameEx, FileRenameInformationEx::FIXED_LEN),
        (FileInfoClass::Link, FileLinkInformation::FIXED_LEN),
        (FileInfoClass::LinkEx, FileLinkInformationEx::FIXED_LEN),
        (FileInfoClass::Disposition, FileDispositionInformation::LEN),
        (
            FileInfoClass::DispositionEx,
            FileDispositionInformationEx::LEN,
        ),
        (FileInfoClass::Position, FilePositionInformation::LEN),
        (FileInfoClass::FullEa, FileFullEaInformation::FIXED_LEN),
        (FileInfoClass::Mode, FileModeInformation::LEN),
        (FileInfoClass::Allocation, FileAllocationInformation::LEN),
        (FileInfoClass::EndOfFile, FileEndOfFileInformation::LEN),
        (FileInfoClass::Pipe, FilePipeInformation::LEN),
        (
            FileInfoClass::ValidDataLength,
            FileValidDataLengthInformation::LEN,
        ),
        (
            FileInfoClass::ShortName,
            FileShortNameInformation::FIXED_LEN,
        ),
        (
            FileInfoClass::CaseSensitive,
            FileCaseSensitiveInformation::LEN,
        ),
    ];
    for (class, len) in set {
        assert_eq!(class.set_min_len(), Some(len), "{class:?}");
    }
}

proptest! {
    #[test]
    fn fixed_structures_read_what_they_write(input in any::<[u8; 128]>()) {
        check_fixed::<FileAccessInformation>(&input);
        check_fixed::<FileAlignmentInformation>(&input);
        check_fixed::<FileAllocationInformation>(&input);
        check_fixed::<FileAttributeTagInformation>(&input);
        check_fixed::<FileBasicInformation>(&input);
        check_fixed::<FileCaseSensitiveInformation>(&input);
        check_fixed::<FileCompressionInformation>(&input);
        check_fixed::<FileDispositionInformation>(&input);
        check_fixed::<FileDispositionInformationEx>(&input);
        check_fixed::<FileEaInformation>(&input);
        check_fixed::<FileEndOfFileInformation>(&input);
        check_fixed::<FileIdInformation>(&input);
        check_fixed::<FileInternalInformation>(&input);
        check_fixed::<FileModeInformation>(&input);
        check_fixed::<FileNetworkOpenInformation>(&input);
        check_fixed::<FileObjectIdInformation>(&input);
        check_fixed::<FilePipeInformation>(&input);
        check_fixed::<FilePipeLocalInformation>(&input);
        check_fixed::<FilePipeRemoteInformation>(&input);
        check_fixed::<FilePositionInformation>(&input);
        check_fixed::<FileReparsePointInformation>(&input);
        check_fixed::<FileStandardInformation>(&input);
        check_fixed::<FileStandardLinkInformation>(&input);
        check_fixed::<FileStatInformation>(&input);
        check_fixed::<FileStatLxInformation>(&input);
        check_fixed::<FileValidDataLengthInformation>(&input);
    }

    #[test]
    fn variable_structures_read_what_they_write(
        name in any::<String>(),
        size in any::<u64>(),
        value in proptest::collection::vec(any::<u8>(), 0..70),
        replace in any::<bool>(),
    ) {
        let it = FileNameInformation { name: name.clone() };
        prop_assert_eq!(FileNameInformation::parse(&bytes_of(|w| it.encode(w))), Ok(it));

        let it = FileShortNameInformation { name: name.clone() };
        prop_assert_eq!(FileShortNameInformation::parse(&bytes_of(|w| it.encode(w))), Ok(it));

        let it = FileRenameInformation {
            replace_if_exists: replace,
            root_directory: size,
            file_name: name.clone(),
        };
        prop_assert_eq!(FileRenameInformation::parse(&bytes_of(|w| it.encode(w))), Ok(it));

        let it = FileLinkInformation {
            replace_if_exists: replace,
            root_directory: size,
            file_name: name.clone(),
        };
        prop_assert_eq!(FileLinkInformation::parse(&bytes_of(|w| it.encode(w))), Ok(it));

        let it = FileRenameInformationEx {
            flags: RenameFlags::from_bits_retain(size as u32),
            root_directory: 0,
            file_name: name.clone(),
        };
        prop_assert_eq!(FileRenameInformationEx::parse(&bytes_of(|w| it.encode(w))), Ok(it));

        let it = FileLinkInformationEx {
            flags: LinkFlags::from_bits_retain(size as u32),
            root_directory: 0,
            file_name: name.clone(),
        };
        prop_assert_eq!(FileLinkInformationEx::parse(&bytes_of(|w| it.encode(w))), Ok(it));

        let streams = vec![
            FileStreamInformation { size, allocation_size: 4096, name: name.clone() },
            FileStreamInformation { size: 0, allocation_size: size, name: "::$DATA".into() },
        ];
        let out = bytes_of(|w| FileStreamInformation::encode_list(&streams, w));
        prop_assert_eq!(FileStreamInformation::parse_list(&out), Ok(streams));

        let links = FileHardLinkInformation {
            bytes_needed: 99,
            entries: vec![
                FileLinkEntryInformation { parent_file_id: size, name: name.clone() },
                FileLinkEntryInformation { parent_file_id: 5, name: "b".into() },
            ],
        };
        prop_assert_eq!(FileHardLinkInformation::parse(&bytes_of(|w| links.encode(w))), Ok(links));

        let eas = vec![
            FileFullEaInformation {
                flags: EaFlags::NEED_EA,
                name: Bytes::from(value.clone()),
                value: Bytes::from(name.into_bytes()),
            },
            FileFullEaInformation {
                flags: EaFlags::empty(),
                name: Bytes::from_static(b"A"),
                value: Bytes::from(value.clone()),
            },
        ];
        let out = Bytes::from(bytes_of(|w| FileFullEaInformation::encode_list(&eas, w)));
        prop_assert_eq!(FileFullEaInformation::parse_list(&out), Ok(eas));

        let wanted = vec![
            FileGetEaInformation { name: Bytes::from(value) },
            FileGetEaInformation { name: Bytes::from_static(b"B") },
        ];
        let out = Bytes::from(bytes_of(|w| FileGetEaInformation::encode_list(&wanted, w)));
        prop_assert_eq!(FileGetEaInformation::parse_list(&out), Ok(wanted));
    }

    #[test]
    fn no_input_makes_a_parser_panic(input in proptest::collection::vec(any::<u8>(), 0..200)) {
        let bytes = Bytes::from(input.clone());
        let _ = FileAllInformation::parse(&input);
        let _ = FileNameInformation::parse(&input);
        let _ = FileRenameInformation::parse(&input);
        let _ = FileStreamInformation::parse_list(&input);
        let _ = FileHardLinkInformation::parse(&input);
        let _ = FilePosixInformation::parse(&input);
        let _ = FileRemoteProtocolInformation::parse(&input);
        let _ = FileFullEaInformation::parse_list(&bytes);
        let _ = FileGetEaInformation::parse_list(&bytes);
    }
}

#[test]
fn all_information_is_its_parts_in_order() {
    let all = FileAllInformation {
        basic: FileBasicInformation {
            creation_time: FileTime(1),
            last_access_time: FileTime(2),
            last_write_time: FileTime(3),
            change_time: FileTime(4),
            attributes: FileAttributes::ARCHIVE,
        },
        standard: FileStandardInformation {
            allocation_size: 0x1000,
            end_of_file: 5,
            number_of_links: 2,
            delete_pending: true,
            directory: false,
        },
        internal: FileInternalInformation { index_number: 77 },
        ea: FileEaInformation { ea_size: 12 },
        access: FileAccessInformation {
            access_flags: AccessMask::DELETE,
        },
        position: FilePositionInformation {
            current_byte_offset: -1,
        },
        mode: FileModeInformation {
            mode: FileMode::WRITE_THROUGH,
        },
        alignment: FileAlignmentInformation {
            alignment_requirement: 1,
        },
        name: FileNameInformation { name: "\\a".into() },
    };
    let out = bytes_of(|w| all.encode(w));
    assert_eq!(out.len(), FileAllInformation::FIXED_LEN + 4);
    assert_eq!(out[32], 0x20);
    assert_eq!(out[56..64], [2, 0, 0, 0, 1, 0, 0, 0]);
    assert_eq!(out[64], 77);
    assert_eq!(out[72], 12);
    assert_eq!(out[76..80], AccessMask::DELETE.bits().to_le_bytes());
    assert_eq!(out[80..88], [0xff; 8]);
    assert_eq!(out[88], 2);
    assert_eq!(out[92], 1);
    assert_eq!(out[96..], [4, 0, 0, 0, b'\\', 0, b'a', 0]);
    assert_eq!(FileAllInformation::parse(&out), Ok(all));
    for cut in 0..out.len() {
        assert!(FileAllInformation::parse(&out[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn ids_are_little_endian() {
    let id = FileIdInformation {
        volume_serial_number: 1,
        file_id: 0x0102,
    };
    let out = bytes_of(|w| id.encode(w));
    assert_eq!(out[8..11], [2, 1, 0]);
    let id = FileObjectIdInformation {
        object_id: Guid::from_bytes([9; 16]),
        ..FileObjectIdInformation::default()
    };
    assert_eq!(bytes_of(|w| id.encode(w))[8..24], [9; 16]);
}

#[test]
fn rename_as_windows_wants_it() {
    let rename = FileRenameInformation {
        replace_if_exists: true,
        root_directory: 0,
        file_name: "a".into(),
    };
    let out = bytes_of(|w| rename.encode(w));
    // 20 bytes and one character, padded to the least that Windows takes.
    assert_eq!(
        out,
        [
            1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, b'a', 0, 0, 0
        ]
    );
    // The reserved bytes can hold anything.
    let mut odd = out.clone();
    odd[1..8].fill(0xee);
    assert_eq!(FileRenameInformation::parse(&odd), Ok(rename.clone()));
    odd[0] = 0;
    assert_eq!(
        FileRenameInformation::parse(&odd).map(|r| r.replace_if_exists),
        Ok(false)
    );
    // The name must be inside, and be UTF-16.
    odd[16] = 6;
    assert_eq!(
        FileRenameInformation::parse(&odd),
        Err(ParseError::OutOfBounds("FILE_RENAME_INFORMATION_TYPE_2"))
    );
    odd[16] = 1;
    assert_eq!(
        FileRenameInformation::parse(&odd),
        Err(ParseError::BadString("FILE_RENAME_INFORMATION_TYPE_2"))
    );
    odd[16..20].fill(0xff);
    assert!(FileRenameInformation::parse(&odd).is_err());
}

#[test]
fn streams_as_the_specification_lays_them_out() {
    let list = [
        FileStreamInformation {
            size: 3,
            allocation_size: 8,
            name: "::$DATA".into(),
        },
        FileStreamInformation {
            size: 1,
            allocation_size: 8,
            name: ":x:$DATA".into(),
        },
    ];
    let out = bytes_of(|w| FileStreamInformation::encode_list(&list, w));
    // 24 + 14 bytes, padded to 40.
    assert_eq!(out[..8], [40, 0, 0, 0, 14, 0, 0, 0]);
    assert_eq!(out[40..48], [0, 0, 0, 0, 16, 0, 0, 0]);
    assert_eq!(out.len(), 40 + list[1].encoded_len());
    survives_cuts(&out, FileStreamInformation::parse_list);
    assert_eq!(FileStreamInformation::parse_list(&[]), Ok(vec![]));
    assert!(FileStreamInformation::parse_list(&out[..out.len() - 1]).is_err());
}

#[test]
fn extended_attributes_end_their_names_with_zero() {
    let ea = FileFullEaInformation {
        flags: EaFlags::empty(),
        name: Bytes::from_static(b"EA1"),
        value: Bytes::from_static(b"val"),
    };
    let mut out = bytes_of(|w| FileFullEaInformation::encode_list(std::slice::from_ref(&ea), w));
    assert_eq!(out, b"\0\0\0\0\0\x03\x03\0EA1\0val");
    assert_eq!(out.len(), ea.encoded_len());
    let parse = |v: &[u8]| FileFullEaInformation::parse_list(&Bytes::copy_from_slice(v));
    assert_eq!(parse(&out), Ok(vec![ea]));
    for cut in 1..out.len() {
        assert!(parse(&out[..cut]).is_err(), "{cut}");
    }
    out[11] = b'x';
    assert_eq!(
        parse(&out),
        Err(ParseError::BadValue("FILE_FULL_EA_INFORMATION"))
    );
    // Entries must be aligned.
    assert_eq!(
        parse(b"\x0d\0\0\0\0\x01\0\0A\0\0\0\0\0\0\0\0"),
        Err(ParseError::Misaligned("FILE_FULL_EA_INFORMATION"))
    );
}

#[test]
fn hard_links_count_characters() {
    let links = FileHardLinkInformation {
        bytes_needed: 28,
        entries: vec![FileLinkEntryInformation {
            parent_file_id: 5,
            name: "ab".into(),
        }],
    };
    let out = bytes_of(|w| links.encode(w));
    assert_eq!(out[..8], [28, 0, 0, 0, 1, 0, 0, 0]);
    assert_eq!(out[20..24], [2, 0, 0, 0]);
    assert_eq!(FileHardLinkInformation::parse(&out), Ok(links));
    survives_cuts(&out, FileHardLinkInformation::parse);
}

#[test]
fn remote_protocol_round_trip() {
    let info = FileRemoteProtocolInformation {
        structure_version: 2,
        structure_size: 116,
        protocol: 0x0002_0000,
        major_version: 3,
        minor_version: 1,
        revision: 1,
        flags: 2,
        protocol_specific: [7; 64],
    };
    let out = bytes_of(|w| info.encode(w));
    assert_eq!(out.len(), FileRemoteProtocolInformation::LEN);
    assert_eq!(FileRemoteProtocolInformation::parse(&out), Ok(info));
    for cut in 0..out.len() {
        assert!(FileRemoteProtocolInformation::parse(&out[..cut]).is_err());
    }
}

#[test]
fn posix_round_trip_with_and_without_a_name() {
    let mut info = FilePosixInformation {
        end_of_file: 10,
        inode: 0x009b_8e81,
        posix: PosixAttributes {
            device: 0xfe,
            hard_links: 1,
            mode: 0o644,
            owner: Sid::WORLD,
            group: Sid::BUILTIN_USERS,
        },
        ..FilePosixInformation::default()
    };
    let out = bytes_of(|w| info.encode(w));
    assert_eq!(out.len(), FilePosixInformation::FIXED_LEN + 12 + 16);
    assert_eq!(FilePosixInformation::parse(&out).as_ref(), Ok(&info));
    for cut in 0..out.len() {
        assert!(FilePosixInformation::parse(&out[..cut]).is_err(), "{cut}");
    }
    info.name = Some("f".into());
    let out = bytes_of(|w| info.encode(w));
    assert_eq!(FilePosixInformation::parse(&out), Ok(info));
}
