//! Negotiation and authentication, in every combination of dialect and protection.

use driver_sim::client::{ClientConfig, ClientEvent, Credentials, LogonFor, Spoil, Target, ops};
use driver_sim::pair::{End, Pair};
use smb_engine::config::{EncryptionPolicy, MapToGuest};
use smb_engine::output::CloseReason;
use smb_proto::crypto::{Cipher, SigningAlgorithm};
use smb_proto::fsctl::{FsctlCode, ValidateNegotiateRequest};
use smb_proto::id::FileId;
use smb_proto::msg::negotiate::{GlobalCapabilities, SecurityMode};
use smb_proto::msg::session_setup::SessionFlags;
use smb_proto::msg::{echo, logoff};
use smb_proto::spnego::Mechanism;
use smb_proto::wire::Writer;
use smb_proto::{Dialect, Guid, NtStatus, smb1};

fn user() -> Credentials {
    Credentials::new("user", "secret")
}

/// Logs on, connects to a share, sends an ECHO with and without session; all of it protected as the
/// configuration says.
fn whole_conversation(pair: &mut Pair, config: ClientConfig) -> End {
    let end = pair.connect_as(config);
    let tree = pair.mount_on(end);
    let reply = pair.call(tree, echo::Request);
    assert_eq!(reply.status(), NtStatus::SUCCESS);
    assert_eq!(pair.fault(end), None);
    end
}

#[test]
fn every_dialect_signed_and_not() {
    for dialect in Dialect::ALL {
        for sign in [false, true] {
            let mut pair = Pair::new();
            let mut config = ClientConfig::only(dialect);
            if sign {
                config = config.signing();
            }
            let end = whole_conversation(&mut pair, config);
            let n = pair.client(end).negotiated().unwrap().clone();
            assert_eq!(n.dialect, dialect);
            let session = pair.logon(end, user()).unwrap();
            let tree = pair.tree(end, session, "files").unwrap();
            let reply = pair.call(tree, echo::Request);
            assert_eq!(reply.signed, sign, "{dialect}");
            pair.finish();
        }
    }
}

#[test]
fn every_signing_algorithm() {
    for algorithm in SigningAlgorithm::ALL {
        let mut pair = Pair::builder().signing_required().build();
        let config = ClientConfig::only(Dialect::Smb311)
            .signing_algorithm(algorithm)
            .signing();
        let end = whole_conversation(&mut pair, config);
        assert_eq!(pair.client(end).negotiated().unwrap().signing, algorithm);
        pair.finish();
    }
}

#[test]
fn every_cipher() {
    let all = Cipher::ALL.map(|c| (Dialect::Smb311, c)).into_iter();
    let old = [Dialect::Smb300, Dialect::Smb302].map(|d| (d, Cipher::Aes128Ccm));
    for (dialect, cipher) in all.chain(old) {
        let mut pair = Pair::builder()
            .encryption(EncryptionPolicy::Required)
            .build();
        let config = ClientConfig::only(dialect).cipher(cipher);
        let end = pair.connect_as(config);
        assert_eq!(pair.client(end).negotiated().unwrap().cipher, Some(cipher));
        let tree = pair.mount_on(end);
        let flags = pair.client_events(end).into_iter().find_map(|e| match e {
            ClientEvent::LoggedOn { flags, .. } => Some(flags),
            _ => None,
        });
        assert_eq!(flags, Some(SessionFlags::ENCRYPT_DATA));
        assert!(pair.call(tree, echo::Request).sealed);
        pair.finish();
    }
}

#[test]
fn a_client_that_wants_encryption_gets_it() {
    for dialect in [Dialect::Smb300, Dialect::Smb302, Dialect::Smb311] {
        let mut pair = Pair::new();
        let end = whole_conversation(&mut pair, ClientConfig::only(dialect).encrypting());
        let session = pair.logon(end, user()).unwrap();
        let tree = pair.tree(end, session, "files").unwrap();
        assert!(pair.call(tree, echo::Request).sealed);
        pair.finish();
    }
}

