//! Every way to spell a name that leads out of a share.

use driver_sim::client::ops;
use smb_proto::NtStatus;
use smb_proto::fsctl::reparse::SymlinkFlags;
use smb_proto::info::SecurityInformation;
use smb_proto::msg::create::{self, CreateDisposition, CreateOptions};

use crate::attack::set_link;
use crate::client::{CANARY_NAME, Client};

/// What stands for `..`: itself, look-alikes, what decodes to dots in other encodings, and the
/// private-use characters that stand for dots on the host.
const UPS: &[&str] = &[
    "..",
    "...",
    ".. ",
    ".. .",
    "..\0",
    ".\0.",
    "\u{2024}\u{2024}",
    "\u{2025}",
    "\u{ff0e}\u{ff0e}",
    "\u{fe52}\u{fe52}",
    "\u{3002}\u{3002}",
    "%2e%2e",
    "%252e%252e",
    "%c0%ae%c0%ae",
    "\u{c0}\u{ae}\u{c0}\u{ae}",
    "\u{f029}",
    ".\u{f029}",
    "\u{f029}\u{f029}",
    "\u{f02e}\u{f02e}",
    "\u{f0ae}\u{f0ae}",
    "\u{f02e}.",
    "..::$INDEX_ALLOCATION",
    "..:$I30:$INDEX_ALLOCATION",
    "..:",
    "..::$DATA",
    "\u{feff}..",
    "..\u{200b}",
];

/// What stands between components.
const SEPARATORS: &[&str] = &[
    "\\", "/", "\\\\", "\\.\\", "\u{f026}", "\u{f02f}", "\u{f05c}", "\u{f0af}", "\u{2215}",
    "\u{29f5}", "\u{ff0f}", "\u{ff3c}", "%5c", "%2f", "\u{a5}", "\u{20a9}",
];

/// All names, from the share's root and from a directory in it.
fn all(outside: &str) -> Vec<String> {
    let mut names = Vec::new();
    for up in UPS {
        for s in SEPARATORS {
            names.push(format!("{up}{s}outside{s}f"));
            names.push(format!("deep\\a{s}{up}{s}{up}{s}{up}{s}outside{s}f"));
        }
        for s in ["\\", "/"] {
            names.push(format!("{s}{up}{s}outside{s}f"));
            names.push(format!("deep{s}{up}{s}{up}{s}outside{s}f"));
            names.push(format!("deep:{up}{s}{up}{s}outside{s}f"));
            names.push(format!("plain:{s}{up}{s}{up}{s}outside{s}f"));
            names.push(format!("plain::$DATA{s}{up}{s}{up}{s}outside{s}f"));
        }
        names.push((*up).to_owned());
        names.push(format!("deep\\{up}\\{up}"));
        names.push(format!("no such\\{up}\\{up}\\outside\\f"));
        names.push(format!("plain\\{up}\\{up}\\outside\\f"));
        names.push(format!("@GMT-2020.01.01-00.00.00\\{up}\\outside\\f"));
        names.push(format!("{up}\\@GMT-2020.01.01-00.00.00\\outside\\f"));
    }
    let absolute = format!("{outside}/f");
    for path in [absolute.clone(), absolute.replace('/', "\\")] {
        for prefix in [
            "", "\\", "/", "\\\\", "\\??\\", "\\\\?\\", "\\\\.\\", "C:", "c:\\", "file://",
        ] {
            names.push(format!("{prefix}{path}"));
        }
        names.push(format!("\\\\127.0.0.1\\t\\..{path}"));
        names.push(format!("plain:{path}"));
        names.push(format!("plain:{path}:$DATA"));
        names.push(format!("GLOBALROOT{path}"));
    }
    for proc in [
        "proc\\self\\root",
        "\\proc\\self\\cwd",
        "/proc/self/fd/3",
        "/dev/fd/3",
        "~",
        "~root",
        "$HOME",
        "%SystemRoot%",
    ] {
        names.push(proc.to_owned());
    }
    // Links of the host that lead out, and mount points that are not to be crossed.
    for name in [
        "absolute", "relative", "up", "root", "magic", "chain", "dirup", "mnt",
    ] {
        names.push(name.to_owned());
        for below in ["f", "sub\\f", "outside\\f", "..\\outside\\f", "canary-name"] {
            names.push(format!("{name}\\{below}"));
            names.push(format!("{}\\{below}", name.to_uppercase()));
        }
        names.push(format!("{name}:stream"));
        names.push(format!("{name}::$DATA"));
    }
    // The same in snapshots: one that is there, one that is a link out, one that is not there.
    for taken in ["2020.01.01", "2021.01.01", "2022.01.01"] {
        let token = format!("@GMT-{taken}-00.00.00");
        for name in [
            "absolute",
            "relative",
            "up",
            "deeper",
            "..",
            "..\\..",
            "d\\..\\..",
        ] {
            for below in [
                "",
                "\\f",
                "\\outside\\f",
                "\\..\\outside\\f",
                "\\canary-name",
            ] {
                names.push(format!("{token}\\{name}{below}"));
                names.push(format!("d\\{token}\\{name}{below}"));
                names.push(format!(".snapshots\\{token}\\{name}{below}"));
            }
        }
        for name in ["", "\\f", "\\sub\\f", "\\canary-name", "\\outside\\f"] {
            names.push(format!("{token}{name}"));
            names.push(format!("..\\{token}{name}"));
            names.push(format!("..\\outside\\{token}{name}"));
        }
    }
    names
}

