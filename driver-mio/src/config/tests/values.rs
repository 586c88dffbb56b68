//! Values of single parameters.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use smb_proto::Dialect;
use smb_proto::crypto::{Cipher, SigningAlgorithm};

use super::{good, lines, one_mistake, warned};
use crate::config::hosts;
use crate::config::listen::{LocalAddress, NoSuchInterface, listen_on, reported};
use crate::config::value::{list, parse_size, show_size};
use crate::config::{
    Global, HostList, HostPattern, LogLevel, MapToGuest, Mappings, Mode, Principal, Setting,
    ShareConfig, Signing, SnapshotOrder, VfsObjects,
};
use crate::fs::Mangled;

/// The share of a configuration with these lines in it.
#[track_caller]
fn share(text: &str) -> ShareConfig {
    good(&format!("[s]\npath = /s\n{text}")).shares[0].clone()
}

#[track_caller]
fn global(text: &str) -> Global {
    good(&format!("[global]\n{text}")).global
}

#[test]
fn booleans() {
    for word in ["yes", "Yes", "TRUE", "on", "1", "enable"] {
        assert!(share(&format!("guest ok = {word}")).guest_ok, "{word}");
    }
    for word in ["no", "False", "off", "0"] {
        assert!(!share(&format!("browseable = {word}")).browseable, "{word}");
    }
    one_mistake(
        "[s]\npath = /s\nguest ok = yess",
        "3:12 expected `yes` or `no` for `guest ok`, found `yess`",
    );
}

#[test]
fn sizes() {
    assert_eq!(parse_size("0").unwrap(), 0);
    assert_eq!(parse_size("512").unwrap(), 512);
    assert_eq!(parse_size("4k").unwrap(), 4096);
    assert_eq!(parse_size("4MB").unwrap(), 4 << 20);
    assert_eq!(parse_size("3 G").unwrap(), 3 << 30);
    assert_eq!(parse_size("1T").unwrap(), 1 << 40);
    assert_eq!(parse_size("1P").unwrap(), 1 << 50);
    assert_eq!(parse_size("15E").unwrap(), 15 << 60);
    assert_eq!(parse_size("0x10000").unwrap(), 65536);
    for wrong in [
        "",
        "K",
        "4X",
        "4MiB",
        "-1",
        "16E",
        "99999999999999999999",
        "4 4",
    ] {
        assert!(parse_size(wrong).is_err(), "{wrong}");
    }
    assert_eq!(show_size(4 << 20), "4M");
    assert_eq!(show_size(1000), "1000");
    assert_eq!(show_size(0), "0");
}

#[test]
fn sizes_of_requests_stay_in_bounds() {
    assert_eq!(global("smb2 max read = 1048576").smb2_max_read.0, 1 << 20);
    let (config, warnings) = warned("[global]\nsmb2 max write = 16M\nsmb2 max trans = 1");
    assert_eq!(config.global.smb2_max_write.0, 8 << 20);
    assert_eq!(config.global.smb2_max_trans.0, 64 << 10);
    assert_eq!(
        warnings,
        [
            "2:18 `smb2 max write`: 16M is outside 64K to 8M: 8M is used",
            "3:18 `smb2 max trans`: 1 is outside 64K to 8M: 64K is used",
        ]
    );
    let (config, _) = warned("[global]\nsmb2 max credits = 16K");
    assert_eq!(config.global.smb2_max_credits.0, 8192);
    assert_eq!(global("smb2 max credits = 512").smb2_max_credits.0, 512);
}

#[test]
fn limits() {
    assert_eq!(global("max connections = 1K").max_connections.0, 1024);
    assert_eq!(global("max ip connections = 0").max_ip_connections.0, 65536);
    let (config, warnings) = warned("[global]\nmax active sessions = 1M");
    assert_eq!(config.global.max_active_sessions.0, 65536);
    assert_eq!(warnings.len(), 1);
    one_mistake(
        "[global]\nmax open files = many",
        "2:18 expected a number with or without one of K, M, G, T, P, E, as in `4M` for `max open files`, found `many`",
    );
}

#[test]
fn permission_bits() {
    assert_eq!(share("create mask = 0664").create_mask, Mode(0o664));
    assert_eq!(share("directory mode = 775").directory_mask, Mode(0o775));
    for wrong in ["0888", "10000", "rwx"] {
        one_mistake(
            &format!("[s]\npath = /s\nforce create mode = {wrong}"),
            &format!(
                "3:21 expected permission bits in octal from 0000 to 7777 for `force create mode`, found `{wrong}`"
            ),
        );
    }
}

