//! What parameters mean together, and what is said about those without effect.

use std::path::PathBuf;

use super::{bad, good, lines, one_mistake, warned};
use crate::config::{Effect, EffectiveConfig, Encryption, Mode, PARAMS, Scope, find, print};

/// Name, scope, and value of a share or global parameter of ksmbd.conf with its default; an empty
/// default is unset.
const KSMBD: &[(&str, Scope, &str)] = &[
    ("bind interfaces only", Scope::Global, "no"),
    ("deadtime", Scope::Global, "0"),
    ("durable handles", Scope::Global, "yes"),
    ("guest account", Scope::Both, "nobody"),
    ("interfaces", Scope::Global, ""),
    ("ipc timeout", Scope::Global, "0"),
    ("kerberos keytab file", Scope::Global, ""),
    ("kerberos service name", Scope::Global, ""),
    ("kerberos support", Scope::Global, "no"),
    ("map to guest", Scope::Global, "never"),
    ("max active sessions", Scope::Global, "1024"),
    ("max connections", Scope::Both, "256"),
    ("max ip connections", Scope::Global, "32"),
    ("max open files", Scope::Global, "10000"),
    ("netbios name", Scope::Global, "SANSMB"),
    ("restrict anonymous", Scope::Global, "0"),
    ("root directory", Scope::Global, ""),
    ("server max protocol", Scope::Global, "SMB3_11"),
    ("server min protocol", Scope::Global, "SMB2_10"),
    ("server multi channel support", Scope::Global, "yes"),
    ("server signing", Scope::Global, "auto"),
    ("server string", Scope::Global, "sansmb"),
    ("share:fake_fscaps", Scope::Global, "64"),
    ("smb2 leases", Scope::Global, "yes"),
    ("smb2 max credits", Scope::Global, "8192"),
    ("smb2 max read", Scope::Global, "4M"),
    ("smb2 max write", Scope::Global, "4M"),
    ("smb2 max trans", Scope::Global, "4M"),
    ("smb3 encryption", Scope::Global, "auto"),
    ("smbd max io size", Scope::Global, "8M"),
    ("tcp port", Scope::Global, "445"),
    ("workgroup", Scope::Global, "WORKGROUP"),
    ("browseable", Scope::Share, "yes"),
    ("comment", Scope::Share, ""),
    ("create mask", Scope::Share, "0744"),
    ("crossmnt", Scope::Share, "yes"),
    ("directory mask", Scope::Share, "0755"),
    ("follow symlinks", Scope::Share, "no"),
    ("force create mode", Scope::Share, "0000"),
    ("force directory mode", Scope::Share, "0000"),
    ("force group", Scope::Share, ""),
    ("force user", Scope::Share, ""),
    ("guest ok", Scope::Share, "no"),
    ("hide dot files", Scope::Share, "yes"),
    ("inherit owner", Scope::Share, "no"),
    ("invalid users", Scope::Share, ""),
    ("oplocks", Scope::Share, "yes"),
    ("path", Scope::Share, ""),
    ("read list", Scope::Share, ""),
    ("read only", Scope::Share, "yes"),
    ("store dos attributes", Scope::Share, "yes"),
    ("valid users", Scope::Share, ""),
    ("veto files", Scope::Share, ""),
    ("vfs objects", Scope::Share, "acl_xattr streams_xattr"),
    ("writable", Scope::Share, "no"),
    ("writeable", Scope::Share, "no"),
    ("write ok", Scope::Share, "no"),
    ("write list", Scope::Share, ""),
    ("admin users", Scope::Share, ""),
    ("change notify", Scope::Share, "yes"),
    ("kernel change notify", Scope::Share, "yes"),
    ("hosts allow", Scope::Both, ""),
    ("hosts deny", Scope::Both, ""),
    ("time machine", Scope::Share, "no"),
    ("aapl model", Scope::Share, ""),
    ("hide unreadable", Scope::Share, "no"),
    ("allow insecure wide links", Scope::Share, "no"),
];

