//! The admin listener: the one place where methods are served that change the node
//! ([`Access::Admin`](hanse_client::methods::Access::Admin)), on this machine only.
//!
//! Who can open its socket, a file of mode 0600, is an operator; or, where it is an address, who sends the token that stands
//! in a file of mode 0600. It serves all other methods too, so an operator needs one connection, and it has places of its
//! own: a flood of requests elsewhere keeps no operator out. Each request of an operator's method leaves a line in the
//! brief log.
//!
//! Start reading at [`AdminListener::bind`].

use std::fs;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::post;
use axum::serve::IncomingStream;
use hanse_client::codes;
use hanse_client::jsonrpc::{Response as RpcResponse, RpcError};
use hanse_client::views::AdminView;
use serde_json::Value;
use thiserror::Error;
use tokio::net::{TcpListener, UnixListener, UnixSocket};

use super::caller::Caller;
use super::{Server, dispatch, http, limits};

/// The socket's name in a chain's folder.
pub(crate) const SOCKET_FILE: &str = "admin.sock";
/// The token's name in a chain's folder.
pub(crate) const TOKEN_FILE: &str = "admin.token";
/// Longest path of a unix socket: the system has room for 108 bytes, of which one ends the path.
const PATH_BYTES: usize = 107;
/// Connections that wait to be taken.
const BACKLOG: u32 = 64;
/// Bytes of a token that is made here.
const TOKEN_BYTES: usize = 32;
/// Longest file that is read as a token.
const TOKEN_FILE_BYTES: u64 = 1_024;

/// Where operators' requests are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AdminPlace {
    /// At a unix socket.
    Socket(PathBuf),
    /// At an address of this machine, from those who send the token in this file.
    Address {
        /// The address; port 0 is any free one.
        listen: SocketAddr,
        /// The file, which is made if it is not there.
        token_file: PathBuf,
    },
}

/// Why operators' requests can't be taken.
#[derive(Debug, Error)]
pub(crate) enum AdminError {
    /// The system has no room for the path.
    #[error("{}: {reason}; name a shorter one as admin.socket", path.display())]
    TooLong {
        /// The socket's path.
        path: PathBuf,
        /// How long it is.
        reason: TooLong,
    },
    /// Somebody else listens there.
    #[error("{}: a node serves its operators there already; is it running?", .0.display())]
    InUse(PathBuf),
    /// Something else is there.
    #[error("{}: there is something that is no socket; remove it, or name another path as admin.socket", .0.display())]
    NotASocket(PathBuf),
    /// A file or folder can't be used.
    #[error("{}: {error}; admin.socket names another path", path.display())]
    Socket {
        /// The socket's path.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The port is taken.
    #[error("can't listen on {address}: {error}; name another port as admin.listen")]
    Address {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The address could be reached from other machines.
    #[error("admin.listen: {0}")]
    Elsewhere(#[from] NotLocal),
    /// The token can't be read or made.
    #[error("admin.token_file: {0}")]
    Token(#[from] TokenError),
}

/// A socket's path that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a socket's path may have {PATH_BYTES} bytes, and this has {0}")]
pub(crate) struct TooLong(usize);

/// An address that is none of this machine alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0} can be reached from other machines; name an address of this one, such as 127.0.0.1:7421, or socket")]
pub(crate) struct NotLocal(pub(crate) SocketAddr);

/// A file that gives no token.
#[derive(Debug, Error)]
pub(crate) enum TokenError {
    /// It can't be read or made.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Others can read it.
    #[error("{path} can be read by others (mode {mode:o}); run: chmod 600 {path}", path = path.display())]
    Public {
        /// Which.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// There is no token in it.
    #[error("{} has no token: one line of 16 or more printable characters without spaces", .0.display())]
    None(PathBuf),
    /// The system gives no random bytes.
    #[error("a token can't be made: {0}")]
    Random(String),
}

/// Whether the system has room for the path of a socket.
pub(crate) fn check_socket_path(path: &Path) -> Result<(), TooLong> {
    let bytes = path.as_os_str().as_bytes().len();
    if bytes <= PATH_BYTES { Ok(()) } else { Err(TooLong(bytes)) }
}

/// Whether nobody reaches the address from elsewhere.
pub(crate) fn check_local(address: SocketAddr) -> Result<(), NotLocal> {
    if address.ip().is_loopback() { Ok(()) } else { Err(NotLocal(address)) }
}

/// The token in a file that nobody else can read.
pub(crate) fn read_token(path: &Path) -> Result<String, TokenError> {
    let failed = |error| TokenError::File { path: path.into(), error };
    let file = fs::File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    // A service manager lets a service read by an access list, which looks like a right of the group.
    if mode & 0o007 != 0 {
        return Err(TokenError::Public { path: path.into(), mode });
    }
    let mut text = String::new();
    file.take(TOKEN_FILE_BYTES).read_to_string(&mut text).map_err(failed)?;
    let token = text.trim();
    match token.len() >= 16 && token.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(token.to_owned()),
        false => Err(TokenError::None(path.into())),
    }
}

/// The token in a file, which is made with a new one if it is not there.
fn read_or_make_token(path: &Path) -> Result<String, TokenError> {
    let failed = |error| TokenError::File { path: path.into(), error };
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read_token(path),
        Err(error) => Err(failed(error)),
        Ok(mut file) => {
            let mut bytes = [0; TOKEN_BYTES];
            getrandom::fill(&mut bytes).map_err(|error| TokenError::Random(error.to_string()))?;
            let token = const_hex::encode(bytes);
            writeln!(file, "{token}").and_then(|()| file.sync_all()).map_err(failed)?;
            Ok(token)
        }
    }
}

/// A listener that is bound, and how it knows operators.
pub(crate) struct AdminListener {
    bound: Bound,
    view: AdminView,
}

enum Bound {
    Socket(UnixListener, SocketFile),
    Address(TcpListener, String),
}

/// The file of a socket, which goes with it.
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // A file that stays is taken for what it is by the next node.
        let _ = fs::remove_file(&self.0);
    }
}

impl AdminListener {
    /// Listens there.
    ///
    /// # Errors
    /// If that is not possible, or others than operators could ask.
    pub(crate) async fn bind(place: &AdminPlace) -> Result<AdminListener, AdminError> {
        match place {
            AdminPlace::Socket(path) => AdminListener::at_socket(path),
            AdminPlace::Address { listen, token_file } => AdminListener::at_address(*listen, token_file).await,
        }
    }

