//! CREATE, [MS-SMB2] 2.2.13 and 2.2.14.

use bitflags::bitflags;
use bytes::Bytes;

use super::{OplockLevel, file_id};
use crate::ParseError;
use crate::create_ctx::{RawContext, encode_chain, parse_chain};
use crate::dtyp::{AccessMask, FileTime};
use crate::header::HEADER_LEN;
use crate::id::FileId;
use crate::info::FileAttributes;
use crate::wire::{Fields, Writer, decode_utf16, len16, len32, slice_of, sub_slice, utf16_len};

mod fields;

pub use fields::{CreateAction, CreateDisposition, CreateOptions, ImpersonationLevel, ShareAccess};

/// SMB2 CREATE Request, [MS-SMB2] 2.2.13.
///
/// Body: StructureSize 57 (2 bytes), SecurityFlags (1), RequestedOplockLevel (1),
/// ImpersonationLevel (4), SmbCreateFlags (8), Reserved (8), DesiredAccess (4), FileAttributes (4),
/// ShareAccess (4), CreateDisposition (4), CreateOptions (4), NameOffset (2), NameLength (2),
/// CreateContextsOffset (4), CreateContextsLength (4), buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Request {
    /// RequestedOplockLevel.
    pub requested_oplock_level: OplockLevel,
    /// ImpersonationLevel.
    pub impersonation_level: ImpersonationLevel,
    /// DesiredAccess as received, generic bits not mapped.
    pub desired_access: AccessMask,
    /// FileAttributes for a file that is created or overwritten.
    pub file_attributes: FileAttributes,
    /// ShareAccess.
    pub share_access: ShareAccess,
    /// CreateDisposition as received; see [`Self::disposition`].
    pub create_disposition: u32,
    /// CreateOptions.
    pub create_options: CreateOptions,
    /// The name relative to the share (with a DFS prefix if the header says so), `\` between
    /// components; empty for the root. With [`CreateOptions::OPEN_BY_FILE_ID`] these are the bytes
    /// of an id, and what is not UTF-16 in them reads as U+FFFD: servers refuse the option
    /// ([MS-SMB2] 3.3.5.9), and must be able to say so.
    pub name: String,
    /// Create contexts in the order received.
    pub contexts: Vec<RawContext>,
}

const REQUEST: &str = "SMB2 CREATE request";
const REQUEST_NAME: &str = "SMB2 CREATE request name";
const REQUEST_CONTEXTS: &str = "SMB2 CREATE request contexts";
/// Where the buffer of a request begins, counted from the SMB2 header.
const REQUEST_BUFFER: usize = HEADER_LEN + 56;

impl Request {
    /// The disposition, `None` if the number is none of the six.
    #[must_use]
    pub fn disposition(&self) -> Option<CreateDisposition> {
        CreateDisposition::from_raw(self.create_disposition)
    }

    /// Reads the request. A name that is present must begin at a multiple of 8 behind the fixed
    /// part and have an even length; so must the list of contexts begin.
    ///
    /// # Errors
    /// [`ParseError`] for a layout that breaks [MS-SMB2] 2.2.13.
    pub fn parse(element: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::at(element, HEADER_LEN, REQUEST)?;
        f.structure_size(57)?;
        f.skip(1)?;
        let requested_oplock_level = OplockLevel(f.u8()?);
        let impersonation_level = ImpersonationLevel(f.u32()?);
        f.skip(16)?;
        let desired_access = AccessMask::from_bits_retain(f.u32()?);
        let file_attributes = FileAttributes::from_bits_retain(f.u32()?);
        let share_access = ShareAccess::from_bits_retain(f.u32()?);
        let create_disposition = f.u32()?;
        let create_options = CreateOptions::from_bits_retain(f.u32()?);
        let name_offset = usize::from(f.u16()?);
        let name_len = usize::from(f.u16()?);
        let contexts = contexts_at(element, &mut f, REQUEST_BUFFER, REQUEST_CONTEXTS)?;
        if name_len != 0 && name_offset & 7 != 0 {
            return Err(ParseError::Misaligned(REQUEST_NAME));
        }
        let raw = sub_slice(element, name_offset, name_len, REQUEST_BUFFER, REQUEST_NAME)?;
        let name = if create_options.contains(CreateOptions::OPEN_BY_FILE_ID) {
            let (units, _) = raw.as_chunks::<2>();
            char::decode_utf16(units.iter().map(|&u| u16::from_le_bytes(u)))
                .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect()
        } else {
            decode_utf16(raw, REQUEST_NAME)?
        };
        Ok(Self {
            requested_oplock_level,
            impersonation_level,
            desired_access,
            file_attributes,
            share_access,
            create_disposition,
            create_options,
            name,
            contexts,
        })
    }