#[test]
fn every_parameter_of_ksmbd_is_known() {
    for (name, scope, _) in KSMBD {
        let param = find(name).unwrap_or_else(|| panic!("`{name}` is unknown"));
        assert_eq!(param.name, *name);
        assert_eq!(param.scope(), *scope, "{name}");
    }
}

/// Setting every parameter to its default changes nothing, so the defaults are those of the table.
#[test]
fn defaults_are_those_of_the_table() {
    let plain = good("[s]\npath = /s");
    for (name, scope, value) in KSMBD.iter().filter(|(_, _, v)| !v.is_empty()) {
        let in_global = matches!(scope, Scope::Global | Scope::Both);
        let text = if in_global {
            format!("[global]\n{name} = {value}\n[s]\npath = /s")
        } else {
            format!("[s]\npath = /s\n{name} = {value}")
        };
        let (config, _) = warned(&text);
        assert_eq!(print(&config, true), print(&plain, true), "{name}");
    }
}

/// And setting it to something else changes what is printed, unless it says that it has no effect.
#[test]
fn every_parameter_does_something_or_says_that_it_does_not() {
    let plain = good("[s]\npath = /s\n[global]\ninterfaces = lo");
    let values = [
        "yes",
        "no",
        "1",
        "7",
        "128K",
        "SMB3_00",
        "required",
        "bad user",
        "0123",
        "/a/",
        "10.0.0.1",
        "word",
        "AES-128-CCM",
        "HMAC-SHA256",
        "acl_xattr",
        "mandatory",
        "asc",
        "0x3a:0xf7",
    ];
    for param in PARAMS {
        let place = match param.scope() {
            Scope::Global | Scope::Both => "[global]",
            Scope::Share => "[s]",
        };
        let changed = values.iter().any(|value| {
            let text = format!(
                "{place}\n{} = {value}\n[s]\npath = /s\n[global]\ninterfaces = lo\n",
                param.name
            );
            match super::read_with(&text, &[]) {
                Ok((config, _)) => print(&config, true) != print(&plain, true),
                Err(_) => false,
            }
        });
        let silent = values.iter().all(|value| {
            let text = format!("{place}\n{} = {value}\n[s]\npath = /s\n[global]\ninterfaces = lo\n", param.name);
            !matches!(super::read_with(&text, &[]), Ok((_, warnings))
                if warnings.iter().any(|w| w.message.contains("has no effect") || w.message.contains("is left out")))
        });
        assert!(changed || !silent, "`{}` does nothing silently", param.name);
        if matches!(param.effect, Effect::None { .. }) {
            assert!(!silent, "`{}` should say that it has no effect", param.name);
        }
    }
}

#[test]
fn names_are_unique_and_targets_exist() {
    let mut names: Vec<String> = PARAMS
        .iter()
        .flat_map(|p| std::iter::once(p.name).chain(p.synonyms.iter().copied()))
        .map(crate::config::reader::normal_name)
        .collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
    for of in PARAMS.iter().filter_map(|p| p.of) {
        assert!(
            PARAMS.iter().any(|p| p.name == of && p.of.is_none()),
            "{of}"
        );
    }
}

#[test]
fn the_example_of_ksmbd_is_read() {
    // The names and values of ksmbd.conf.example, empty ones included.
    let mut text = String::from("[global]\n");
    for (name, scope, value) in KSMBD.iter().take(58) {
        let value = match *name {
            "netbios name" => "KSMBD SERVER",
            "server string" => "SMB SERVER",
            "smb2 leases" => "no",
            "writable" | "writeable" | "write ok" => "",
            "read only" => "; yes",
            _ => value,
        };
        assert!(matches!(scope, Scope::Global | Scope::Both | Scope::Share));
        text.push_str(&format!("\t{name} = {value}\n"));
    }
    text.push_str("[example]\n\tcomment = read only /tmp access\n\tpath = /tmp\n");
    let (config, warnings) = warned(&text);
    assert_eq!(warnings, [""; 0]);
    assert_eq!(config.global.netbios_name.0, "KSMBD SERVER");
    assert_eq!(config.shares[0].path, Some(PathBuf::from("/tmp")));
    assert!(config.shares[0].read_only);
}

