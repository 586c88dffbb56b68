//! The structures inside messages; the first byte chooses which.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use smb_proto::create_ctx::{parse_chain, RequestContext, Requested, ResponseContext};
use smb_proto::dtyp::{SecurityDescriptor, Sid};
use smb_proto::info::dir::{parse_list, DirClass};
use smb_proto::info::{file, fs, notify, quota};
use smb_proto::{fsctl, smb1};

fuzz_target!(|data: &[u8]| {
    let Some((&kind, rest)) = data.split_first() else { return };
    let bytes = Bytes::copy_from_slice(rest);
    match kind % 12 {
        0 => {
            if let Ok(contexts) = parse_chain(&bytes) {
                for c in &contexts {
                    let _ = RequestContext::parse(c);
                    let _ = ResponseContext::parse(c);
                }
                let _ = Requested::from_raw(&contexts);
            }
        }
        1 => {
            let _ = SecurityDescriptor::parse(&bytes);
        }
        2 => {
            let _ = Sid::parse(&bytes);
        }
        3 => {
            let _ = file::FileFullEaInformation::parse_list(&bytes);
            let _ = file::FileGetEaInformation::parse_list(&bytes);
        }
        4 => {
            let _ = file::FileRenameInformation::parse(&bytes);
            let _ = file::FileStreamInformation::parse_list(&bytes);
            let _ = file::FileAllInformation::parse(&bytes);
        }
        5 => {
            for code in 0..=u8::MAX {
                if let Some(class) = DirClass::from_code(code) {
                    let _ = parse_list(class, &bytes);
                }
            }
        }
        6 => {
            let _ = notify::parse(&bytes);
            let _ = quota::FileQuotaInformation::parse_list(&bytes);
            let _ = quota::QueryQuotaInfo::parse(&bytes);
        }
        7 => {
            let _ = fs::FileFsVolumeInformation::parse(&bytes);
            let _ = fs::FileFsAttributeInformation::parse(&bytes);
        }
        8 => {
            let _ = fsctl::SrvCopychunkCopy::parse(&bytes);
            let _ = fsctl::ValidateNegotiateRequest::parse(&bytes);
            let _ = fsctl::parse_ranges(&bytes);
        }
        9 => {
            let _ = fsctl::reparse::ReparseDataBuffer::parse(&bytes);
            let _ = fsctl::DfsReferralRequest::parse(&bytes);
        }
        10 => {
            let _ = fsctl::parse_interfaces(&bytes);
            let _ = fsctl::FileLevelTrim::parse(&bytes);
        }
        _ => {
            let _ = smb1::NegotiateRequest::parse(&bytes);
        }
    }
});