#[test]
fn a_share_that_is_encrypted() {
    let mut pair = Pair::builder()
        .share("files", |s| s.encryption = EncryptionPolicy::Required)
        .build();
    let end = pair.connect_as(ClientConfig::only(Dialect::Smb311));
    let tree = pair.mount_on(end);
    assert!(pair.call(tree, echo::Request).sealed);
    // Who cannot encrypt stays outside.
    let old = pair.connect_as(ClientConfig::only(Dialect::Smb210));
    let session = pair.logon(old, user()).unwrap();
    assert_eq!(
        pair.tree(old, session, "files"),
        Err(NtStatus::ACCESS_DENIED)
    );
    pair.finish();
}

#[test]
fn the_newest_common_dialect_is_taken() {
    for newest in Dialect::ALL {
        let mut pair = Pair::builder().config(|c| c.max_dialect = newest).build();
        let end = pair.connect();
        assert_eq!(pair.client(end).negotiated().unwrap().dialect, newest);
        pair.finish();
    }
}

#[test]
fn no_common_dialect() {
    let mut pair = Pair::builder()
        .config(|c| c.min_dialect = Dialect::Smb300)
        .build();
    let end = pair.accept(ClientConfig::only(Dialect::Smb210));
    pair.client(end).negotiate();
    pair.run();
    assert_eq!(
        pair.client_events(end),
        [ClientEvent::NegotiateFailed(NtStatus::NOT_SUPPORTED)]
    );
    pair.finish();
}

#[test]
fn beginning_with_smb1() {
    for (strings, dialect) in [
        (&[smb1::DIALECT_SMB_2_WILDCARD][..], Dialect::Smb311),
        (
            &[smb1::DIALECT_SMB_2_002, smb1::DIALECT_SMB_2_WILDCARD],
            Dialect::Smb311,
        ),
        (&[smb1::DIALECT_SMB_2_002], Dialect::Smb202),
    ] {
        let mut pair = Pair::new();
        let mut all = vec![bytes::Bytes::from_static(b"NT LM 0.12")];
        all.extend(strings.iter().map(|s| bytes::Bytes::from_static(s)));
        let config = ClientConfig {
            smb1_dialects: Some(all),
            ..ClientConfig::default().signing()
        };
        let end = whole_conversation(&mut pair, config);
        assert_eq!(pair.client(end).negotiated().unwrap().dialect, dialect);
        pair.finish();
    }
}

#[test]
fn who_began_with_smb1_can_validate_the_negotiation() {
    // [MS-SMB2] 3.3.5.15.12: it has told neither id nor security mode nor capabilities.
    let mut pair = Pair::new();
    let end = pair.connect_as(ClientConfig {
        smb1_dialects: Some(vec![bytes::Bytes::from_static(smb1::DIALECT_SMB_2_002)]),
        ..ClientConfig::default().signing()
    });
    let tree = pair.mount_on(end);
    let mut w = Writer::new();
    ValidateNegotiateRequest {
        capabilities: 0,
        guid: Guid::NIL,
        security_mode: 0,
        dialects: vec![Dialect::Smb202.into()],
    }
    .encode(&mut w);
    let code = FsctlCode::VALIDATE_NEGOTIATE_INFO;
    let request = ops::fsctl(FileId::RELATED, code, w.into_inner().freeze(), 24);
    let reply = pair.call(tree, request);
    assert_eq!(reply.status(), NtStatus::SUCCESS);
    pair.finish();
}

#[test]
fn only_dialects_with_multichannel_bind() {
    for (dialect, status) in [
        (Dialect::Smb202, NtStatus::REQUEST_NOT_ACCEPTED),
        (Dialect::Smb210, NtStatus::REQUEST_NOT_ACCEPTED),
        (Dialect::Smb302, NtStatus::SUCCESS),
    ] {
        let mut pair = Pair::builder().config(|c| c.multichannel = true).build();
        let first = pair.connect_as(ClientConfig::only(Dialect::Smb302));
        let session = pair.logon(first, user()).unwrap();
        let exported = pair.client(first).export(session).unwrap();
        let second = pair.connect_as(ClientConfig::only(dialect));
        let bound = pair.logon_for(second, user(), LogonFor::Bind(exported));
        assert_eq!(
            bound.err().unwrap_or(NtStatus::SUCCESS),
            status,
            "{dialect}"
        );
        pair.finish();
    }
}