#[test]
fn a_repeated_parameter_fills_only_an_empty_one() {
    let (config, warnings) = warned("[s]\npath = /a\npath = /b\ncomment =\ncomment = x\n");
    assert_eq!(config.shares[0].path, Some(PathBuf::from("/a")));
    assert_eq!(config.shares[0].comment, "x");
    assert_eq!(
        warnings,
        ["3:1 `path` is given again and this line is ignored: line 2 of /etc/smb.conf counts"]
    );
    // The same value again is not worth a word, nor is a synonym of it.
    good("[s]\npath = /a\npath = /a\nguest ok = yes\npublic = yes");
}

#[test]
fn read_only_and_its_opposites() {
    let read_only = |text: &str| warned(&format!("[s]\npath = /s\n{text}")).0.shares[0].read_only;
    assert!(read_only(""));
    assert!(!read_only("writable = yes"));
    assert!(!read_only("writeable = yes"));
    assert!(!read_only("write ok = yes"));
    assert!(!read_only("read only = no"));
    assert!(read_only("write ok = yes\nwriteable = no"));
    assert!(read_only("writeable = yes\nwritable = no"));
    assert!(read_only("writable = yes\nread only = yes"));
    assert!(!read_only("writable = no\nread only = no"));
    let (_, warnings) = warned("[s]\npath = /s\nwritable = yes\nread only = yes");
    assert_eq!(
        warnings,
        ["3:1 `writable` is ignored: `read only` on line 4 of /etc/smb.conf has precedence"]
    );
    good("[s]\npath = /s\nwritable = yes\nread only = no");
}

#[test]
fn global_share_parameters_are_defaults() {
    let config = good(
        "[a]\npath = /a\n[global]\nguest ok = yes\ncreate mask = 0640\nread only = yes\n[b]\npath = /b\nguest ok = no\nwritable = yes",
    );
    assert!(config.shares[0].guest_ok && config.shares[0].read_only);
    assert_eq!(config.shares[0].create_mask, Mode(0o640));
    assert_eq!(config.shares[1].create_mask, Mode(0o640));
    assert!(!config.shares[1].guest_ok);
    // What the share says wins over what is said for all.
    assert!(!config.shares[1].read_only);
}

#[test]
fn parameters_of_server_and_share_differ() {
    let (config, warnings) = warned(
        "[global]\nmax connections = 10\nguest account = ftp\n[a]\npath = /a\n[b]\npath = /b\nmax connections = 3\nguest account = games",
    );
    assert_eq!(
        warnings,
        ["9:1 `guest account` of a share has no effect yet: guests act as the one of `[global]`"]
    );
    assert_eq!(config.global.max_connections.0, 10);
    assert_eq!(config.shares[0].max_connections.0, 128);
    assert_eq!(config.shares[1].max_connections.0, 3);
    assert_eq!(config.global.guest_account, "ftp");
    assert_eq!(config.shares[0].guest_account, None);
    assert_eq!(config.shares[1].guest_account.as_deref(), Some("games"));
}