    /// Appends the body. The buffer has at least one byte, as the specification asks for.
    pub fn encode(&self, w: &mut Writer) {
        w.u16(57);
        w.u8(0);
        w.u8(self.requested_oplock_level.0);
        w.u32(self.impersonation_level.0);
        w.zeros(16);
        w.u32(self.desired_access.bits());
        w.u32(self.file_attributes.bits());
        w.u32(self.share_access.bits());
        w.u32(self.create_disposition);
        w.u32(self.create_options.bits());
        w.u16(len16(REQUEST_BUFFER));
        w.u16(len16(utf16_len(&self.name)));
        let contexts_at = w.position();
        w.zeros(8);
        w.utf16(&self.name);
        if self.contexts.is_empty() {
            if self.name.is_empty() {
                w.u8(0);
            }
        } else {
            encode_contexts(&self.contexts, contexts_at, w);
        }
    }
}

bitflags! {
    /// Flags of a CREATE response (3.x dialects).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    #[cfg_attr(feature = "serde", derive(serde::Serialize))]
    pub struct ResponseFlags: u8 {
        /// SMB2_CREATE_FLAG_REPARSEPOINT: the last component of the name is a reparse point.
        const REPARSEPOINT = 0x01;
        /// Bits without a name are kept as received.
        const _ = !0;
    }
}

/// SMB2 CREATE Response, [MS-SMB2] 2.2.14.
///
/// Body: StructureSize 89 (2 bytes), OplockLevel (1), Flags (1), CreateAction (4), four times (8
/// each), AllocationSize (8), EndofFile (8), FileAttributes (4), Reserved2 (4), FileId (16),
/// CreateContextsOffset (4), CreateContextsLength (4), buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Response {
    /// OplockLevel granted.
    pub oplock_level: OplockLevel,
    /// Flags.
    pub flags: ResponseFlags,
    /// CreateAction.
    pub create_action: CreateAction,
    /// CreationTime.
    pub creation_time: FileTime,
    /// LastAccessTime.
    pub last_access_time: FileTime,
    /// LastWriteTime.
    pub last_write_time: FileTime,
    /// ChangeTime.
    pub change_time: FileTime,
    /// AllocationSize in bytes.
    pub allocation_size: u64,
    /// EndofFile in bytes.
    pub end_of_file: u64,
    /// FileAttributes.
    pub file_attributes: FileAttributes,
    /// FileId of the new open.
    pub file_id: FileId,
    /// Create contexts.
    pub contexts: Vec<RawContext>,
}

const RESPONSE: &str = "SMB2 CREATE response";
const RESPONSE_CONTEXTS: &str = "SMB2 CREATE response contexts";
/// Where the buffer of a response begins, counted from the SMB2 header.
const RESPONSE_BUFFER: usize = HEADER_LEN + 88;

impl Response {
    /// Reads the response.
    ///
    /// # Errors
    /// [`ParseError`] for a layout that breaks [MS-SMB2] 2.2.14.
    pub fn parse(element: &Bytes) -> Result<Self, ParseError> {
        let mut f = Fields::at(element, HEADER_LEN, RESPONSE)?;
        f.structure_size(89)?;
        let oplock_level = OplockLevel(f.u8()?);
        let flags = ResponseFlags::from_bits_retain(f.u8()?);
        let create_action = CreateAction(f.u32()?);
        let creation_time = f.filetime()?;
        let last_access_time = f.filetime()?;
        let last_write_time = f.filetime()?;
        let change_time = f.filetime()?;
        let allocation_size = f.u64()?;
        let end_of_file = f.u64()?;
        let file_attributes = FileAttributes::from_bits_retain(f.u32()?);
        f.skip(4)?;
        let file_id = file_id::read(&mut f)?;
        let contexts = contexts_at(element, &mut f, RESPONSE_BUFFER, RESPONSE_CONTEXTS)?;
        Ok(Self {
            oplock_level,
            flags,
            create_action,
            creation_time,
            last_access_time,
            last_write_time,
            change_time,
            allocation_size,
            end_of_file,
            file_attributes,
            file_id,
            contexts,
        })
    }

    /// Appends the body.
    pub fn encode(&self, w: &mut Writer) {
        w.u16(89);
        w.u8(self.oplock_level.0);
        w.u8(self.flags.bits());
        w.u32(self.create_action.0);
        w.filetime(self.creation_time);
        w.filetime(self.last_access_time);
        w.filetime(self.last_write_time);
        w.filetime(self.change_time);
        w.u64(self.allocation_size);
        w.u64(self.end_of_file);
        w.u32(self.file_attributes.bits());
        w.u32(0);
        file_id::write(self.file_id, w);
        let contexts_at = w.position();
        w.zeros(8);
        if !self.contexts.is_empty() {
            encode_contexts(&self.contexts, contexts_at, w);
        }
    }
}