#[test]
fn ways_to_authenticate() {
    let many = Credentials {
        mechanisms: vec![
            Mechanism::MsKerberos,
            Mechanism::Kerberos,
            Mechanism::Ntlmssp,
        ],
        ..user()
    };
    let plain = Credentials {
        mic: false,
        mech_list_mic: false,
        key_exchange: false,
        ..user()
    };
    let domain = Credentials {
        domain: "WORKGROUP".to_owned(),
        user: "USER".to_owned(),
        ..user()
    };
    for credentials in [
        user(),
        user().bare(),
        many,
        plain.clone(),
        plain.bare(),
        domain,
    ] {
        for dialect in [Dialect::Smb202, Dialect::Smb300, Dialect::Smb311] {
            let mut pair = Pair::new();
            let end = pair.connect_as(ClientConfig::only(dialect).signing());
            let session = pair.logon(end, credentials.clone());
            assert!(session.is_ok(), "{credentials:?}: {session:?}");
            pair.finish();
        }
    }
}

#[test]
fn wrong_proofs_are_refused() {
    let wrong = [
        Credentials::new("user", "Secret"),
        Credentials::new("nobody at all", "secret"),
        user().spoiled(Spoil::Proof),
        user().spoiled(Spoil::Mic),
        user().spoiled(Spoil::MechListMic),
        user().bare().spoiled(Spoil::Mic),
        Credentials {
            mechanisms: vec![Mechanism::Kerberos],
            ..user()
        },
    ];
    let mut pair = Pair::new();
    let end = pair.connect();
    for credentials in wrong {
        let session = pair.logon(end, credentials.clone());
        assert_eq!(session, Err(NtStatus::LOGON_FAILURE), "{credentials:?}");
    }
    // The connection is as good as before, and nothing is left of the attempts.
    assert_eq!(pair.counts().sessions, 0);
    pair.mount_on(end);
    pair.finish();
}

#[test]
fn anonymous_and_guest() {
    let mut pair = Pair::builder()
        .config(|c| c.map_to_guest = MapToGuest::BadUser)
        .share("files", |s| s.guest_ok = true)
        .build();
    let end = pair.connect();
    for (credentials, flag) in [
        (Credentials::anonymous(), SessionFlags::IS_NULL),
        (Credentials::new("stranger", "x"), SessionFlags::IS_GUEST),
    ] {
        let session = pair.logon(end, credentials).unwrap();
        let flags = pair.client_events(end).into_iter().find_map(|e| match e {
            ClientEvent::LoggedOn { flags, .. } => Some(flags),
            _ => None,
        });
        assert_eq!(flags, Some(flag));
        if flag == SessionFlags::IS_GUEST {
            pair.tree(end, session, "files").unwrap();
        }
        // A share that wants users.
        let refused = pair.tree(end, session, "readonly");
        assert_eq!(refused, Err(NtStatus::ACCESS_DENIED), "{flag:?}");
    }
    // A known user with a wrong password does not become guest.
    let refused = pair.logon(end, Credentials::new("user", "wrong"));
    assert_eq!(refused, Err(NtStatus::LOGON_FAILURE));
    pair.finish();
}

#[test]
fn proving_again_keeps_the_session() {
    for dialect in Dialect::ALL {
        let mut pair = Pair::new();
        let end = pair.connect_as(ClientConfig::only(dialect).signing());
        let tree = pair.mount_on(end);
        let id = tree.target.session;
        let again = pair.logon_for(end, user(), LogonFor::Again(id));
        assert_eq!(again, Ok(id));
        assert!(pair.call(tree, echo::Request).signed);
        // A failed repetition ends the session and what it has open ([MS-SMB2] 3.3.5.5.3).
        pair.create_new(tree, "f").unwrap();
        let wrong = Credentials::new("user", "wrong");
        let failed = pair.logon_for(end, wrong, LogonFor::Again(id));
        assert_eq!(failed, Err(NtStatus::LOGON_FAILURE));
        assert_eq!((pair.counts().sessions, pair.counts().opens), (0, 0));
        assert!(pair.is_connected(end));
        pair.finish();
    }
}