/// Names of shares and pipes that lead elsewhere.
fn trees(client: &mut Client, outside: &str) {
    let mut shares: Vec<String> = UPS.iter().map(|up| (*up).to_owned()).collect();
    for share in ["stop", "follow", "wide"] {
        for up in UPS {
            shares.push(format!("{share}\\{up}"));
            shares.push(format!("{share}\\{up}\\outside"));
            shares.push(format!("{share}/{up}/outside"));
        }
    }
    for share in ["C$", "D$", "ADMIN$", "/", "\\", "", ".", "outside"] {
        shares.push(share.to_owned());
    }
    shares.push(outside.to_owned());
    shares.push(outside.replace('/', "\\"));
    for share in &shares {
        let status = client.tree(share);
        if status == NtStatus::SUCCESS {
            client.fail(&format!("share {share:?} exists"));
        }
    }
    println!("ok {} names of shares lead nowhere", shares.len());
}

/// Tries all of them, in every place that takes a name.
pub(crate) fn run(client: &mut Client, outside: &str) {
    let names = all(outside);
    for name in &names {
        for disposition in [CreateDisposition::Open, CreateDisposition::OpenIf] {
            for options in [
                CreateOptions::empty(),
                CreateOptions::OPEN_REPARSE_POINT,
                CreateOptions::DIRECTORY_FILE,
            ] {
                look(client, name, disposition, options);
            }
        }
    }
    println!("ok {} names opened or made in six ways", names.len());
    patterns(client, &names);
    links(client, &names);
    trees(client, outside);
    // Last, since a link that is renamed over is gone.
    targets(client, &names);
}

/// Opens a name and looks whether it is the canary. What comes to be inside is removed.
fn look(client: &mut Client, name: &str, disposition: CreateDisposition, options: CreateOptions) {
    let request = create::Request {
        create_options: options,
        ..ops::create(name, disposition)
    };
    let what = format!("open {name:?} {disposition:?} {options:?}");
    let reply = client.call(request);
    let smb_proto::msg::Response::Create(made) = reply.body else {
        return;
    };
    let file = made.file_id;
    if options == CreateOptions::DIRECTORY_FILE {
        client.list(file, "*", &what);
        client.list(file, "canary-name", &what);
    } else {
        client.read(file, &what);
    }
    client.status(ops::query_security(file, SecurityInformation::OWNER));
    if made.create_action == create::CreateAction::CREATED {
        client.delete(file);
    } else {
        client.close(file);
    }
}

/// New names of renames and hard links.
fn targets(client: &mut Client, names: &[String]) {
    let mut tried = 0;
    // A file inside that is called as the canary would look like it.
    for name in names.iter().filter(|name| !name.ends_with(CANARY_NAME)) {
        for link in [false, true] {
            let Some(file) = client.open("victim", CreateDisposition::OpenIf) else {
                client.fail("the file to be renamed cannot be made");
                return;
            };
            client.status(ops::write(file, 0, "inside"));
            let status = if link {
                client.link(file, name)
            } else {
                client.rename(file, name)
            };
            tried += 1;
            // Whatever it is called now, it goes.
            client.delete(file);
            if link && status == NtStatus::SUCCESS {
                client.remove(name);
            }
        }
    }
    println!("ok {tried} new names of renames and links");
}

/// Patterns of listings, which are no paths.
fn patterns(client: &mut Client, names: &[String]) {
    let Ok(root) = client.create(ops::open_dir("")) else {
        client.fail("the root does not open");
        return;
    };
    for name in names {
        for pattern in [
            name.clone(),
            name.replace("\\f", "\\*"),
            format!("{name}\\*"),
        ] {
            client.list(root, &pattern, &format!("list by {pattern:?}"));
        }
    }
    client.close(root);
    println!("ok {} patterns", names.len() * 3);
}

/// Links that the client makes: never followed by the server, wherever they lead.
fn links(client: &mut Client, names: &[String]) {
    for (i, target) in names.iter().enumerate() {
        let directory = i.is_multiple_of(2);
        let request = if directory {
            ops::make_dir("point")
        } else {
            ops::create("point", CreateDisposition::Create)
        };
        let Ok(file) = client.create(request) else {
            client.fail("no file for a link can be made");
            return;
        };
        for flags in [SymlinkFlags::RELATIVE, SymlinkFlags::empty()] {
            if set_link(client, file, target, flags) != NtStatus::SUCCESS {
                continue;
            }
            for through in ["point", "point\\f", "POINT\\sub\\f", "point:s"] {
                let status = client.status(ops::open(through));
                if status == NtStatus::SUCCESS {
                    client.fail(&format!("a link to {target:?} was followed"));
                }
            }
        }
        client.delete(file);
        client.remove("point");
    }
    println!("ok {} targets of links", names.len());
}