/// Reads CreateContextsOffset and CreateContextsLength and the list that they delimit.
fn contexts_at(
    element: &Bytes,
    f: &mut Fields<'_>,
    buffer: usize,
    what: &'static str,
) -> Result<Vec<RawContext>, ParseError> {
    let offset = usize::try_from(f.u32()?).map_err(|_| ParseError::OutOfBounds(what))?;
    let len = usize::try_from(f.u32()?).map_err(|_| ParseError::OutOfBounds(what))?;
    if len != 0 && offset & 7 != 0 {
        return Err(ParseError::Misaligned(what));
    }
    parse_chain(&slice_of(element, offset, len, buffer, what)?)
}

/// Appends the list at the next multiple of 8 and enters its offset and length at `fields`.
fn encode_contexts(contexts: &[RawContext], fields: usize, w: &mut Writer) {
    w.align(8);
    let start = w.position();
    encode_chain(contexts, w);
    w.patch_u32(fields, len32(start));
    w.patch_u32(
        fields.saturating_add(4),
        len32(w.position().saturating_sub(start)),
    );
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::test_util::{element, element_of, hex, round_trip};
    use super::*;

    fn contexts() -> impl Strategy<Value = Vec<RawContext>> {
        prop::collection::vec(
            (
                prop::collection::vec(any::<u8>(), 4..17),
                prop::collection::vec(any::<u8>(), 0..30),
            )
                .prop_map(|(name, data)| RawContext {
                    name: name.into(),
                    data: data.into(),
                }),
            0..4,
        )
    }

    fn request(name: &str, contexts: Vec<RawContext>) -> Request {
        Request {
            requested_oplock_level: OplockLevel::BATCH,
            impersonation_level: ImpersonationLevel::IMPERSONATION,
            desired_access: AccessMask::FILE_READ_DATA,
            file_attributes: FileAttributes::NORMAL,
            share_access: ShareAccess::READ,
            create_disposition: 1,
            create_options: CreateOptions::NON_DIRECTORY_FILE,
            name: name.into(),
            contexts,
        }
    }

    proptest! {
        #[test]
        fn requests(
            (oplock, level) in any::<(u8, u32)>(),
            (access, attributes, share) in any::<(u32, u32, u32)>(),
            (disposition, options) in any::<(u32, u32)>(),
            name in ".{0,20}",
            contexts in contexts(),
        ) {
            let value = Request {
                requested_oplock_level: OplockLevel(oplock),
                impersonation_level: ImpersonationLevel(level),
                desired_access: AccessMask::from_bits_retain(access),
                file_attributes: FileAttributes::from_bits_retain(attributes),
                share_access: ShareAccess::from_bits_retain(share),
                create_disposition: disposition,
                create_options: CreateOptions::from_bits_retain(options),
                name,
                contexts,
            };
            round_trip(&value, 56, Request::encode, Request::parse);
        }

        #[test]
        fn responses(
            (oplock, flags, action, attributes) in any::<(u8, u8, u32, u32)>(),
            times in any::<[u64; 4]>(),
            (allocation_size, end_of_file) in any::<(u64, u64)>(),
            (persistent, volatile) in any::<(u64, u64)>(),
            contexts in contexts(),
        ) {
            let value = Response {
                oplock_level: OplockLevel(oplock),
                flags: ResponseFlags::from_bits_retain(flags),
                create_action: CreateAction(action),
                creation_time: FileTime(times[0]),
                last_access_time: FileTime(times[1]),
                last_write_time: FileTime(times[2]),
                change_time: FileTime(times[3]),
                allocation_size,
                end_of_file,
                file_attributes: FileAttributes::from_bits_retain(attributes),
                file_id: FileId { persistent, volatile },
                contexts,
            };
            round_trip(&value, 88, Response::encode, Response::parse);
        }
    }

    /// Sent by smbtorture (smb2.durable-v2-open.create-blob).
    #[test]
    fn a_captured_request() {
        let body = hex("\
            390000090200000000000000000000000000000000000000ff011f008000000000000000
            030000006400200078005000c800000038000000640075007200610062006c0065005f00
            760032005f006f00700065006e005f006300720065006100740065005f0062006c006f00
            62005f00570036002d00610053007300230057002e006400610074000000000010000400
            00001800200000004448325100000000ffffffff000000000000000000000000df78e5b7
            f2a4b941a6ed565892cf8054");
        let request = Request::parse(&element_of(&body)).unwrap();
        assert_eq!(
            request,
            Request {
                requested_oplock_level: OplockLevel::BATCH,
                impersonation_level: ImpersonationLevel::IMPERSONATION,
                desired_access: AccessMask::FILE_ALL_ACCESS,
                file_attributes: FileAttributes::NORMAL,
                share_access: ShareAccess::empty(),
                create_disposition: CreateDisposition::OpenIf.into(),
                create_options: CreateOptions::from_bits_retain(0x0020_0064),
                name: "durable_v2_open_create_blob_W6-aSs#W.dat".into(),
                contexts: vec![RawContext {
                    name: Bytes::from_static(b"DH2Q"),
                    data: body[body.len() - 32..].to_vec().into(),
                }],
            }
        );
        assert_eq!(element(|w| request.encode(w))[64..], body);
    }

    /// Sent by Samba 4.17 to smbtorture (smb2.lease.v2_complex1).
    #[test]
    fn a_captured_response() {
        let body = hex("\
            5900ff0002000000a8867762837add01a8867762837add01a8867762837add01a8867762
            837add0100000000000000000000000000000000200000000000000064d6e0e200000000
            74809f8400000000980000004c0000000000000010000400000018003400000052714c73
            000000000df0dde0fe0fdcbaf20f221f01f0234501000000000000000000000000000000
            0000000000000000000000000000000012470000");
        let response = Response::parse(&element_of(&body)).unwrap();
        assert_eq!(
            response,
            Response {
                oplock_level: OplockLevel::LEASE,
                flags: ResponseFlags::empty(),
                create_action: CreateAction::CREATED,
                creation_time: FileTime(0x01dd_7a83_6277_86a8),
                last_access_time: FileTime(0x01dd_7a83_6277_86a8),
                last_write_time: FileTime(0x01dd_7a83_6277_86a8),
                change_time: FileTime(0x01dd_7a83_6277_86a8),
                allocation_size: 0,
                end_of_file: 0,
                file_attributes: FileAttributes::ARCHIVE,
                file_id: FileId {
                    persistent: 0xe2e0_d664,
                    volatile: 0x849f_8074,
                },
                contexts: vec![RawContext {
                    name: Bytes::from_static(b"RqLs"),
                    data: body[body.len() - 52..].to_vec().into(),
                }],
            }
        );
        assert_eq!(element(|w| response.encode(w))[64..], body);
    }

    #[test]
    fn refuses_names_that_are_not_where_they_should_be() {
        let good = element(|w| request("ab", vec![]).encode(w)).to_vec();
        assert_eq!(good.len(), REQUEST_BUFFER + 4);
        for (at, value, error) in [
            (108, 121, ParseError::Misaligned(REQUEST_NAME)),
            (108, 112, ParseError::OutOfBounds(REQUEST_NAME)),
            (108, 128, ParseError::OutOfBounds(REQUEST_NAME)),
            (110, 3, ParseError::BadString(REQUEST_NAME)),
            (110, 6, ParseError::OutOfBounds(REQUEST_NAME)),
            (64, 56, ParseError::BadStructure(REQUEST)),
        ] {
            let mut bad = good.clone();
            bad[at] = value;
            assert_eq!(Request::parse(&bad.into()), Err(error), "byte {at}");
        }
    }

    #[test]
    fn refuses_contexts_that_are_not_where_they_should_be() {
        let context = RawContext {
            name: Bytes::from_static(b"MxAc"),
            data: Bytes::new(),
        };
        let good = element(|w| request("ab", vec![context]).encode(w)).to_vec();
        assert_eq!(good[112], 128, "the name is padded to 8 bytes");
        for (at, value, error) in [
            (112, 132, ParseError::Misaligned(REQUEST_CONTEXTS)),
            (112, 112, ParseError::OutOfBounds(REQUEST_CONTEXTS)),
            (116, 255, ParseError::OutOfBounds(REQUEST_CONTEXTS)),
        ] {
            let mut bad = good.clone();
            bad[at] = value;
            assert_eq!(Request::parse(&bad.into()), Err(error), "byte {at}");
        }
    }

    #[test]
    fn the_root_has_an_empty_name_at_any_offset() {
        let mut bytes = element(|w| request("", vec![]).encode(w)).to_vec();
        assert_eq!(bytes.len(), REQUEST_BUFFER + 1);
        bytes[108] = 0;
        assert_eq!(Request::parse(&bytes.into()).unwrap().name, "");
    }

    #[test]
    fn ids_in_place_of_names_are_read() {
        let mut bytes = element(|w| request("abcd", vec![]).encode(w)).to_vec();
        bytes[REQUEST_BUFFER..].copy_from_slice(&[0, 0xd8, 0, 0, 1, 0, 0, 0]);
        assert_eq!(
            Request::parse(&bytes.clone().into()),
            Err(ParseError::BadString(REQUEST_NAME))
        );
        bytes[104..108].copy_from_slice(&0x2000u32.to_le_bytes());
        assert_eq!(
            Request::parse(&bytes.into()).unwrap().name,
            "\u{fffd}\0\u{1}\0"
        );
    }
}