    fn at_socket(path: &Path) -> Result<AdminListener, AdminError> {
        let failed = |error| AdminError::Socket { path: path.into(), error };
        let path = std::path::absolute(path).map_err(failed)?;
        check_socket_path(&path).map_err(|reason| AdminError::TooLong { path: path.clone(), reason })?;
        clear(&path)?;
        let failed = |error| AdminError::Socket { path: path.clone(), error };
        let socket = UnixSocket::new_stream().map_err(failed)?;
        socket.bind(&path).map_err(failed)?;
        let file = SocketFile(path.clone());
        // Nobody is let in before it listens, and it listens when only its owner can open it.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        let listener = socket.listen(BACKLOG).map_err(failed)?;
        let view = AdminView { address: format!("unix:{}", path.display()), token_file: None };
        Ok(AdminListener { bound: Bound::Socket(listener, file), view })
    }

    async fn at_address(listen: SocketAddr, token_file: &Path) -> Result<AdminListener, AdminError> {
        check_local(listen)?;
        let token = read_or_make_token(token_file)?;
        let failed = |error| AdminError::Address { address: listen, error };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = format!("http://{}", listener.local_addr().map_err(failed)?);
        let token_file = std::path::absolute(token_file).unwrap_or_else(|_| token_file.into());
        let view = AdminView { address, token_file: Some(token_file.display().to_string()) };
        Ok(AdminListener { bound: Bound::Address(listener, token), view })
    }

    /// Where it is, as operators are told.
    pub(crate) fn view(&self) -> &AdminView {
        &self.view
    }

    /// Serves until `stop` completes, then lets requests that are being served end.
    ///
    /// # Errors
    /// If the listener fails.
    pub(crate) async fn serve(
        self,
        server: Arc<Server>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let routes = Router::new()
            .route("/", post(json_rpc).layer(DefaultBodyLimit::max(limits::BODY_BYTES)))
            .with_state(server);
        match self.bound {
            Bound::Socket(listener, _file) => {
                let service = routes.into_make_service_with_connect_info::<Operator>();
                axum::serve(listener, service).with_graceful_shutdown(stop).await
            }
            Bound::Address(listener, token) => {
                let routes = routes.layer(middleware::from_fn_with_state(Arc::new(token), with_token));
                let service = routes.into_make_service_with_connect_info::<Operator>();
                axum::serve(listener, service).with_graceful_shutdown(stop).await
            }
        }
    }
}

/// Makes room for a socket: one that a node left when it crashed is removed, anything else stays.
fn clear(path: &Path) -> Result<(), AdminError> {
    let failed = |error| AdminError::Socket { path: path.into(), error };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(found) if !found.file_type().is_socket() => return Err(AdminError::NotASocket(path.into())),
        Ok(_) => {}
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(AdminError::InUse(path.into())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path).map_err(failed),
        Err(error) => Err(failed(error)),
    }
}

