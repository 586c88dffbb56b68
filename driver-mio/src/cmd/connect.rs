//! How to connect to a share, from each kind of client: lines to be copied.

use std::net::IpAddr;

use zeroize::Zeroizing;

/// Who logs on.
pub(super) enum Login {
    /// Nobody: everybody is guest.
    Guest,
    /// A user.
    User {
        /// Name.
        name: String,
        /// Password.
        password: Zeroizing<String>,
        /// The password was made up and its reader does not know it yet.
        made_up: bool,
    },
}

/// A share as clients see it.
pub(super) struct Share {
    /// Address of the server.
    pub(super) host: String,
    /// Its port.
    pub(super) port: u16,
    /// Name of the share.
    pub(super) name: String,
    /// Who logs on.
    pub(super) login: Login,
    /// Guests are let in too.
    pub(super) guests: bool,
}

/// The port of SMB, which need not be said.
const PORT: u16 = 445;

impl Share {
    /// The lines, user and password first.
    pub(super) fn instructions(&self) -> String {
        let mut text = String::new();
        match &self.login {
            Login::Guest => text.push_str("  Everybody is let in without a password.\n"),
            Login::User {
                name,
                password,
                made_up,
            } => {
                text.push_str(&format!("  user      {name}\n"));
                if *made_up {
                    text.push_str(&format!("  password  {}\n", **password));
                }
                if self.guests {
                    text.push_str("  Guests are let in without a password.\n");
                }
            }
        }
        text.push_str("\nConnect from\n");
        let mut entry = |client: &str, lines: Vec<String>| {
            for (i, line) in lines.iter().enumerate() {
                let client = if i == 0 { client } else { "" };
                text.push_str(&format!("  {client:<10}{line}\n"));
            }
        };
        entry("Windows", self.windows());
        entry(
            "macOS",
            vec![format!("Finder, Go, Connect to Server: {}", self.url())],
        );
        entry(
            "Linux",
            vec![format!("file manager: {}", self.url()), self.mount()],
        );
        entry("smbclient", vec![self.smbclient()]);
        text.push('\n');
        text
    }

    fn windows(&self) -> Vec<String> {
        let path = format!(r"\\{}\{}", self.windows_host(), self.name);
        let quoted = if path.contains(' ') {
            format!("\"{path}\"")
        } else {
            path.clone()
        };
        let user = match &self.login {
            Login::Guest => " /user:guest \"\"".to_owned(),
            Login::User { name, .. } if name.contains(' ') => format!(" * /user:\"{name}\""),
            Login::User { name, .. } => format!(" * /user:{name}"),
        };
        let mut lines = Vec::new();
        if self.port == PORT {
            lines.push(format!("Explorer: {path}"));
            lines.push(format!("net use Z: {quoted}{user}"));
        } else {
            lines.push(format!("net use Z: {quoted}{user} /tcpport:{}", self.port));
            lines.push(
                "(Windows 11 24H2 or Server 2025 and later; older ones know port 445 only)"
                    .to_owned(),
            );
        }
        if matches!(self.login, Login::Guest) {
            lines.push(
                "(Windows lets guests through only if AllowInsecureGuestAuth is set; a --user works as it is)"
                    .to_owned(),
            );
        }
        lines
    }

    /// A colon cannot stand in a Windows path, so an IPv6 address has a form of its own.
    fn windows_host(&self) -> String {
        if self.is_ipv6() {
            format!("{}.ipv6-literal.net", self.host.replace(':', "-"))
        } else {
            self.host.clone()
        }
    }

    fn is_ipv6(&self) -> bool {
        self.host.parse::<IpAddr>().is_ok_and(|a| a.is_ipv6())
    }

