//! Where operators' requests are taken, as a configuration says it.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Loaded;
use crate::rpc::AdminPlace;
use crate::rpc::admin::{NotLocal, SOCKET_FILE, TOKEN_FILE, check_local};

/// How operators' requests are taken. As text: `socket`, `off`, or an address and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum AdminListen {
    /// At a unix socket.
    Socket,
    /// Not at all.
    Off,
    /// At an address of this machine.
    Address(SocketAddr),
}

/// Why a text does not say it.
#[derive(Debug, PartialEq, Eq, Error)]
pub(crate) enum AdminListenError {
    /// It is something else.
    #[error("{0:?} is neither socket nor off nor an address and port such as 127.0.0.1:7421")]
    Unknown(String),
    /// Others could reach it.
    #[error(transparent)]
    Elsewhere(#[from] NotLocal),
}

impl FromStr for AdminListen {
    type Err = AdminListenError;

    fn from_str(text: &str) -> Result<AdminListen, AdminListenError> {
        match text {
            "socket" => Ok(AdminListen::Socket),
            "off" => Ok(AdminListen::Off),
            _ => {
                let address = text.parse().map_err(|_| AdminListenError::Unknown(text.to_owned()))?;
                check_local(address)?;
                Ok(AdminListen::Address(address))
            }
        }
    }
}

impl fmt::Display for AdminListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AdminListen::Socket => f.write_str("socket"),
            AdminListen::Off => f.write_str("off"),
            AdminListen::Address(address) => address.fmt(f),
        }
    }
}

impl TryFrom<String> for AdminListen {
    type Error = AdminListenError;

    fn try_from(text: String) -> Result<AdminListen, AdminListenError> {
        text.parse()
    }
}

impl From<AdminListen> for String {
    fn from(listen: AdminListen) -> String {
        listen.to_string()
    }
}

/// The place that a configuration names; none if operators' requests are not taken.
pub(crate) fn place(loaded: &Loaded) -> Option<AdminPlace> {
    let (admin, node) = (&loaded.config.admin, &loaded.config.node);
    let own = |path: &Path, usual: &str| match path.as_os_str().is_empty() {
        true => loaded.resolve(&node.data).join(usual),
        false => loaded.resolve(path),
    };
    match admin.listen {
        AdminListen::Off => None,
        AdminListen::Socket => Some(AdminPlace::Socket(own(&admin.socket, SOCKET_FILE))),
        AdminListen::Address(listen) => {
            Some(AdminPlace::Address { listen, token_file: own(&admin.token_file, TOKEN_FILE) })
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_text_says_socket_off_or_an_address_of_this_machine() {
        for text in ["socket", "off", "127.0.0.1:7421", "[::1]:7421"] {
            assert_eq!(text.parse::<AdminListen>().unwrap().to_string(), text);
        }
        let error = |text: &str| text.parse::<AdminListen>().unwrap_err().to_string();
        assert!(error("10.0.0.1:7421").contains("can be reached from other machines"));
        assert!(error("0.0.0.0:7421").contains("can be reached from other machines"));
        assert!(error("on").contains("neither socket nor off"));
    }
}