/// Who asks at the admin listener, as the log names them.
#[derive(Clone, Debug)]
pub(super) struct Operator(pub(super) Arc<str>);

impl Connected<IncomingStream<'_, UnixListener>> for Operator {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        let user = stream.io().peer_cred().map(|peer| format!("user {}", peer.uid()));
        Operator(user.unwrap_or_else(|_| "a user".into()).into())
    }
}

impl Connected<IncomingStream<'_, TcpListener>> for Operator {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        Operator(stream.remote_addr().to_string().into())
    }
}

async fn json_rpc(
    State(server): State<Arc<Server>>,
    ConnectInfo(operator): ConnectInfo<Operator>,
    body: Bytes,
) -> Response {
    http::json(StatusCode::OK, &dispatch::answer(&server, &Caller::Operator(operator), &body).await)
}

/// Lets in who sends the token.
async fn with_token(State(token): State<Arc<String>>, request: Request, next: Next) -> Response {
    if sent_token(request.headers()).is_some_and(|sent| is_same(sent.as_bytes(), token.as_bytes())) {
        return next.run(request).await;
    }
    let error = RpcError::new(codes::UNAUTHENTICATED, "the request has not the token of this node's operators");
    http::json(StatusCode::UNAUTHORIZED, &RpcResponse::new(Value::Null, Err(error)))
}

fn sent_token(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// Takes as long whatever the first difference is, so that no token is found out byte by byte.
fn is_same(left: &[u8], right: &[u8]) -> bool {
    let differences = left.iter().zip(right).fold(0, |found, (left, right)| found | (left ^ right));
    left.len() == right.len() && differences == 0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_socket_is_its_owner_s_and_goes_with_the_listener() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SOCKET_FILE);
        let place = AdminPlace::Socket(path.clone());
        let listener = AdminListener::bind(&place).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(listener.view().address, format!("unix:{}", path.display()));
        assert!(matches!(AdminListener::bind(&place).await, Err(AdminError::InUse(_))));
        drop(listener);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_a_crash_left_is_removed_and_what_is_no_socket_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SOCKET_FILE);
        let place = AdminPlace::Socket(path.clone());
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        drop(AdminListener::bind(&place).await.unwrap());
        fs::write(&path, "a diary").unwrap();
        assert!(matches!(AdminListener::bind(&place).await, Err(AdminError::NotASocket(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "a diary");
    }

    #[tokio::test]
    async fn a_path_that_the_system_has_no_room_for_is_told_before() {
        let path = PathBuf::from("/tmp").join("a".repeat(PATH_BYTES));
        let error = AdminListener::bind(&AdminPlace::Socket(path)).await.err().unwrap();
        assert!(error.to_string().contains("107 bytes, and this has 112; name a shorter one"), "{error}");
        assert_eq!(check_socket_path(Path::new(&"a".repeat(PATH_BYTES))), Ok(()));
    }

    #[tokio::test]
    async fn an_address_is_this_machine_s_and_has_a_token() {
        let folder = tempfile::tempdir().unwrap();
        let token_file = folder.path().join(TOKEN_FILE);
        let place =
            |listen: &str| AdminPlace::Address { listen: listen.parse().unwrap(), token_file: token_file.clone() };
        let refused = AdminListener::bind(&place("0.0.0.0:0")).await;
        assert!(matches!(refused, Err(AdminError::Elsewhere(_))) && !token_file.exists());
        let listener = AdminListener::bind(&place("127.0.0.1:0")).await.unwrap();
        assert!(listener.view().address.starts_with("http://127.0.0.1:"), "{:?}", listener.view());
        let token = read_token(&token_file).unwrap();
        assert_eq!(token.len(), 2 * TOKEN_BYTES);
        assert_eq!(fs::metadata(&token_file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read_or_make_token(&token_file).unwrap(), token, "it stays");
        fs::set_permissions(&token_file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(read_token(&token_file).unwrap_err().to_string().contains("chmod 600"));
        fs::set_permissions(&token_file, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&token_file, "short\n").unwrap();
        assert!(matches!(read_token(&token_file), Err(TokenError::None(_))));
    }

    #[test]
    fn tokens_are_compared_whole() {
        assert!(is_same(b"secret", b"secret"));
        assert!(!is_same(b"secret", b"secre") && !is_same(b"secre", b"secret") && !is_same(b"secreT", b"secret"));
    }
}
