//! "AAPL": what macOS asks.

use smb_proto::NtStatus;
use smb_proto::create_ctx::{
    AaplCaps, AaplQueryBits, AaplRequest, AaplResponse, AaplServerReply, AaplVolumeCaps,
};

/// The model that is shown; the Finder has an icon for it.
const MODEL: &str = "MacSamba";

/// Answers what was asked and nothing else. None of the optional behaviours is there: listings
/// carry no Apple attributes, ids are not resolved to paths, names do not differ by case.
pub(super) fn answer(asked: AaplRequest) -> AaplResponse {
    match asked {
        AaplRequest::ServerQuery { bitmap, .. } => {
            let wants = |bit| bitmap.contains(bit);
            AaplResponse::ServerQuery(AaplServerReply {
                server_caps: wants(AaplQueryBits::SERVER_CAPS).then_some(AaplCaps::empty()),
                volume_caps: wants(AaplQueryBits::VOLUME_CAPS).then_some(AaplVolumeCaps::empty()),
                model: wants(AaplQueryBits::MODEL_INFO).then(|| MODEL.to_owned()),
            })
        }
        AaplRequest::ResolveId { .. } => AaplResponse::ResolveId {
            status: NtStatus::NOT_SUPPORTED,
            path: String::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_what_was_asked() {
        let asked = AaplRequest::ServerQuery {
            bitmap: AaplQueryBits::SERVER_CAPS | AaplQueryBits::MODEL_INFO,
            client_caps: AaplCaps::all(),
        };
        let AaplResponse::ServerQuery(r) = answer(asked) else {
            panic!("another answer");
        };
        assert_eq!(r.server_caps, Some(AaplCaps::empty()));
        assert_eq!(r.volume_caps, None);
        assert_eq!(r.model.as_deref(), Some(MODEL));
    }
}