#[test]
fn dialects() {
    for (word, dialect) in [
        ("SMB2_02", Dialect::Smb202),
        ("smb2_10", Dialect::Smb210),
        ("SMB2", Dialect::Smb210),
        ("SMB3_00", Dialect::Smb300),
        ("SMB3_02", Dialect::Smb302),
        ("SMB3_11", Dialect::Smb311),
        ("SMB3", Dialect::Smb311),
    ] {
        assert_eq!(
            global(&format!("server min protocol = {word}"))
                .server_min_protocol
                .0,
            dialect
        );
    }
    let (config, warnings) = warned("[global]\nserver min protocol = NT1");
    assert_eq!(config.global.server_min_protocol.0, Dialect::Smb202);
    assert_eq!(
        warnings,
        ["2:23 `server min protocol`: `NT1` is SMB1, which is not supported: SMB2_02 is used"]
    );
    one_mistake(
        "[global]\nserver max protocol = 3.1.1",
        "2:23 expected one of SMB2_02, SMB2_10, SMB3_00, SMB3_02, SMB3_11, SMB2 (SMB2_10), SMB3 (SMB3_11) for `server max protocol`, found `3.1.1`",
    );
}

#[test]
fn signing_and_algorithms() {
    assert_eq!(
        global("server signing = Mandatory").signing,
        Signing::Mandatory
    );
    assert_eq!(
        global("server signing = required").signing,
        Signing::Mandatory
    );
    assert_eq!(global("server signing = disabled").signing, Signing::Auto);
    assert_eq!(
        global("server smb3 signing algorithms = hmac-sha256, AES-128-CMAC")
            .signing_algorithms
            .0,
        [SigningAlgorithm::HmacSha256, SigningAlgorithm::AesCmac]
    );
    assert_eq!(
        global("server smb3 encryption algorithms = -AES-128-GCM -AES-128-CCM")
            .ciphers
            .0,
        [Cipher::Aes256Gcm, Cipher::Aes256Ccm]
    );
    one_mistake(
        "[global]\nserver smb3 encryption algorithms = AES-512-GCM",
        "2:37 expected `AES-128-GCM`, `AES-128-CCM`, `AES-256-GCM` or `AES-256-CCM` for `server smb3 encryption algorithms`, found `AES-512-GCM`",
    );
    one_mistake(
        "[global]\nserver smb3 signing algorithms = AES-128-CMAC -HMAC-SHA256",
        "2:34 expected either a list of algorithms or changes to the default list that all begin with `-` or `+` for `server smb3 signing algorithms`, found `AES-128-CMAC -HMAC-SHA256`",
    );
    one_mistake(
        "[global]\nserver smb3 signing algorithms = -AES-128-CMAC -AES-128-GMAC -HMAC-SHA256",
        "2:34 expected at least one of `AES-128-GMAC`, `AES-128-CMAC` or `HMAC-SHA256` for `server smb3 signing algorithms`, found `-AES-128-CMAC -AES-128-GMAC -HMAC-SHA256`",
    );
}

#[test]
fn guests() {
    assert_eq!(
        global("map to guest = Bad User").map_to_guest,
        MapToGuest::BadUser
    );
    let (config, warnings) = warned("[global]\nmap to guest = bad password");
    assert_eq!(config.global.map_to_guest, MapToGuest::Never);
    assert_eq!(
        warnings,
        [
            "2:16 `map to guest`: `bad password` is not supported: nobody becomes guest, as with `never`"
        ]
    );
}

#[test]
fn lists_of_users() {
    let user = |name: &str| Principal::User(name.to_owned());
    let group = |name: &str| Principal::Group(name.to_owned());
    assert_eq!(
        share("valid users = anna,bob  @staff\t+\"big staff\", \"Carl Q\"").valid_users,
        [
            user("anna"),
            user("bob"),
            group("staff"),
            group("big staff"),
            user("Carl Q")
        ]
    );
    one_mistake(
        "[s]\npath = /s\nvalid users = ,",
        "3:15 expected user names, and group names after `@` for `valid users`, found `,`",
    );
    one_mistake(
        "[s]\npath = /s\nwrite list = @",
        "3:14 expected user names, and group names after `@` for `write list`, found `@`",
    );
    let (_, warnings) = warned("[s]\npath = /s\nadmin users = &net");
    assert_eq!(
        warnings,
        [
            "3:15 `admin users`: NIS netgroups are not supported: `&net` is taken for a group of the system"
        ]
    );
}