#[test]
fn encryption_of_server_and_share() {
    let config = good(
        "[global]\nsmb3 encryption = auto\n[a]\npath = /a\n[b]\npath = /b\nsmb encrypt = required",
    );
    assert_eq!(config.global.encryption, Encryption::IfRequired);
    assert_eq!(
        config.encryption_of(&config.shares[0]),
        Encryption::IfRequired
    );
    assert_eq!(
        config.encryption_of(&config.shares[1]),
        Encryption::Required
    );
    // `auto` is another word in Samba than in ksmbd.
    let config = good("[global]\nserver smb encrypt = auto");
    assert_eq!(config.global.encryption, Encryption::Desired);
    let (config, warnings) =
        warned("[global]\nsmb3 encryption = mandatory\nserver smb encrypt = desired");
    assert_eq!(config.global.encryption, Encryption::Desired);
    assert_eq!(warnings.len(), 1);
    one_mistake(
        "[global]\nsmb3 encryption = disabled\n[a]\npath = /a\nsmb encrypt = desired",
        "5:15 the share asks for encryption, but it is off for the whole server; expected `server smb encrypt` in `[global]` not to be off",
    );
    one_mistake(
        "[global]\nsmb3 encryption = mandatory\nserver max protocol = SMB2_10",
        "2:19 encryption is required, but no dialect before SMB3_00 has it; expected `server max protocol` to be SMB3_00 or above",
    );
    one_mistake(
        "[global]\nserver max protocol = SMB2_10\n[s]\npath = /s\nsmb encrypt = required",
        "5:15 encryption is required, but no dialect before SMB3_00 has it; expected `server max protocol` to be SMB3_00 or above",
    );
}

#[test]
fn ports() {
    assert_eq!(good("[global]\ntcp port = 4450").global.ports.0, [4450]);
    let (config, warnings) = warned("[global]\nsmb ports = 445 139 1445");
    assert_eq!(config.global.ports.0, [445, 1445]);
    assert_eq!(
        warnings,
        ["2:13 `smb ports`: port 139 is left out: NetBIOS is not supported"]
    );
    let (config, warnings) = warned("[global]\ntcp port = 1\nsmb ports = 2");
    assert_eq!(config.global.ports.0, [2]);
    assert_eq!(
        warnings,
        ["2:1 `tcp port` is ignored: `smb ports` on line 3 of /etc/smb.conf has precedence"]
    );
    one_mistake(
        "[global]\ntcp port = 70000",
        "2:12 expected a port number from 1 to 65535 for `tcp port`, found `70000`",
    );
    one_mistake(
        "[global]\nsmb ports = 139",
        "2:13 expected at least one port other than 139, as in `445` for `smb ports`, found `139`",
    );
}

#[test]
fn dialects_in_the_wrong_order() {
    one_mistake(
        "[global]\nserver max protocol = SMB2_10\nserver min protocol = SMB3",
        "3:23 `server min protocol` is SMB3_11 and `server max protocol` SMB2_10; expected the minimum not to be above the maximum",
    );
    one_mistake(
        "[global]\nmax protocol = SMB2_02",
        "2:16 `server min protocol` is SMB2_10 and `server max protocol` SMB2_02; expected the minimum not to be above the maximum",
    );
}

#[test]
fn binding_needs_interfaces() {
    one_mistake(
        "[global]\nbind interfaces only = yes",
        "2:24 expected `interfaces` to name what to bind to, since `bind interfaces only` is set",
    );
}

#[test]
fn samba_parameters_warn_and_unknown_ones_are_mistakes() {
    let (_, warnings) = warned(
        "[global]\nlog file = /var/log/samba/log.%m\nidmap config * : backend = tdb\nfruit:aapl = yes\n[s]\npath = /s\nMap Archive = yes",
    );
    assert_eq!(
        warnings,
        [
            "2:1 Samba's `log file` is not supported and has no effect",
            "3:1 `idmap config * : backend` is an option of a module that does not exist here and has no effect",
            "4:1 `fruit:aapl` is an option of a module that does not exist here and has no effect",
            "7:1 Samba's `Map Archive` is not supported and has no effect",
        ]
    );
    one_mistake(
        "[s]\npath = /s\nbrowsaeble = no",
        "3:1 unknown parameter `browsaeble`; did you mean `browseable`?",
    );
    one_mistake(
        "[s]\npath = /s\nforce grop = no",
        "3:1 unknown parameter `force grop`; did you mean `force group`?",
    );
    one_mistake(
        "[s]\npath = /s\nqqqqqqqqqqqqqqqq = no",
        "3:1 unknown parameter `qqqqqqqqqqqqqqqq`; expected a parameter of ksmbd.conf(5) or smb.conf(5)",
    );
}

