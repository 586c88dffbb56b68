//! Control codes of IOCTL requests, [MS-FSCC] 2.3 and [MS-SMB2] 2.2.31.

use std::fmt;

/// CtlCode of an IOCTL: device type (16 bits), required access (2), function (12), method (2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FsctlCode(pub u32);

macro_rules! codes {
    ($($name:ident = $code:literal;)*) => {
        #[allow(missing_docs, reason = "the names are those of [MS-FSCC] 2.3 without FSCTL_")]
        impl FsctlCode {
            $(pub const $name: Self = Self($code);)*

            /// The name without its FSCTL_ prefix, as in `SRV_COPYCHUNK`; `None` for a code that
            /// this table does not have.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match self.0 { $($code => Some(stringify!($name)),)* _ => None }
            }
        }

        #[cfg(test)]
        const ALL: &[(u32, &str)] = &[$(($code, stringify!($name)),)*];
    };
}

codes! {
    // [MS-SMB2] 2.2.31
    DFS_GET_REFERRALS = 0x0006_0194;
    DFS_GET_REFERRALS_EX = 0x0006_01b0;
    PIPE_PEEK = 0x0011_400c;
    PIPE_WAIT = 0x0011_0018;
    PIPE_TRANSCEIVE = 0x0011_c017;
    SRV_ENUMERATE_SNAPSHOTS = 0x0014_4064;
    SRV_REQUEST_RESUME_KEY = 0x0014_0078;
    SRV_READ_HASH = 0x0014_41bb;
    SRV_COPYCHUNK = 0x0014_40f2;
    SRV_COPYCHUNK_WRITE = 0x0014_80f2;
    LMR_REQUEST_RESILIENCY = 0x0014_01d4;
    LMR_SET_LINK_TRACKING_INFORMATION = 0x0014_00ec;
    QUERY_NETWORK_INTERFACE_INFO = 0x0014_01fc;
    VALIDATE_NEGOTIATE_INFO = 0x0014_0204;
    // [MS-FSCC] 2.3
    LOCK_VOLUME = 0x0009_0018;
    UNLOCK_VOLUME = 0x0009_001c;
    DISMOUNT_VOLUME = 0x0009_0020;
    IS_PATHNAME_VALID = 0x0009_002c;
    GET_COMPRESSION = 0x0009_003c;
    QUERY_FAT_BPB = 0x0009_0058;
    FILESYSTEM_GET_STATISTICS = 0x0009_0060;
    GET_NTFS_VOLUME_DATA = 0x0009_0064;
    GET_RETRIEVAL_POINTERS = 0x0009_0073;
    FIND_FILES_BY_SID = 0x0009_008f;
    SET_OBJECT_ID = 0x0009_0098;
    GET_OBJECT_ID = 0x0009_009c;
    DELETE_OBJECT_ID = 0x0009_00a0;
    SET_REPARSE_POINT = 0x0009_00a4;
    GET_REPARSE_POINT = 0x0009_00a8;
    DELETE_REPARSE_POINT = 0x0009_00ac;
    SET_OBJECT_ID_EXTENDED = 0x0009_00bc;
    CREATE_OR_GET_OBJECT_ID = 0x0009_00c0;
    SET_SPARSE = 0x0009_00c4;
    READ_FILE_USN_DATA = 0x0009_00eb;
    WRITE_USN_CLOSE_RECORD = 0x0009_00ef;
    QUERY_SPARING_INFO = 0x0009_0138;
    QUERY_ON_DISK_VOLUME_INFO = 0x0009_013c;
    SET_ZERO_ON_DEALLOCATION = 0x0009_0194;
    QUERY_FILE_REGIONS = 0x0009_0284;
    QUERY_SHARED_VIRTUAL_DISK_SUPPORT = 0x0009_0300;
    SVHDX_SYNC_TUNNEL_REQUEST = 0x0009_0304;
    STORAGE_QOS_CONTROL = 0x0009_0350;
    SVHDX_ASYNC_TUNNEL_REQUEST = 0x0009_0364;
    GET_INTEGRITY_INFORMATION = 0x0009_027c;
    QUERY_ALLOCATED_RANGES = 0x0009_40cf;
    OFFLOAD_READ = 0x0009_4264;
    SET_ZERO_DATA = 0x0009_80c8;
    SET_DEFECT_MANAGEMENT = 0x0009_8134;
    FILE_LEVEL_TRIM = 0x0009_8208;
    OFFLOAD_WRITE = 0x0009_8268;
    DUPLICATE_EXTENTS_TO_FILE = 0x0009_8344;
    DUPLICATE_EXTENTS_TO_FILE_EX = 0x0009_83e8;
    SET_COMPRESSION = 0x0009_c040;
    SET_ENCRYPTION = 0x0009_00d7;
    SET_INTEGRITY_INFORMATION = 0x0009_c280;
    SET_INTEGRITY_INFORMATION_EX = 0x0009_0380;
    REFS_STREAM_SNAPSHOT_MANAGEMENT = 0x0009_0440;
    SET_REPARSE_POINT_EX = 0x0009_040c;
    SIS_COPYFILE = 0x0009_0100;
    SIS_LINK_FILES = 0x0009_c104;
    MARK_HANDLE = 0x0009_00fc;
    RECALL_FILE = 0x0009_0117;
}

impl fmt::Display for FsctlCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "FSCTL_{name}"),
            None => write!(f, "{:#010x}", self.0),
        }
    }
}

impl fmt::Debug for FsctlCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_unique() {
        for (i, (code, name)) in ALL.iter().enumerate() {
            assert_eq!(FsctlCode(*code).name(), Some(*name));
            assert!(
                ALL[..i].iter().all(|(c, n)| c != code && n != name),
                "{name}"
            );
        }
    }

    #[test]
    fn prints_its_name_or_number() {
        assert_eq!(FsctlCode::SET_SPARSE.to_string(), "FSCTL_SET_SPARSE");
        assert_eq!(FsctlCode(0x1234).to_string(), "0x00001234");
    }
}