#[test]
fn lists() {
    assert_eq!(list("a, b;c\td  \"e f\"g"), ["a", "b", "c", "d", "e fg"]);
    assert_eq!(list(" , "), Vec::<String>::new());
}

#[test]
fn vetoed_names() {
    assert_eq!(
        share("veto files = /.DS_Store/*.tmp/my file/").veto_files.0,
        [".DS_Store", "*.tmp", "my file"]
    );
    one_mistake(
        "[s]\npath = /s\nveto files = *.tmp",
        "3:14 expected names between slashes, as in `/Thumbs.db/*.tmp/` for `veto files`, found `*.tmp`",
    );
}

#[test]
fn modules() {
    assert_eq!(share("").vfs_objects, VfsObjects::default());
    let (config, warnings) =
        warned("[s]\npath = /s\nvfs objects = recycle fruit streams_xattr full_audit");
    let objects = config.shares[0].vfs_objects;
    assert!(objects.streams_xattr && objects.fruit);
    assert!(!objects.acl_xattr && !objects.catia);
    assert_eq!(objects.show(), "fruit streams_xattr");
    assert_eq!(warnings.len(), 2);
}

#[test]
fn snapshots() {
    let text = "[s]\npath = /s\nvfs objects = acl_xattr shadow_copy2\nshadow:snapdir = /snap/x\n\
                shadow:format = s_%Y-%m-%d_%T\nshadow:sort = asc\nshadow:basedir = /\n\
                shadow:localtime = no";
    let (config, warnings) = warned(text);
    assert_eq!(warnings, [""; 0]);
    let s = &config.shares[0];
    assert!(s.vfs_objects.shadow_copy2 && s.vfs_objects.acl_xattr);
    assert_eq!(s.vfs_objects.show(), "acl_xattr shadow_copy2");
    assert_eq!(s.shadow_snapdir.0, Path::new("/snap/x"));
    assert_eq!(s.shadow_format.0, "s_%Y-%m-%d_%T");
    assert_eq!(s.shadow_sort, SnapshotOrder::OldestFirst);
    one_mistake(
        "[s]\npath = /s\nshadow:format = %q",
        "3:17 expected a name with %Y, %m, %d, %H, %M, %S, %s, %F, %T and %% for `shadow:format`, found `%q`",
    );
    one_mistake(
        "[s]\npath = /s\nshadow:snapdir = ../x",
        "3:18 expected a directory, without `..` for `shadow:snapdir`, found `../x`",
    );
}

#[test]
fn mangled_and_mapped_names() {
    let s = share(
        "mangled names = illegal\nhide files = /thumbs.db/~*/\ncatia:mappings = 0x3a:0xf7, 0x2A:0xa4",
    );
    assert_eq!(s.mangled_names, Mangled::Illegal);
    assert_eq!(s.hide_files.0, ["thumbs.db", "~*"]);
    assert_eq!(
        s.catia_mappings.0.pairs(),
        [(':', '\u{f7}'), ('*', '\u{a4}')]
    );
    assert_eq!(s.catia_mappings.show(), "0x3a:0xf7,0x2a:0xa4");
    for bad in [
        "0x3a",
        "3a:f7",
        "0x3a:0x3a",
        "0x3a:0xf7,0x3a:0xa4",
        "0xd800:0x41",
    ] {
        assert!(Mappings::parse(bad, &mut Vec::new()).is_err(), "{bad}");
    }
}

#[test]
fn macros_are_taken_as_they_are() {
    let (config, warnings) = warned("[global]\nserver string = %h server at 100% speed");
    assert_eq!(config.global.server_string, "%h server at 100% speed");
    assert_eq!(
        warnings,
        ["2:17 `server string`: macros are not supported: `%h` is taken as it is written"]
    );
}

