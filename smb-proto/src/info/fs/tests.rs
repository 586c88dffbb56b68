use proptest::prelude::*;

use super::*;
use crate::dtyp::{FileTime, Guid};
use crate::info::layout::testing::{Fixed, bytes_of, check_fixed};
use crate::info::{FsInfoClass, QueryLen};

fn check_len<T: Fixed>(class: FsInfoClass) {
    assert_eq!(
        class.query_len(),
        Some(QueryLen::Fixed(T::LEN)),
        "{class:?}"
    );
}

#[test]
fn the_class_table_knows_the_lengths() {
    check_len::<FileFsSizeInformation>(FsInfoClass::Size);
    check_len::<FileFsDeviceInformation>(FsInfoClass::Device);
    check_len::<FileFsControlInformation>(FsInfoClass::Control);
    check_len::<FileFsFullSizeInformation>(FsInfoClass::FullSize);
    check_len::<FileFsSectorSizeInformation>(FsInfoClass::SectorSize);
    check_len::<FileFsPosixInformation>(FsInfoClass::Posix);
    assert_eq!(
        FsInfoClass::ObjectId.query_len(),
        Some(QueryLen::Fixed(FileFsObjectIdInformation::LEN))
    );
    assert_eq!(
        FsInfoClass::Control.set_min_len(),
        Some(FileFsControlInformation::LEN)
    );
    // What Windows asks for is the size of the structure in its memory.
    assert!(FsInfoClass::Volume.query_len().unwrap().min() > FileFsVolumeInformation::FIXED_LEN);
}

proptest! {
    #[test]
    fn structures_read_what_they_write(
        input in any::<[u8; 64]>(),
        name in any::<String>(),
        flag in any::<bool>(),
        number in any::<u32>(),
    ) {
        check_fixed::<FileFsSizeInformation>(&input);
        check_fixed::<FileFsDeviceInformation>(&input);
        check_fixed::<FileFsControlInformation>(&input);
        check_fixed::<FileFsFullSizeInformation>(&input);
        check_fixed::<FileFsSectorSizeInformation>(&input);
        check_fixed::<FileFsPosixInformation>(&input);

        let it = FileFsObjectIdInformation::parse(&input).unwrap();
        prop_assert_eq!(bytes_of(|w| it.encode(w)), input.to_vec());

        let it = FileFsVolumeInformation {
            creation_time: FileTime(u64::from(number)),
            serial_number: number,
            supports_objects: flag,
            label: name.clone(),
        };
        let out = bytes_of(|w| it.encode(w));
        prop_assert_eq!(FileFsVolumeInformation::parse(&out), Ok(it));

        let it = FileFsLabelInformation { label: name.clone() };
        let out = bytes_of(|w| it.encode(w));
        prop_assert_eq!(FileFsLabelInformation::parse(&out), Ok(it));

        let it = FileFsAttributeInformation {
            attributes: FsAttributes::from_bits_retain(number),
            maximum_component_name_length: number,
            file_system_name: name.clone(),
        };
        let out = bytes_of(|w| it.encode(w));
        prop_assert_eq!(FileFsAttributeInformation::parse(&out), Ok(it));

        let it = FileFsDriverPathInformation { driver_in_path: flag, driver_name: name };
        let out = bytes_of(|w| it.encode(w));
        prop_assert_eq!(FileFsDriverPathInformation::parse(&out), Ok(it));
    }
}

#[test]
fn cut_structures_are_refused() {
    let volume = FileFsVolumeInformation {
        label: "data".into(),
        ..FileFsVolumeInformation::default()
    };
    let out = bytes_of(|w| volume.encode(w));
    assert_eq!(out.len(), FileFsVolumeInformation::FIXED_LEN + 8);
    let attribute = FileFsAttributeInformation {
        file_system_name: "NTFS".into(),
        ..FileFsAttributeInformation::default()
    };
    let second = bytes_of(|w| attribute.encode(w));
    assert_eq!(second.len(), FileFsAttributeInformation::FIXED_LEN + 8);
    let object = FileFsObjectIdInformation {
        object_id: Guid::from_bytes([1; 16]),
        extended_info: [2; 48],
    };
    let third = bytes_of(|w| object.encode(w));
    let driver = FileFsDriverPathInformation {
        driver_in_path: true,
        driver_name: "\\x".into(),
    };
    let fourth = bytes_of(|w| driver.encode(w));
    for cut in 0..out.len() {
        assert!(FileFsVolumeInformation::parse(&out[..cut]).is_err());
    }
    for cut in 0..second.len() {
        assert!(FileFsAttributeInformation::parse(&second[..cut]).is_err());
    }
    for cut in 0..third.len() {
        assert!(FileFsObjectIdInformation::parse(&third[..cut]).is_err());
    }
    for cut in 0..fourth.len() {
        assert!(FileFsDriverPathInformation::parse(&fourth[..cut]).is_err());
    }
}