    fn url(&self) -> String {
        let user = match &self.login {
            Login::Guest => "guest".to_owned(),
            Login::User { name, .. } => percent(name),
        };
        let host = if self.is_ipv6() {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        let port = if self.port == PORT {
            String::new()
        } else {
            format!(":{}", self.port)
        };
        format!("smb://{user}@{host}{port}/{}", percent(&self.name))
    }

    fn mount(&self) -> String {
        let share = shell(&format!("//{}/{}", self.host, self.name));
        let user = match &self.login {
            Login::Guest => "guest".to_owned(),
            Login::User { name, .. } => format!("username={}", shell(name)),
        };
        let port = if self.port == PORT {
            String::new()
        } else {
            format!(",port={}", self.port)
        };
        // The shell puts the user's number in.
        format!("sudo mount -t cifs {share} /mnt -o {user}{port},uid=$(id -u)")
    }

    fn smbclient(&self) -> String {
        let share = shell(&format!("//{}/{}", self.host, self.name));
        let port = if self.port == PORT {
            String::new()
        } else {
            format!(" -p {}", self.port)
        };
        let user = match &self.login {
            Login::Guest => " -N".to_owned(),
            Login::User { name, .. } => format!(" -U {}", shell(name)),
        };
        format!("smbclient {share}{port}{user}")
    }
}

/// A word for a POSIX shell: quoted if it has anything but letters, digits and the like.
fn shell(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/.:_-@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Part of a URL: all bytes but the unreserved ones of RFC 3986 2.3 as `%XX`.
fn percent(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(host: &str, port: u16, name: &str, user: Option<&str>) -> Share {
        Share {
            host: host.to_owned(),
            port,
            name: name.to_owned(),
            login: match user {
                Some(name) => Login::User {
                    name: name.to_owned(),
                    password: Zeroizing::new("pass-word".to_owned()),
                    made_up: true,
                },
                None => Login::Guest,
            },
            guests: false,
        }
    }

    #[test]
    fn on_the_usual_port() {
        assert_eq!(
            share("192.168.1.7", 445, "data", Some("anna")).instructions(),
            r"  user      anna
  password  pass-word

Connect from
  Windows   Explorer: \\192.168.1.7\data
            net use Z: \\192.168.1.7\data * /user:anna
  macOS     Finder, Go, Connect to Server: smb://anna@192.168.1.7/data
  Linux     file manager: smb://anna@192.168.1.7/data
            sudo mount -t cifs //192.168.1.7/data /mnt -o username=anna,uid=$(id -u)
  smbclient smbclient //192.168.1.7/data -U anna

"
        );
    }

    #[test]
    fn on_another_port() {
        assert_eq!(
            share("192.168.1.7", 4450, "my files", Some("anna")).instructions(),
            r#"  user      anna
  password  pass-word

Connect from
  Windows   net use Z: "\\192.168.1.7\my files" * /user:anna /tcpport:4450
            (Windows 11 24H2 or Server 2025 and later; older ones know port 445 only)
  macOS     Finder, Go, Connect to Server: smb://anna@192.168.1.7:4450/my%20files
  Linux     file manager: smb://anna@192.168.1.7:4450/my%20files
            sudo mount -t cifs '//192.168.1.7/my files' /mnt -o username=anna,port=4450,uid=$(id -u)
  smbclient smbclient '//192.168.1.7/my files' -p 4450 -U anna

"#
        );
    }

    #[test]
    fn guests_and_ipv6() {
        assert_eq!(
            share("fd00::7", 445, "data", None).instructions(),
            r#"  Everybody is let in without a password.

Connect from
  Windows   Explorer: \\fd00--7.ipv6-literal.net\data
            net use Z: \\fd00--7.ipv6-literal.net\data /user:guest ""
            (Windows lets guests through only if AllowInsecureGuestAuth is set; a --user works as it is)
  macOS     Finder, Go, Connect to Server: smb://guest@[fd00::7]/data
  Linux     file manager: smb://guest@[fd00::7]/data
            sudo mount -t cifs //fd00::7/data /mnt -o guest,uid=$(id -u)
  smbclient smbclient //fd00::7/data -N

"#
        );
    }

    #[test]
    fn a_known_password_is_not_printed() {
        let mut share = share("h", 445, "s", Some("anna"));
        if let Login::User { made_up, .. } = &mut share.login {
            *made_up = false;
        }
        share.guests = true;
        let text = share.instructions();
        assert!(!text.contains("pass-word"));
        assert!(text.contains("Guests are let in without a password."));
    }

    #[test]
    fn words_for_shells_and_urls() {
        assert_eq!(shell("it's"), r"'it'\''s'");
        assert_eq!(shell("größe"), "größe");
        assert_eq!(shell("a$b"), "'a$b'");
        assert_eq!(percent("ä b/ü"), "%C3%A4%20b%2F%C3%BC");
    }
}