#[test]
fn levels_of_logging() {
    assert_eq!(global("log level = 0").log_level, LogLevel::Warn);
    assert_eq!(global("log level = 2").log_level, LogLevel::Info);
    assert_eq!(global("debuglevel = 3").log_level, LogLevel::Debug);
    assert_eq!(global("log level = 10").log_level.filter(), "trace");
    let (config, warnings) = warned("[global]\nlog level = 1 auth:5");
    assert_eq!(config.global.log_level, LogLevel::Info);
    assert_eq!(warnings.len(), 1);
}

#[test]
fn netbios_names() {
    assert_eq!(
        global("netbios name = FIFTEEN-LETTERS")
            .netbios_name
            .0
            .len(),
        15
    );
    one_mistake(
        "[global]\nnetbios name = SIXTEEN-LETTERS-",
        "2:16 expected a NetBIOS name: 1 to 15 characters, none of \\ / : * ? \" < > | for `netbios name`, found `SIXTEEN-LETTERS-`",
    );
}

fn list_of(text: &str) -> HostList {
    HostList::parse(text, &mut Vec::new()).unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn host_patterns() {
    let list = list_of("192.168.1.7, 10.0.0.0/8 172.16. 150.203.15.0/255.255.255.0 fd00::/8");
    for inside in [
        "192.168.1.7",
        "10.255.0.1",
        "172.16.9.9",
        "150.203.15.1",
        "fd12::1",
        "::ffff:10.0.0.1",
    ] {
        assert!(list.names(ip(inside)), "{inside}");
    }
    for outside in [
        "192.168.1.8",
        "11.0.0.1",
        "172.17.0.1",
        "150.203.16.1",
        "fe80::1",
    ] {
        assert!(!list.names(ip(outside)), "{outside}");
    }
    let list = list_of("150.203. EXCEPT 150.203.6.66");
    assert!(list.names(ip("150.203.6.65")) && !list.names(ip("150.203.6.66")));
    assert!(list_of("0.0.0.0/0").names(ip("9.9.9.9")));
    assert!(list_of("::/0").names(ip("2001::1")));
    for wrong in [
        "pirate",
        "@net",
        "10.0.0.0/33",
        "10.0.0.0/255.0.255.0",
        "1.2.3.4.5.",
        "EXCEPT 1.2.3.4",
    ] {
        assert!(HostList::parse(wrong, &mut Vec::new()).is_err(), "{wrong}");
    }
    let text = "192.168.1.7, 10.0.0.0/8 EXCEPT 10.1.0.0/16";
    assert_eq!(list_of(text).show(), text);
}

proptest::proptest! {
    /// The networks that the engine is told admit whom both pairs of lists admit, and nobody else.
    #[test]
    fn networks_are_the_same_set(
        lists in proptest::collection::vec(proptest::option::of((any_nets(), any_nets())), 4),
        probe in 0u32..512,
        local in proptest::bool::ANY,
    ) {
        let lists: Vec<Option<HostList>> = lists
            .into_iter()
            .map(|l| l.map(|(any, except)| HostList { any, except }))
            .collect();
        let pair = |i: usize| (lists[i].as_ref(), lists[i + 1].as_ref());
        let base = if local { 0x7f00_0000 } else { 0x0a00_0000 };
        let probe = IpAddr::from(Ipv4Addr::from_bits(base | probe));
        let expected = [pair(0), pair(2)]
            .iter()
            .all(|(allow, deny)| hosts::admits(*allow, *deny, probe));
        let told = hosts::admitted_by_both(pair(0), pair(2));
        let admitted = told.is_empty() || list_of(&told.join(" ")).names(probe);
        proptest::prop_assert_eq!(admitted, expected, "{:?}", told);
    }
}

/// Networks of up to 256 addresses, of others and of the machine itself; sometimes all.
fn any_nets() -> impl proptest::strategy::Strategy<Value = Vec<HostPattern>> {
    use proptest::prelude::*;
    let net = (
        prop::sample::select(&[0x0a00_0000u32, 0x7f00_0000][..]),
        0u32..64,
        24u8..=32,
    )
        .prop_map(|(base, a, bits)| {
            HostPattern::Net(Ipv4Addr::from_bits(base | a << 3).into(), bits)
        });
    prop::collection::vec(prop_oneof![8 => net, 1 => Just(HostPattern::All)], 0..4)
}

#[test]
fn who_may_connect() {
    let with = |allow: &str, deny: &str, address: &str| {
        let mut text = String::new();
        for (name, value) in [("hosts allow", allow), ("hosts deny", deny)] {
            text.push_str(&format!("{name} = {value}\n"));
        }
        let (in_share, in_global) = (share(&text), global(&text));
        assert_eq!(in_share.admits(ip(address)), in_global.admits(ip(address)));
        in_share.admits(ip(address))
    };
    assert!(with("", "", "9.9.9.9"));
    assert!(with("10.", "", "10.1.1.1") && !with("10.", "", "9.9.9.9"));
    assert!(!with("", "10.", "10.1.1.1") && with("", "10.", "9.9.9.9"));
    // Where both name it, allowed wins; where neither does, it is allowed.
    assert!(with("10.1.", "10.", "10.1.1.1") && !with("10.1.", "10.", "10.2.1.1"));
    assert!(with("10.1.", "10.", "9.9.9.9"));
    assert!(with("10.1.1.1", "ALL", "10.1.1.1") && !with("10.1.1.1", "ALL", "10.1.1.2"));
    // The machine itself, unless it is denied by address.
    assert!(with("10.", "ALL", "127.0.0.1") && with("10.", "", "::1"));
    assert!(!with("", "127.0.0.1", "127.0.0.1"));
}

#[test]
fn where_to_listen() {
    let local = |interface: &str, index, address: &str| LocalAddress {
        interface: interface.to_owned(),
        index,
        address: ip(address),
        loopback: interface == "lo",
    };
    let machine = [
        local("lo", 1, "127.0.0.1"),
        local("lo", 1, "::1"),
        local("eth0", 2, "192.168.1.7"),
        local("eth0", 2, "fe80::7"),
        local("eth1", 3, "10.0.0.7"),
    ];
    let on = |text: &str| {
        listen_on(&global(text), &machine)
            .map(|sockets| sockets.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(on("").unwrap(), ["[::]:445"]);
    assert_eq!(on("interfaces = lo").unwrap(), ["[::]:445"]);
    let only = |interfaces: &str| {
        on(&format!(
            "bind interfaces only = yes\ntcp port = 4450\ninterfaces = {interfaces}"
        ))
    };
    assert_eq!(only("lo").unwrap(), ["127.0.0.1:4450", "[::1]:4450"]);
    assert_eq!(
        only("eth* 127.0.0.1").unwrap(),
        [
            "192.168.1.7:4450",
            "[fe80::7%2]:4450",
            "10.0.0.7:4450",
            "127.0.0.1:4450"
        ]
    );
    assert_eq!(only("10.0.0.0/24").unwrap(), ["10.0.0.7:4450"]);
    assert_eq!(only("wlan0"), Err(NoSuchInterface("wlan0".to_owned())));
}

#[test]
fn what_clients_are_told_of_interfaces() {
    let local = |interface: &str, index, address: &str| LocalAddress {
        interface: interface.to_owned(),
        index,
        address: ip(address),
        loopback: interface == "lo",
    };
    let machine = [
        local("lo", 1, "127.0.0.1"),
        local("none0", 2, "192.168.1.7"),
        local("none0", 2, "fe80::7"),
        local("none1", 3, "10.0.0.7"),
    ];
    let told = |text: &str| {
        reported(&global(text), &machine)
            .iter()
            .map(|i| {
                let mbits = i.link_speed / 1_000_000;
                format!("{} {} {mbits} {} {}", i.index, i.address, i.rss, i.rdma)
            })
            .collect::<Vec<_>>()
    };
    let (first, second) = (
        "2 192.168.1.7 1000 false false",
        "3 10.0.0.7 1000 false false",
    );
    assert_eq!(told(""), [first, second]);
    assert_eq!(told("interfaces = none0"), [first]);
    assert_eq!(told("interfaces = lo 10.0.0.0/24"), [second]);
    assert_eq!(
        told(
            "interfaces = \"127.0.0.1/8;speed=1000000000\" \
             \"none1;speed=40000000000,capability=RSS,capability=rdma,if_index=9\""
        ),
        ["1 127.0.0.1 1000 false false", "9 10.0.0.7 40000 true true"]
    );
}

#[test]
fn sorted_by_place() {
    let report = super::bad("[s]\npath = /s\nguest ok = x\nbrowseable = y\n[t]\n");
    assert_eq!(lines(&report.errors).len(), 3);
    assert!(report.errors.is_sorted_by_key(|p| p.at.clone()));
}