#[test]
fn global_parameters_in_shares_are_mistakes() {
    one_mistake(
        "[s]\npath = /s\nserver signing = mandatory",
        "3:1 `server signing` holds for the whole server; expected it in `[global]`, not in `[s]`",
    );
}

#[test]
fn all_mistakes_at_once() {
    let report = bad(
        "[global]\nserver signing = perhaps\nfoo\n[a]\nread only = maybe\nnosuchthing = 1\n[b]\npath = relative\n",
    );
    assert_eq!(
        lines(&report.errors),
        [
            "2:18 expected `auto` or `mandatory` for `server signing`, found `perhaps`",
            "3:1 expected `name = value` or `[section]`, found `foo`",
            "4:2 the share `[a]` has no `path`; expected `path = /directory/to/serve`",
            "5:13 expected `yes` or `no` for `read only`, found `maybe`",
            "6:1 unknown parameter `nosuchthing`; expected a parameter of ksmbd.conf(5) or smb.conf(5)",
            "8:8 expected an absolute path, as in `/srv/files` for `path`, found `relative`",
        ]
    );
}

#[test]
fn special_sections() {
    let (config, warnings) = warned(
        "[homes]\nread only = no\n[printers]\nprintable = yes\npath = /p\n[laser]\npath = /l\nprint ok = yes\n[IPC$]\ncomment = x\n[s]\npath = /s",
    );
    assert_eq!(config.shares.len(), 1);
    assert_eq!(
        warnings,
        [
            "1:2 `[homes]` is left out: shares made for each user are not supported",
            "3:2 `[printers]` is left out: printers are not supported",
            "4:1 `printable` has no effect: printers are not supported",
            "6:2 the printer `[laser]` is left out",
            "8:1 `print ok` has no effect: printers are not supported",
            "9:2 what stands in `[IPC$]` has no effect: the share always exists",
        ]
    );
}

#[test]
fn share_names() {
    let ok = "x".repeat(63);
    assert_eq!(good(&format!("[{ok}]\npath = /s")).shares[0].name, ok);
    let long = "x".repeat(64);
    one_mistake(
        &format!("[{long}]\npath = /s"),
        &format!(
            "1:2 expected a share name of 1 to 63 bytes without brackets, slashes and control characters, found `{long}`"
        ),
    );
    // Bytes, not characters.
    assert!(
        !bad(&format!("[{}]\npath = /s", "ä".repeat(32)))
            .errors
            .is_empty()
    );
    assert!(!bad("[a/b]\npath = /s").errors.is_empty());
}

#[test]
fn guest_only_needs_guest_ok() {
    let (_, warnings) = warned("[s]\npath = /s\nguest only = yes");
    assert_eq!(
        warnings,
        ["3:1 `guest only` has no effect without `guest ok = yes`"]
    );
    good("[s]\npath = /s\nguest only = yes\npublic = yes");
}

#[test]
fn root_directory_stands_before_paths() {
    let config = good("[global]\nroot directory = /jail\n[s]\npath = /data");
    assert_eq!(
        config.path_of(&config.shares[0]),
        PathBuf::from("/jail/data")
    );
    let config = good("[s]\npath = /data");
    assert_eq!(config.path_of(&config.shares[0]), PathBuf::from("/data"));
}

#[test]
fn printing_what_differs() {
    let config = good(
        "[global]\nnetbios name = BOX\nserver min protocol = SMB2\n[Data]\npath = /srv/my files\nwritable = yes\nvalid users = anna @\"big staff\"\n",
    );
    let text = print(&config, false);
    assert_eq!(
        text,
        "[global]\n\tnetbios name = BOX\n\n[Data]\n\tpath = /srv/my files\n\tread only = no\n\tvalid users = anna, \"@big staff\"\n"
    );
    let again = good(&text);
    assert_eq!(print(&again, true), print(&config, true));
}

#[test]
fn printing_everything_reads_back() {
    let config = EffectiveConfig::default();
    let (again, _) = warned(&print(&config, true));
    assert_eq!(again, config);
}