#[test]
fn a_session_replaces_the_one_of_a_lost_connection() {
    let mut pair = Pair::new();
    let old = pair.mount();
    let end = pair.connect();
    let purpose = LogonFor::Replacing(old.target.session);
    pair.logon_for(end, user(), purpose.clone()).unwrap();
    assert_eq!(pair.counts().sessions, 1);
    // Only the same user can do that.
    let old = pair.mount();
    let end = pair.connect();
    let purpose = LogonFor::Replacing(old.target.session);
    let other = Credentials::new("other", "secret");
    pair.logon_for(end, other, purpose).unwrap();
    assert_eq!(pair.call(old, echo::Request).status(), NtStatus::SUCCESS);
    assert_eq!(pair.counts().sessions, 3);
    pair.finish();
}

#[test]
fn a_session_on_two_connections() {
    for dialect in [Dialect::Smb300, Dialect::Smb302, Dialect::Smb311] {
        let mut pair = Pair::builder().config(|c| c.multichannel = true).build();
        let config = ClientConfig {
            capabilities: GlobalCapabilities::LARGE_MTU
                | GlobalCapabilities::ENCRYPTION
                | GlobalCapabilities::MULTI_CHANNEL,
            ..ClientConfig::only(dialect).signing()
        };
        let first = pair.connect_as(config.clone());
        let tree = pair.mount_on(first);
        let exported = pair.client(first).export(tree.target.session).unwrap();
        let second = pair.connect_as(ClientConfig { seed: 77, ..config });
        let bound = pair.logon_for(second, user(), LogonFor::Bind(exported));
        assert_eq!(bound, Ok(tree.target.session));
        let reply = pair.call_end(second, tree.target, echo::Request);
        assert!(reply.signed);
        // The session lives on in its second channel.
        pair.disconnect(first);
        assert_eq!(pair.counts().sessions, 1);
        let reply = pair.call_end(second, tree.target, echo::Request);
        assert!(reply.signed);
        pair.finish();
    }
}

#[test]
fn who_does_not_log_on_is_disconnected() {
    let mut pair = Pair::new();
    let end = pair.connect();
    let lazy = pair.accept(ClientConfig::default());
    pair.mount_on(end);
    pair.advance(std::time::Duration::from_secs(31));
    assert!(matches!(
        pair.close_reason(lazy),
        Some(CloseReason::Fault(_))
    ));
    assert!(pair.is_connected(end));
    pair.finish();
}

#[test]
fn a_server_that_demands_signatures_says_so() {
    let mut pair = Pair::builder().signing_required().build();
    let end = pair.connect();
    let n = pair.client(end).negotiated().unwrap();
    assert!(
        n.response
            .security_mode
            .contains(SecurityMode::SIGNING_REQUIRED)
    );
    let tree = pair.mount_on(end);
    assert!(pair.call(tree, echo::Request).signed);
    // Nobody without a key gets in.
    let end = pair.connect();
    let refused = pair.logon(end, Credentials::anonymous());
    assert_eq!(refused, Err(NtStatus::ACCESS_DENIED));
    let reply = pair.call_end(end, Target::NONE, echo::Request);
    assert_eq!(reply.status(), NtStatus::SUCCESS);
    pair.finish();
}

/// Its answer is protected with the keys of the session, which the client forgets with the answer to
/// the LOGOFF.
#[test]
fn a_logoff_waits_for_a_repeated_proof() {
    let protections: [fn(ClientConfig) -> ClientConfig; 3] = [
        ClientConfig::signing,
        ClientConfig::encrypting,
        std::convert::identity,
    ];
    for protect in protections {
        let mut pair = Pair::new();
        let end = pair.connect_as(protect(ClientConfig::only(Dialect::Smb311)));
        let tree = pair.mount_on(end);
        let session = tree.target.session;
        pair.hold_lookups();
        let again = pair.client(end).logon(user(), LogonFor::Again(session));
        pair.run();
        assert_eq!(pair.held_lookups().count(), 1);
        let id = pair
            .client(end)
            .send(Target::session(session), logoff::Request);
        pair.run();
        assert!(pair.reply(end, id).is_none());
        assert_eq!(pair.counts().sessions, 0);
        pair.release();
        assert_eq!(
            pair.logon_outcome(end, again),
            Err(NtStatus::USER_SESSION_DELETED)
        );
        assert_eq!(pair.wait(end, id).status(), NtStatus::SUCCESS);
        assert_eq!(pair.fault(end), None);
        pair.finish();
    }
}
